"""Gradients on the backend in use."""

import keras
import numpy as np
from keras import ops


def gradient(function, z) -> np.ndarray:
    """Returns the gradient of a function of one tensor, whose value is a scalar."""
    backend = keras.config.backend()
    z = ops.convert_to_tensor(z)
    if backend == "tensorflow":
        import tensorflow as tf

        with tf.GradientTape() as tape:
            tape.watch(z)
            value = function(z)
        dz = tape.gradient(value, z)
    elif backend == "jax":
        import jax

        dz = jax.jit(jax.grad(function))(z)
    else:
        z = z.detach().requires_grad_()
        function(z).backward()
        dz = z.grad
    return ops.convert_to_numpy(ops.cast(dz, "float32"))
