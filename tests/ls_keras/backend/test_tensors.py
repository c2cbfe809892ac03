import warnings

import keras
import numpy as np
import pytest
from keras import ops

import ls_keras
from ls_keras.backend.tensors import as_tensor, compiled_by_xla, tensor_of, to_numpy_or_none
from ls_keras.distillation import equivalent_smoothing
from ls_keras.errors import InputError

RNG = np.random.default_rng(0)
LABELS = np.int32([0, 1, 2, 4])
LOGITS = RNG.normal(size=(4, 5)).astype("float32")
WEIGHTS = RNG.random(4).astype("float32")


def own(array):
    """A variable of the backend, as programs without Keras make them; elsewhere one of Keras."""
    if keras.config.backend() == "tensorflow":
        import tensorflow as tf

        return tf.Variable(array)
    if keras.config.backend() == "torch":
        import torch

        return torch.nn.Parameter(torch.tensor(array), requires_grad=array.dtype.kind == "f")
    return of_keras(array)


def of_keras(array):
    return keras.Variable(array, dtype=str(array.dtype), trainable=array.dtype.kind == "f")


def metric(cls, y, z, w, **options):
    made = cls(from_logits=True, **options)
    made.update_state(y, z, w)
    return made.result()


TAKERS = {
    "loss": lambda y, z, w: ls_keras.SmoothedCE(from_logits=True, ignore_class=4)(y, z, w),
    "probabilities": lambda y, z, w: ls_keras.SmoothedCE()(y, z, w),
    "distillation": lambda y, z, w: ls_keras.distillation_loss(y, z, z, beta=0.5),
    "targets": lambda y, z, w: ls_keras.smooth_labels(y, num_classes=5),
    "ece": lambda y, z, w: metric(ls_keras.ExpectedCalibrationError, y, z, w),
    "classwise": lambda y, z, w: metric(ls_keras.ExpectedCalibrationError, y, z, w, classwise=True),
    "brier": lambda y, z, w: metric(ls_keras.BrierScore, y, z, w),
    "nll": lambda y, z, w: metric(ls_keras.NegativeLogLikelihood, y, z, w),
    "accuracy": lambda y, z, w: metric(ls_keras.Accuracy, y, z, w),
    "curve": lambda y, z, w: (
        ls_keras.reliability_curve(y, z, from_logits=True, sample_weight=w).ece
    ),
    "temperature": lambda y, z, w: (
        ls_keras.fit_temperature(y, z, from_logits=True, sample_weight=w).temperature
    ),
    "vector": lambda y, z, w: (
        ls_keras.fit_vector_scaling(y, z, from_logits=True, sample_weight=w).nll_after
    ),
    "gamma": lambda y, z, w: equivalent_smoothing(y, z, from_logits=True, sample_weight=w),
}


def test_long_doubles_are_read_as_doubles():
    tensor = as_tensor(np.longdouble([0.5, 1]), "x")
    np.testing.assert_array_equal(ops.convert_to_numpy(tensor), [0.5, 1])
    z = LOGITS.astype(np.longdouble)
    losses = [ls_keras.smoothed_cross_entropy(LABELS, x, from_logits=True) for x in (z, LOGITS)]
    np.testing.assert_allclose(*map(ops.convert_to_numpy, losses), rtol=1e-6)


def test_symbolic_tensors_are_rejected():
    with pytest.raises(InputError, match="Expected y_true to be a tensor .* Received: KerasTensor"):
        ls_keras.smoothed_cross_entropy(keras.KerasTensor((4,), "int32"), LOGITS, from_logits=True)


@pytest.mark.filterwarnings("ignore:.*examples:UserWarning")
@pytest.mark.parametrize("make", [own, of_keras])
@pytest.mark.parametrize("name", list(TAKERS))
def test_variables_are_what_they_hold(name, make):
    if name == "probabilities":  # not those of a softmax: any positive numbers will do
        arrays = (LABELS, np.exp(LOGITS), WEIGHTS)
    else:
        arrays = (LABELS, LOGITS, WEIGHTS)
    expected = ops.convert_to_numpy(TAKERS[name](*arrays))
    found = ops.convert_to_numpy(TAKERS[name](*(make(array) for array in arrays)))
    np.testing.assert_allclose(found, expected, rtol=1e-5)


def test_a_variable_becomes_a_tensor_of_what_it_holds_now():
    variable = keras.Variable([1.0, 2.0])
    tensor = tensor_of(variable)
    variable.assign([3.0, 4.0])
    assert not isinstance(tensor, keras.Variable)
    assert ops.convert_to_numpy(tensor_of(variable)).tolist() == [3, 4]


