"""Warnings that point to the user's code, also from within a compiled step."""

import inspect
import sys
import warnings
from collections.abc import Callable
from pathlib import Path

import keras

from ls_keras.backend.tensors import compiled_by_xla

_SKIPPED_PACKAGES = ("ls_keras", "keras", "optree", "tensorflow", "jax", "torch")
_AUTOGRAPH_FILE = "__autograph_generated_file"  # a user's function that AutoGraph has rewritten


def warn_caller(message: str) -> None:
    """Warns at the line of user code that called the library, directly or through Keras.

    The number of frames between depends on who calls: user code, `fit`, or TensorFlow's wrappers.

    Args:
        message: What was expected and received.
    """
    roots = tuple(
        f"{Path(module.__file__).parent}/"
        for module in map(sys.modules.get, _SKIPPED_PACKAGES)
        if module is not None and module.__file__
    )
    frame, level = inspect.currentframe(), 1
    while frame is not None and (
        frame.f_code.co_filename.startswith(roots) or _AUTOGRAPH_FILE in frame.f_code.co_filename
    ):
        frame, level = frame.f_back, level + 1
    warnings.warn(message, stacklevel=level)


def warn_in_graph(wrong, message: Callable[..., str], *values) -> None:
    """Warns when a compiled step of TensorFlow finds wrong values, once for each trace.

    A graph can't raise an `InputError`, and a loss that silently becomes NaN names no cause. While
    nothing is wrong, the step doesn't leave the graph. XLA can't call Python: there, and on JAX,
    nothing is done.

    Args:
        wrong: Boolean tensor of any shape.
        message: Makes the warning from `wrong` and the values, as NumPy arrays.
        *values: Tensors.
    """
    if keras.config.backend() != "tensorflow" or compiled_by_xla():
        return
    import tensorflow as tf

    warned: list[bool] = []

    def warn(*tensors):
        if not warned:
            warned.append(True)
            warn_caller(message(*(tensor.numpy() for tensor in tensors)))

    tf.cond(
        tf.reduce_any(wrong), lambda: tf.py_function(warn, (wrong, *values), []), lambda: tf.no_op()
    )
