"""Excludes library code from TensorFlow's AutoGraph, which it doesn't need."""

from collections.abc import Callable
from typing import TypeVar

import keras

_Function = TypeVar("_Function", bound=Callable)


def no_autograph(function: _Function) -> _Function:
    """Decorator that makes `tf.function` trace a function, and what it calls, without AutoGraph.

    AutoGraph rewrites the source of each function that a step calls, so that `if` and `while` may
    depend on tensors. The library uses `keras.ops` instead, and the rewriting delays the first step
    of a custom training loop by two to five seconds. Keras already excludes all that `fit` calls.

    Args:
        function: A function, or a method in its class.
    """
    if keras.config.backend() != "tensorflow":
        return function
    import tensorflow as tf

    return tf.autograph.experimental.do_not_convert(function)
