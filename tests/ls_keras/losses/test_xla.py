import keras
import pytest

from ls_keras.losses.xla import compiled_by_xla


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
