import numpy as np
import pytest
from keras import ops

from gradient import gradient
from ls_keras.losses.confidence_penalty import entropy

Z = np.float32([[1.0, 0.5, -2.0, 1.5], [0.0, 0.0, 0.0, 0.0], [90.0, -90.0, 3.0, 89.0]])


def exact(z):
    z = np.asarray(z, "float64")
    log_p = z - np.logaddexp.reduce(z, axis=-1, keepdims=True)
    p = np.exp(log_p)
    h = -(p * log_p).sum(-1)
    return h, -p * (log_p + h[:, None])


def test_entropy_of_logits_and_of_log_probabilities():
    h, slopes = exact(Z)
    for z in (Z, ops.convert_to_numpy(ops.log_softmax(Z))):
        found = ops.convert_to_numpy(entropy(ops.convert_to_tensor(z)))
        np.testing.assert_allclose(found, h, rtol=1e-5, atol=1e-7)
        found = gradient(lambda z: ops.sum(entropy(z)), z)
        np.testing.assert_allclose(found, slopes, atol=1e-6)


def test_entropy_with_classes_of_no_probability():
    z = np.float32([[0.0, -np.inf, 0.0], [-np.inf, -np.inf, 1.0]])
    found = ops.convert_to_numpy(entropy(ops.convert_to_tensor(z)))
    np.testing.assert_allclose(found, [np.log(2), 0], atol=1e-7)
    np.testing.assert_array_equal(gradient(lambda z: ops.sum(entropy(z)), z), 0)


@pytest.mark.tensorflow
@pytest.mark.parametrize("jit_compile", [False, True])
def test_second_derivative_of_the_entropy(jit_compile):
    import tensorflow as tf

    @tf.function(jit_compile=jit_compile)
    def hessian(z):
        with tf.GradientTape() as outer:
            outer.watch(z)
            with tf.GradientTape() as inner:
                inner.watch(z)
                value = ops.sum(entropy(z))
            first = inner.gradient(value, z)[:, 0]
        return outer.gradient(first, z)

    step = np.float32(1e-3) * np.eye(4, dtype="float64")
    expected = [(exact(Z + d)[1][:, 0] - exact(Z - d)[1][:, 0]) / 2e-3 for d in step]
    np.testing.assert_allclose(hessian(tf.constant(Z)), np.stack(expected, -1), atol=1e-5)
