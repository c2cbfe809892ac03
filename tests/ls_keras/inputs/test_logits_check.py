"""Predictions that are not what `from_logits` says, labels out of range: named by the losses."""

import warnings

import keras
import numpy as np
import pytest
from keras import ops

import ls_keras
from ls_base.errors import InputError

TENSORFLOW = keras.config.backend() == "tensorflow"
EAGER = pytest.mark.parametrize(
    "eager",
    [
        pytest.param(
            False,
            id="compiled",
            marks=pytest.mark.skipif(not TENSORFLOW, reason="seen in TensorFlow's graph"),
        ),
        pytest.param(
            True,
            id="eager",
            marks=pytest.mark.skipif(
                keras.config.backend() == "jax", reason="its trainer has no values"
            ),
        ),
    ],
)


class Ending(keras.Model):
    """A subclass of Model, which has no graph of layers."""

    def __init__(self, end, size, **options):
        super().__init__()
        self.dense, self.end = keras.layers.Dense(size, **options), end

    def call(self, x):
        return self.end(self.dense(x))


def linear(z):
    return z


def warnings_of_fit(model, loss, y, eager, rng):
    """Returns the library's warnings in `fit`, and the loss."""
    model.compile(keras.optimizers.SGD(0.0), loss, run_eagerly=eager)
    x = rng.normal(size=(len(y), 3)).astype("float32")
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        value = model.fit(x, y, epochs=2, verbose=0).history["loss"][0]
    return [str(w.message) for w in caught if "Expected" in str(w.message)], value


CASES = {
    "classes": (ls_keras.SmoothedCE, np.arange(64) % 4, 4, ops.softmax, "a softmax"),
    "sigmoids": (ls_keras.SmoothedBCE, np.arange(64)[:, None] % 2, 1, ops.sigmoid, "a sigmoid"),
}


@EAGER
@pytest.mark.parametrize("case", CASES)
def test_probabilities_passed_as_logits_are_named_once(case, eager, rng):
    loss, y, size, activation, expected = CASES[case]
    model = Ending(activation, size, kernel_initializer=keras.initializers.RandomNormal(0, 9))
    messages, _ = warnings_of_fit(model, loss(from_logits=True), y, eager, rng)
    assert len(messages) == 1
    assert "Expected logits, as from_logits=True says. Received: " in messages[0]
    if not eager:
        assert expected in messages[0]


@EAGER
@pytest.mark.parametrize("case", CASES)
def test_logits_cause_no_warning(case, eager, rng):
    loss, y, size, *_ = CASES[case]
    for end in (linear, lambda z: 0.0 * z, ops.log_softmax):
        model = Ending(end, size)
        assert warnings_of_fit(model, loss(from_logits=True), y, eager, rng)[0] == []


@EAGER
@pytest.mark.parametrize("case", CASES)
def test_the_output_of_a_linear_layer_without_from_logits_raises(case, eager, rng):
    loss, y, size, *_ = CASES[case]
    with pytest.raises(InputError, match=r"from_logits=True"):
        warnings_of_fit(Ending(linear, size), loss(), y, eager, rng)


@pytest.mark.tensorflow
@pytest.mark.parametrize(
    "head",
    [
        keras.layers.Dense(4),
        keras.layers.EinsumDense("btd,dk->btk", (2, 4), bias_axes="k"),
        keras.layers.Conv1D(4, 1),
        keras.layers.Dense(4, dtype="mixed_float16"),
    ],
    ids=lambda head: f"{type(head).__name__}-{head.dtype_policy.name}",
)
def test_linear_layers_of_every_kind_are_recognized_in_a_compiled_step(head):
    model = keras.Sequential([keras.Input((2, 2)), head])
    model.compile("sgd", ls_keras.SmoothedCE())
    with pytest.raises(InputError, match="the output of a linear layer"):
        model.fit(np.ones((4, 2, 2)), np.zeros((4, 2)), verbose=0)


@pytest.mark.tensorflow
def test_a_mixture_of_probabilities_is_not_taken_for_logits(rng):
    shares = np.asarray(rng.dirichlet(np.ones(4), 4), "float32")
    model = Ending(lambda z: ops.matmul(ops.softmax(z), shares), 4)
    messages, value = warnings_of_fit(model, ls_keras.SmoothedCE(), np.arange(8) % 4, False, rng)
    assert messages == []
    assert np.isfinite(value)


@pytest.mark.tensorflow
@pytest.mark.parametrize("case", CASES)
def test_other_numbers_than_probabilities_are_named_in_a_compiled_step(case, rng):
    loss, y, size, *_ = CASES[case]
    model = Ending(lambda z: 9 * ops.tanh(z), size)
    messages, value = warnings_of_fit(model, loss(), y, False, rng)
    assert len(messages) == 1
    assert "for logits pass from_logits=True. Received: y_pred with" in messages[0]
    assert np.isnan(value)


@pytest.mark.tensorflow
@pytest.mark.parametrize("label", [-1, 4])
def test_labels_out_of_range_are_named_in_a_compiled_step(label, rng):
    y = np.arange(8) % 4
    y[2:5] = label
    loss = ls_keras.SmoothedCE(from_logits=True)
    messages, value = warnings_of_fit(Ending(linear, 4), loss, y, False, rng)
    assert messages == [
        "Expected labels in [0, 4), as the predictions have 4 classes. "
        f"Received: {label} among 3 labels out of range"
    ]
    assert np.isnan(value)
    loss = ls_keras.SmoothedCE(from_logits=True, ignore_class=label)
    assert warnings_of_fit(Ending(linear, 4), loss, y, False, rng)[0] == []


@pytest.mark.tensorflow
def test_xla_compiles_losses_without_a_call_of_python(rng):
    model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(4)])
    model.compile("sgd", ls_keras.SmoothedCE(from_logits=True), jit_compile=True)
    x = rng.normal(size=(4, 3)).astype("float32")
    assert np.isnan(model.fit(x, np.array([0, 1, 2, 4]), verbose=0).history["loss"][0])


def test_arrays_of_probabilities_are_named_in_eager_use(rng):
    p = np.asarray(ops.convert_to_numpy(ops.softmax(rng.normal(size=(30, 4)), -1)))
    y = np.arange(30) % 4
    with pytest.warns(UserWarning, match="30 rows of numbers"):
        ls_keras.SmoothedCE(from_logits=True)(y, p)
    with pytest.warns(UserWarning, match="30 rows of numbers"):
        ls_keras.smoothed_cross_entropy(y, p.T.copy(), from_logits=True, axis=0)
    shares = np.linspace(0.01, 0.99, 30, dtype="float32")[:, None]
    for call in (
        lambda y, p: ls_keras.SmoothedBCE(from_logits=True)(y, p),
        lambda y, p: ls_keras.fit_temperature(y, p, from_logits=True, multi_label=True),
        lambda y, p: ls_keras.reliability_curve(y, p, from_logits=True, multi_label=True),
    ):
        with pytest.warns(UserWarning, match="30 numbers between 0 and 1"):
            call(y[:, None] % 2, shares)


@EAGER
def test_a_teacher_of_probabilities_is_named(eager, rng):
    x, y = rng.normal(size=(16, 3)).astype("float32"), np.arange(16) % 4
    student, teacher = Ending(linear, 4), Ending(ops.softmax, 4)
    for model in (student, teacher):
        model(x)
    distiller = ls_keras.Distiller(student, teacher, from_logits=True)
    distiller.compile("sgd", run_eagerly=eager)
    with pytest.warns(UserWarning, match="Expected logits, as from_logits=True says"):
        distiller.fit(x, y, verbose=0)
