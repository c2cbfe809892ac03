"""Gradients on the backend in use."""

import keras
import numpy as np
from keras import ops


def gradient(function, z) -> np.ndarray:
    """Returns the gradient of a function of one tensor, whose value is a scalar."""
    return gradients(lambda parts: function(parts["z"]), {"z": z})["z"]


def gradients(function, parts: dict) -> dict[str, np.ndarray]:
    """Returns the gradients of a function of a dict of tensors, whose value is a scalar."""
    backend = keras.config.backend()
    parts = {name: ops.convert_to_tensor(part) for name, part in parts.items()}
    if backend == "tensorflow":
        import tensorflow as tf

        with tf.GradientTape() as tape:
            tape.watch(parts)
            value = function(parts)
        found = tape.gradient(value, parts)
    elif backend == "jax":
        import jax

        found = jax.jit(jax.grad(function))(parts)
    else:
        parts = {name: part.detach().requires_grad_() for name, part in parts.items()}
        function(parts).backward()
        found = {name: part.grad for name, part in parts.items()}
    return {name: ops.convert_to_numpy(ops.cast(d, "float32")) for name, d in found.items()}
