"""Keeps TensorFlow from rewriting the library: it has `keras.ops`, and asks no tensor's value."""

from collections.abc import Callable
from typing import TypeVar

import keras

_Function = TypeVar("_Function", bound=Callable)


def as_written(function: _Function) -> _Function:
    """Has `tf.function` trace a function, and what it calls, as it is.

    TensorFlow's AutoGraph rewrites what a step calls, so that `if` and `while` may ask for the
    values of tensors. For what never does, that is two to five seconds of each training loop of
    one's own before its first step. Keras's own functions are left alone, and so is all that
    `fit` calls.

    Args:
        function: A function, or a method in its class.
    """
    if keras.config.backend() != "tensorflow":
        return function
    import tensorflow as tf

    return tf.autograph.experimental.do_not_convert(function)