@pytest.mark.skipif(keras.config.backend() != "torch", reason="of PyTorch")
def test_within_torch_func_nobody_has_values():
    import torch

    labels, z, loss = (
        torch.tensor(LABELS),
        torch.tensor(LOGITS),
        ls_keras.SmoothedCE(from_logits=True, ignore_class=4),
    )
    seen = []

    def total(z):
        seen.append([to_numpy_or_none(z), to_numpy_or_none(labels)])
        return loss(labels, z, WEIGHTS)

    gradient = torch.func.grad(total)(z)
    assert seen == [[None, None]]
    by_backward = z.clone().requires_grad_()
    loss(labels, by_backward, WEIGHTS).backward()
    torch.testing.assert_close(gradient, by_backward.grad)
    each = torch.func.vmap(torch.func.grad(lambda z, y: loss(y[None], z[None])))(z, labels)
    weights = torch.tensor(WEIGHTS[:3])[:, None]
    torch.testing.assert_close(each[:3] * weights / 3, gradient[:3])
    assert not each[3].any()
    np.testing.assert_array_equal(to_numpy_or_none(z), LOGITS)


@pytest.mark.tensorflow
def test_variables_have_their_values_in_a_graph():
    import tensorflow as tf

    logits = tf.Variable(LOGITS)
    step = tf.function(lambda: ls_keras.SmoothedCE(from_logits=True)(LABELS, logits))
    first = float(step())
    logits.assign(2 * LOGITS)
    assert float(step()) != first
    assert float(step()) == pytest.approx(
        float(ls_keras.SmoothedCE(from_logits=True)(LABELS, 2 * LOGITS)), rel=1e-6
    )


Y = np.arange(40) % 4
P = np.asarray(np.random.default_rng(0).dirichlet(np.ones(4), 40), "float32")


def of_nan():
    metric = ls_keras.ExpectedCalibrationError()
    metric.update_state(Y[:8], P[:8])
    metric._nan.assign(np.ones(metric._nan.shape, "float32"))
    return metric


def fitted(jit_compile):
    model = keras.Sequential([keras.Input((4,)), keras.layers.Softmax()])
    model.compile("sgd", ls_keras.SmoothedCE(from_logits=True), jit_compile=jit_compile)
    model.fit(P, Y, verbose=0)


CALLS = {
    "a loss": lambda: ls_keras.SmoothedCE(from_logits=True)(Y, P),
    "a function": lambda: ls_keras.smoothed_cross_entropy(Y, ops.softmax(P), from_logits=True),
    "a metric": lambda: ls_keras.NegativeLogLikelihood(from_logits=True)(Y, P),
    "a result": lambda: of_nan().result(),
    "what is forgotten": lambda: of_nan().reset_state(),
    "fit": lambda: fitted(False),
    "fit, compiled": lambda: fitted("auto"),
}


@pytest.mark.parametrize("call", CALLS.values(), ids=CALLS)
def test_a_warning_points_to_the_caller(call):
    if call is CALLS["fit, compiled"] and keras.config.backend() == "jax":
        pytest.skip("JAX compiles the check away")
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        call()
    ours = [w for w in caught if "Expected" in str(w.message) or "left out" in str(w.message)]
    assert ours
    assert {w.filename for w in ours} == {__file__}


def test_outside_any_function():
    assert compiled_by_xla() == (keras.config.backend() == "jax")


@pytest.mark.tensorflow
def test_in_a_tensorflow_function():
    import tensorflow as tf

    seen = []

    @tf.function
    def inner():
        seen.append(compiled_by_xla())
        return tf.constant(0)

    inner()
    tf.function(jit_compile=False)(lambda: inner())()
    assert seen == [False]  # The second call reuses the trace.
    inner_again = tf.function(inner.python_function)
    tf.function(jit_compile=True)(lambda: inner_again())()
    assert seen == [False, True]


@pytest.mark.tensorflow
@pytest.mark.parametrize("jit_compile", [False, True])
def test_in_fit(jit_compile):
    import numpy as np

    seen = set()

    def loss(y_true, y_pred):
        seen.add(compiled_by_xla())
        return keras.ops.mean(y_pred)

    model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(2)])
    model.compile("sgd", loss, jit_compile=jit_compile)
    model.fit(np.ones((2, 2)), np.ones((2, 2)), verbose=0)
    assert seen == {jit_compile}
