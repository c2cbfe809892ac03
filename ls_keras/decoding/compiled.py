"""One way to compile a decoder: one graph on TensorFlow and JAX, eager on PyTorch."""

import functools
from collections.abc import Callable, Sequence

import keras
from keras import ops

from ls_base.errors import InputError
from ls_keras.errors import shown
from ls_keras.inputs.validation import as_flag, as_function


def compiled(function: Callable, *, variables: Sequence = (), jit_compile: bool = False):
    """Compiles a function of tensors, on the backend that Keras uses.

    TensorFlow: `tf.function`, with XLA if `jit_compile`. JAX: `jax.jit`.
    PyTorch: the function itself, without gradients. One graph is traced for each set of shapes
    and dtypes, so pad inputs to few shapes. Numbers become tensors before they get there: a sweep
    over temperatures traces once.

    Args:
        function: Takes and returns pytrees of tensors; positional arguments only.
        variables: The Keras variables that `function` reads: `model.variables`. JAX would bake
            their present values into the program as constants; given here, they are arguments of
            it, and later changes are seen. The other backends see changes anyway.
        jit_compile: Whether TensorFlow compiles with XLA (all shapes must then be known).

    Returns:
        A function of the same arguments.

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

    # None leaves the default aside: False says "no XLA" also inside an XLA context. Nothing here
    # has Python's own control flow over tensors, and AutoGraph takes longer than tracing itself.
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
