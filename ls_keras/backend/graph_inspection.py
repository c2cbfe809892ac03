"""What made a tensor of a step that is being compiled: a softmax, a sigmoid, or nobody knows what.

Values can't be looked at there, but the graph can, once, when the step is traced: the compiled step
is what it was, and costs nothing more. Read are TensorFlow's graph, JAX's, and that of PyTorch's
gradients. JAX promises nobody what its tracers hold, and no framework of which operations it makes
a softmax; where anything is not as expected, nothing is known.
`tests/ls_keras/backend/test_graph_inspection.py` says what a new framework has changed.
"""

from collections.abc import Callable, Hashable
from typing import Any, NamedTuple

import keras

SOFTMAX, SIGMOID = "softmax", "sigmoid"

_FARTHEST = 8  # operations: casts, reshapes and copies between a softmax and a loss
# What leaves probabilities what they are, the axis of the classes where it was.
_KEEPING = {
    *("Cast", "Identity", "Reshape", "StopGradient"),  # TensorFlow's names
    *("convert_element_type", "copy", "name", "reshape", "stop_gradient"),  # JAX's
    *("AliasBackward0", "CloneBackward0", "ReshapeAliasBackward0", "ToCopyBackward0"),  # PyTorch's
    *("UnsafeViewBackward0", "ViewBackward0"),
}
# What leaves a sum what it is, one for each row.
_SPREADING = _KEEPING | {
    *("BroadcastTo", "broadcast_in_dim", "expand_dims", "squeeze"),
    *("ExpandBackward0", "UnsqueezeBackward0"),
}
_SOFTMAXES = frozenset(("Softmax", "SoftmaxBackward0"))  # JAX's is a division
_SIGMOIDS = frozenset(("Sigmoid", "logistic", "SigmoidBackward0"))
_DIVISIONS = frozenset(("RealDiv", "div", "DivBackward0"))
_SUMS = frozenset(("Sum", "reduce_sum", "SumBackward1"))
_EXPONENTIALS = frozenset(("Exp", "exp", "ExpBackward0"))


class _Made(NamedTuple):
    """How a tensor was made.

    Attributes:
        name: The operation, as its framework calls it.
        inputs: What it was made of.
        axes: Of a sum or softmax, along which axes; `None` where that isn't known.
        size: Of the last axis of what it was made of; `None` where that isn't known.
        key: The same for the same tensor.
    """

    name: str
    inputs: list
    axes: tuple[int, ...] | None
    size: int | None
    key: Hashable


def made_by(tensor, axis: int = -1) -> str | None:
    """Returns `SOFTMAX`, `SIGMOID`, or `None` where neither can be seen.

    A softmax is one of the framework's, or exponentials that are divided by their own sum.

    Args:
        tensor: Of the current backend.
        axis: Of the classes, along which a softmax is one.
    """
    rank = len(tensor.shape)
    axis %= rank
    size = tensor.shape[axis]
    try:
        return _made_by(tensor, axis, rank, size)
    except Exception:  # what a new framework calls otherwise is unknown, and no reason to stop
        return None


def primal(tensor):
    """Returns what JAX differentiates, which in eager use has values; any other as it is."""
    while keras.config.backend() == "jax" and hasattr(tensor, "primal"):
        tensor = tensor.primal
    return tensor


def _made_by(tensor, axis: int, rank: int, size) -> str | None:
    read = _READERS[keras.config.backend()]
    for _ in range(_FARTHEST):
        made = read(tensor)
        if made is None:
            return None
        if made.name in _SIGMOIDS:
            return SIGMOID
        if made.name in _SOFTMAXES:
            return SOFTMAX if made.axes in ((axis,), (axis - rank,)) else None
        if made.name in _DIVISIONS:
            return SOFTMAX if _is_normalized(read, made, axis, rank) else None
        if made.name not in _KEEPING or axis != rank - 1 or made.size not in (None, size):
            return None
        tensor = made.inputs[0]
        if hasattr(tensor, "shape"):  # which a node of PyTorch's gradients has not
            rank = len(tensor.shape)
            axis = rank - 1
    return None


def _is_normalized(read: Callable, division: _Made, axis: int, rank: int) -> bool:
    """Returns whether exponentials are divided by their own sum along the axis."""
    above, below = division.inputs
    exponential, total = _behind(read, above, _KEEPING), _behind(read, below, _SPREADING)
    if exponential is None or total is None or exponential.name not in _EXPONENTIALS:
        return False
    if total.name not in _SUMS or total.axes not in ((axis,), (axis - rank,)):
        return False
    summed = _behind(read, total.inputs[0], _KEEPING)
    return summed is not None and summed.key == exponential.key


def _behind(read: Callable, tensor, passed: set[str]) -> _Made | None:
    """Returns how a tensor was made, before operations that may be passed over."""
    made = read(tensor)
    for _ in range(_FARTHEST):
        if made is None or made.name not in passed:
            break
        made = read(made.inputs[0])
    return made


def _of_tensorflow(tensor) -> _Made | None:
    import tensorflow as tf

    if not isinstance(tensor, tf.Tensor) or hasattr(tensor, "numpy"):
        return None
    operation, axes = tensor.op, None
    inputs = list(operation.inputs)
    if operation.type == "Softmax":
        axes = (-1,)
    elif operation.type == "Sum":
        known = tf.get_static_value(inputs[1])
        axes = None if known is None else tuple(known.reshape(-1).tolist())
    size = inputs[0].shape[-1] if inputs and inputs[0].shape.rank else None
    return _Made(operation.type, inputs, axes, size, tensor.name)


def _of_jax(tensor) -> _Made | None:
    tensor = primal(tensor)
    made = getattr(tensor, "parent", None)
    if made is None:
        return None
    inputs = list(made.in_tracers)
    shape = getattr(inputs[0], "shape", ()) if inputs else ()
    name, size = made.primitive.name, shape[-1] if shape else None
    return _Made(name, inputs, made.params.get("axes"), size, id(made))


def _of_torch(tensor) -> _Made | None:
    import torch

    if torch.compiler.is_compiling():
        return None
    made = tensor.grad_fn if isinstance(tensor, torch.Tensor) else tensor
    if made is None:
        return None
    name, axes = made.name(), None
    if name in _SOFTMAXES or name in _SUMS:
        saved: Any = getattr(made, "_saved_dim", None)
        saved = saved if isinstance(saved, tuple | list) else (saved,)
        # Unsigned: −1 is 2^64 − 1.
        axes = tuple(d - 2**64 if d >= 2**63 else d for d in saved if d is not None)
    sizes = getattr(made, "_saved_self_sym_sizes", None)
    return _Made(name, [entry for entry, _ in made.next_functions], axes, _last(sizes), made)


def _last(sizes) -> int | None:
    return int(sizes[-1]) if sizes else None


_READERS = {"tensorflow": _of_tensorflow, "jax": _of_jax, "torch": _of_torch}
