"""Compilation of a function of tensors: one graph on TensorFlow and JAX, eager on PyTorch."""

import functools
from collections.abc import Callable, Sequence

import keras
from keras import ops

from ls_keras.errors import InputError, shown
from ls_keras.inputs.validation import as_flag, as_function


def compiled(function: Callable, *, variables: Sequence = (), jit_compile: bool = False):
    """Compiles a function of tensors with the backend of Keras.

    Uses `tf.function` on TensorFlow, with XLA if `jit_compile`, `jax.jit` on JAX, and the function
    itself, without gradients, on PyTorch. One graph is traced for each set of shapes and dtypes,
    so pad inputs to few shapes. Numbers are converted to tensors first: a sweep over
    temperatures traces once.

    Args:
        function: Takes and returns pytrees of tensors; positional arguments only.
        variables: The Keras variables that `function` reads, such as `model.variables`. JAX would
            compile their current values as constants; variables given here are arguments of the
            program, so later changes are seen. The other backends always see changes.
        jit_compile: Whether TensorFlow compiles with XLA, which needs static shapes. Default:
            `False`.

    Returns:
        A function with the same arguments.

    Example:
        >>> import keras
        >>> from ls_keras.decoding import compiled
        >>> weight = keras.Variable(2.0)
        >>> double = compiled(lambda x: x * weight, variables=[weight])
        >>> float(double(3.0))
        6.0
        >>> weight.assign(5.0) is None
        False
        >>> float(double(3.0))
        15.0
    """
    as_function(function, "function")
    as_flag(jit_compile, "jit_compile")
    if not isinstance(variables, Sequence) or not all(
        isinstance(variable, keras.Variable) for variable in variables
    ):
        raise InputError(f"Expected variables to be Keras variables. Received: {shown(variables)}")
    run = _RUNNERS[keras.config.backend()](function, list(variables), jit_compile)

    @functools.wraps(function)
    def call(*arguments):
        return run(*keras.tree.map_structure(ops.convert_to_tensor, arguments))

    return call


def _tensorflow(function: Callable, variables: list, jit_compile: bool) -> Callable:
    import tensorflow as tf

    # None instead of False, which would disable XLA also inside an XLA context. Decoders have no
    # Python control flow over tensors, and AutoGraph takes longer than tracing.
    return tf.function(function, jit_compile=jit_compile or None, autograph=False)


def _jax(function: Callable, variables: list, jit_compile: bool) -> Callable:
    import jax

    @jax.jit
    def run(values, *arguments):
        with keras.StatelessScope(state_mapping=list(zip(variables, values, strict=True))):
            return function(*arguments)

    return lambda *arguments: run([variable.value for variable in variables], *arguments)


def _torch(function: Callable, variables: list, jit_compile: bool) -> Callable:
    import torch

    return torch.no_grad()(function)


_RUNNERS = {"tensorflow": _tensorflow, "jax": _jax, "torch": _torch}
