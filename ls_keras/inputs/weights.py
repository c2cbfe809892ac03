"""Sample weights, masks and ignored positions as one weight per position."""

import math

from keras import ops

from ls_keras.backend.tensors import as_tensor, to_numpy_or_none
from ls_keras.errors import InputError


def position_weights(values, *, valid=None, mask=None, sample_weight=None):
    """Combines ignored positions, a Keras mask and sample weights into one weight per position.

    Args:
        values: Tensor `(...)`; the weights have its shape and dtype.
        valid: Boolean tensor `(...)` or `None`.
        mask: Boolean tensor `(...)` or `None`, as Keras layers propagate it.
        sample_weight: Tensor of the shape of `values`, or of its leading axes, or `None`.

    Returns:
        A tensor of the shape of `values`, or `None` if all weights are 1.

    Raises:
        InputError: If the shapes don't fit or, in eager use, if a weight of a position that counts
            is negative; in a graph it becomes NaN.
    """
    weights = None
    if sample_weight is not None:
        weights = ops.cast(read_weights(sample_weight, tuple(values.shape)), values.dtype)
        weights = ops.broadcast_to(weights, ops.shape(values))
    for name, keep in (("valid", valid), ("mask", mask)):
        if keep is not None:
            factor = ops.cast(_reshaped(as_tensor(keep, name), values, name), values.dtype)
            weights = factor if weights is None else weights * factor
    return weights if sample_weight is None else _not_negative(weights)


def _not_negative(weights):
    """Raises an `InputError` for negative weights; in a graph, returns NaN there."""
    known = to_numpy_or_none(weights)
    if known is None:
        return ops.where(weights < 0, float("nan"), weights)
    if (known < 0).any():
        raise InputError(
            "Expected sample weights that are finite and not negative. "
            f"Received: {known[known < 0].flat[0]}"
        )
    return weights


def read_weights(sample_weight, shape: tuple, name: str = "sample_weight"):
    """Returns sample weights with as many axes as `shape`, missing ones of size 1.

    Args:
        sample_weight: Numbers of that shape or of its leading axes; one more axis of size 1 is
            accepted.
        shape: The shape of the weighted tensor.
        name: The argument's name, for the message.

    Raises:
        InputError: If the shapes don't fit.
    """
    weights = as_tensor(sample_weight, name)
    if len(weights.shape) == len(shape) + 1 and weights.shape[-1] == 1:
        weights = ops.squeeze(weights, axis=-1)
    while len(weights.shape) < len(shape):
        weights = ops.expand_dims(weights, axis=-1)
    fits = len(weights.shape) == len(shape) and all(
        w is None or w == 1 or n is None or w == n
        for w, n in zip(weights.shape, shape, strict=True)
    )
    if not fits:
        raise InputError(
            f"Expected {name} of shape {shape} or of its leading axes. "
            f"Received: {name} of shape {tuple(weights.shape)}"
        )
    return weights


def _reshaped(keep, values, name: str):
    kept, shape = tuple(keep.shape), tuple(values.shape)
    if None not in (*kept, *shape) and math.prod(kept) != math.prod(shape):
        raise InputError(f"Expected a {name} of shape {shape}. Received: {name} of shape {kept}")
    return ops.reshape(keep, ops.shape(values))
