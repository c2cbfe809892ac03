"""Telling values that are there from values that are only being traced."""

import inspect
import sys
import warnings
from pathlib import Path

import keras
import numpy as np
from keras import ops

from ls_keras.backend.keras_internals import is_transformed, only_shapes


def compiled_by_xla() -> bool:
    """Returns whether the current code is traced for XLA (or is best treated so).

    JAX compiles everything that is jitted by XLA, so it counts as XLA also in eager use. In
    TensorFlow, `tf.function(jit_compile=True)` (Keras's `model.jit_compile` is one) and a TPU
    replica trace inside an XLA control-flow context, which nested functions inherit. Clustering by
    environment flags (`TF_XLA_FLAGS`) happens after tracing and cannot be seen from here.
    """
    backend = keras.config.backend()
    if backend != "tensorflow":
        return backend == "jax"
    # Keras and TensorFlow have no public form of this question.
    from tensorflow.python.framework import ops as tf_ops
    from tensorflow.python.ops import control_flow_util

    return control_flow_util.GraphOrParentsInXlaContext(tf_ops.get_default_graph())


_BETWEEN = ("ls_keras", "keras", "optree", "tensorflow", "jax", "torch")
_REWRITTEN = "__autograph_generated_file"  # what TensorFlow has made of somebody's function


def warn_caller(message: str) -> None:
    """Warns at the line that called the library, or that called Keras, which called it.

    A `stacklevel` can't say how many frames lie between: a loss is called by hand, by `fit`, and
    by what TensorFlow wraps around both.

    Args:
        message: What was expected and received.
    """
    roots = tuple(
        f"{Path(module.__file__).parent}/"
        for module in map(sys.modules.get, _BETWEEN)
        if module is not None and module.__file__
    )
    frame, level = inspect.currentframe(), 1
    while frame is not None and (
        frame.f_code.co_filename.startswith(roots) or _REWRITTEN in frame.f_code.co_filename
    ):
        frame, level = frame.f_back, level + 1
    warnings.warn(message, stacklevel=level)


def tensor_of(value):
    """Returns a tensor of the current backend; of a variable, the value that it has now.

    `ops.convert_to_tensor` hands variables on, which have neither a place in a graph nor, in
    TensorFlow, all that tensors can be asked.

    Args:
        value: A tensor or variable of Keras or the backend, or anything that NumPy converts.
    """
    value = ops.convert_to_tensor(value.value if isinstance(value, keras.Variable) else value)
    if keras.config.backend() == "tensorflow":
        import tensorflow as tf

        if isinstance(value, tf.Variable):
            return tf.convert_to_tensor(value)
    return value


def concrete(value) -> np.ndarray | None:
    """Returns `value` as a NumPy array, or `None` while a graph is being traced.

    Checks that depend on values (labels out of range, NaN) run where this gives an array:
    in eager use, and in all steps of PyTorch that are not compiled.

    Args:
        value: A tensor of the current backend, a NumPy array, or anything that NumPy converts.
    """
    if isinstance(value, np.ndarray):
        return value
    if being_traced(value):
        return None
    return np.asarray(keras.ops.convert_to_numpy(value))


def being_traced(value) -> bool:
    """Returns whether a tensor has no value yet, or one that is nobody's; nothing is copied."""
    if isinstance(value, keras.KerasTensor) or only_shapes():
        # PyTorch builds a model with real tensors of ones (or of no data): no one's values.
        return True
    backend = keras.config.backend()
    if backend == "tensorflow":
        import tensorflow as tf

        # A constant that a graph captures has a value, and what is computed of it there has none.
        held = tf.is_tensor(value) or isinstance(value, (tf.Variable, keras.Variable))
        return held and not tf.executing_eagerly()
    if backend == "jax":
        import jax

        return isinstance(value, jax.core.Tracer)
    if backend == "torch":
        import torch

        return torch.compiler.is_compiling() or is_transformed(value)
    return False
