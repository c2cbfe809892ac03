"""What can be seen of probabilities in a step that is being compiled; told by the losses."""

import warnings

import keras
import numpy as np
import pytest
from keras import ops

import ls_keras
from ls_keras.backend.graph_inspection import SIGMOID, SOFTMAX, made_by


def by_hand(z, axis=-1):
    e = ops.exp(z - ops.max(z, axis=axis, keepdims=True))
    return e / ops.sum(e, axis=axis, keepdims=True)


def of_16_bits(z):
    return ops.cast(ops.softmax(ops.cast(z, "float16")), "float32")


FUNCTIONS = {
    "softmax": (ops.softmax, SOFTMAX),
    "activation": (keras.activations.softmax, SOFTMAX),
    "by hand": (by_hand, SOFTMAX),
    "reshaped": (lambda z: ops.reshape(ops.softmax(z), (2, 3, 4)), SOFTMAX),
    "cast": (of_16_bits, SOFTMAX),
    "by hand, cast": (lambda z: ops.cast(by_hand(z), "float16"), SOFTMAX),
    "sigmoid": (ops.sigmoid, SIGMOID),
    "sigmoid, reshaped": (lambda z: ops.reshape(keras.activations.sigmoid(z), (12, 2)), None),
    "sigmoid, cast": (lambda z: ops.cast(ops.sigmoid(z), "float16"), SIGMOID),
    "logits": (lambda z: 2.0 * z, None),
    "logarithms": (ops.log_softmax, None),
    "another axis": (lambda z: ops.softmax(z, axis=0), None),
    "another axis by hand": (lambda z: by_hand(z, axis=0), None),
    "flattened": (lambda z: ops.reshape(ops.softmax(z), (-1,)), None),
    "a multiple": (lambda z: 2.0 * ops.softmax(z), None),
    "shares of no exponentials": (lambda z: z / ops.sum(z, axis=-1, keepdims=True), None),
    "another sum": (lambda z: ops.exp(z) / ops.sum(ops.exp(2.0 * z), -1, keepdims=True), None),
}


def seen_in_a_step(function, z):
    """Asks while the backend traces a step with gradients, as `fit` does."""
    seen = []

    def loss(z):
        p = function(z)
        seen.append(made_by(p))
        return ops.mean(ops.cast(p, "float32"))

    backend = keras.config.backend()
    if backend == "tensorflow":
        import tensorflow as tf

        @tf.function
        def step(z):
            with tf.GradientTape() as tape:
                tape.watch(z)
                value = loss(z)
            return tape.gradient(value, z)

        step(tf.constant(z))
    elif backend == "jax":
        import jax

        jax.jit(jax.value_and_grad(loss))(z)
        jax.jit(loss)(z)
    else:
        import torch

        loss(torch.tensor(z, requires_grad=True)).backward()
    assert len(set(seen)) == 1
    return seen[0]


@pytest.mark.parametrize(("function", "expected"), FUNCTIONS.values(), ids=FUNCTIONS)
def test_what_made_a_tensor_is_seen_in_a_compiled_step(function, expected, rng):
    assert seen_in_a_step(function, rng.normal(size=(6, 4)).astype("float32")) == expected


class Ending(keras.Model):
    """A subclass, whose graph of layers nobody sees."""

    def __init__(self, end, size):
        super().__init__()
        self.dense, self.end = keras.layers.Dense(size), end

    def call(self, x):
        return self.end(self.dense(x))


def told(model, loss, x, y, **compiled):
    """Returns what `fit` and `evaluate` warn of, and the loss."""
    model.compile(keras.optimizers.SGD(0.0), loss, **compiled)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        value = model.fit(x, y, verbose=0, shuffle=False).history["loss"][0]
    return {str(w.message) for w in caught if "from_logits" in str(w.message)}, value


@pytest.mark.parametrize("eager", [False, True], ids=["compiled", "eager"])
@pytest.mark.parametrize("end", [by_hand, of_16_bits, ops.softmax], ids=lambda end: end.__name__)
def test_losses_say_that_probabilities_are_no_logits(end, eager, rng):
    x, y = rng.normal(size=(16, 3)).astype("float32"), np.arange(16) % 4
    model = Ending(end, 4)
    messages, value = told(model, ls_keras.SmoothedCE(from_logits=True), x, y, run_eagerly=eager)
    assert any("Expected logits, as from_logits=True says. Received" in m for m in messages)
    if end is by_hand:  # what the loss computes is what it is called with
        p = model.predict(x, verbose=0).astype("float64")
        smoothed = 0.9 * np.eye(4)[y] + 0.1 / 4
        assert value == pytest.approx(
            (np.log(np.exp(p).sum(-1)) - (smoothed * p).sum(-1)).mean(), rel=1e-5
        )


@pytest.mark.parametrize("eager", [False, True], ids=["compiled", "eager"])
def test_losses_of_sigmoids_say_so_too(eager, rng):
    x, y = 9 * rng.normal(size=(32, 3)).astype("float32"), np.arange(32).reshape(32, 1) % 2
    loss = ls_keras.SmoothedBCE(from_logits=True)
    assert told(Ending(ops.sigmoid, 1), loss, x, y, run_eagerly=eager)[0]


@pytest.mark.parametrize("eager", [False, True], ids=["compiled", "eager"])
def test_logits_are_nothing_to_talk_of(eager, rng):
    x = rng.normal(size=(16, 3)).astype("float32")
    cases = (
        (ls_keras.SmoothedCE(from_logits=True), np.arange(16) % 4, 4),
        (ls_keras.SmoothedBCE(from_logits=True), np.arange(16).reshape(16, 1) % 2, 1),
    )
    for loss, y, size in cases:
        for end in (lambda z: z, lambda z: 0.0 * z, ops.log_softmax):
            assert not told(Ending(end, size), loss, x, y, run_eagerly=eager)[0]


def test_arrays_of_probabilities_are_told_in_eager_use(rng):
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


def test_a_teacher_that_gives_probabilities_is_told(rng):
    x, y = rng.normal(size=(16, 3)).astype("float32"), np.arange(16) % 4
    student, teacher = Ending(lambda z: z, 4), Ending(ops.softmax, 4)
    for model in (student, teacher):
        model(x)
    distiller = ls_keras.Distiller(student, teacher, from_logits=True)
    distiller.compile("sgd")
    with pytest.warns(UserWarning, match="Expected logits, as from_logits=True says"):
        distiller.fit(x, y, verbose=0)
