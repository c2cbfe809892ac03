"""Functions compiled by each backend, so that values can't be looked at while they run."""

import contextlib

import keras
import numpy as np
import pytest


def run_traced(function, *arrays, xla: bool = False):
    """Runs a function of arrays as the backend's compiler traces it; returns arrays.

    On PyTorch, which always has values, compilation is simulated.

    Args:
        function: Takes tensors and returns one, or several.
        *arrays: Its arguments.
        xla: Whether TensorFlow compiles with XLA; JAX always does.
    """
    backend = keras.config.backend()
    tensors = [keras.ops.convert_to_tensor(array) for array in arrays]
    if backend == "tensorflow":
        import tensorflow as tf

        found = tf.function(function, jit_compile=xla)(*tensors)
    elif backend == "jax":
        import jax

        found = jax.jit(function)(*tensors)
    else:
        with _said_to_compile():
            found = function(*tensors)
    return keras.tree.map_structure(lambda x: np.asarray(keras.ops.convert_to_numpy(x)), found)


def warns_in_graph(traced, message: str):
    """Expects the warning of wrong values that TensorFlow gives where XLA doesn't compile.

    Args:
        traced: The fixture, a partial of `run_traced`.
        message: What it says.
    """
    if keras.config.backend() != "tensorflow" or traced.keywords["xla"]:
        return contextlib.nullcontext()
    return pytest.warns(UserWarning, match=message)


@contextlib.contextmanager
def _said_to_compile():
    import torch

    before = torch.compiler.is_compiling
    torch.compiler.is_compiling = lambda: True
    try:
        yield
    finally:
        torch.compiler.is_compiling = before
