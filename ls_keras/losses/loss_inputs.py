"""One reading of labels and predictions for every loss: the classes last, in float32 or better."""

import numbers
from typing import Any, NamedTuple

import keras
from keras import ops

from ls_base.errors import InputError
from ls_keras.backend.tracing import concrete
from ls_keras.inputs.logits_check import Glances, recovered_logits
from ls_keras.inputs.targets import IgnoreClass, Targets, poisoned, read_targets
from ls_keras.inputs.validation import as_flag, as_tensor, shown

# How far below 0 a probability may lie: rounding.
_BELOW = -1e-3


class Reading(NamedTuple):
    """Labels and predictions, read.

    Attributes:
        targets: Labels `(...)` or dense targets `(..., K)`.
        z: Tensor `(..., K)` of float32 or better: logits, or logarithms of probabilities.
        normalize: Whether z are logits, so that their logsumexp is still to be subtracted.
    """

    targets: Targets
    z: Any
    normalize: bool


def read(
    y_true,
    y_pred,
    *,
    from_logits: bool,
    ignore_class: IgnoreClass,
    axis: int,
    mask=None,
    glances: Glances | None = None,
) -> Reading:
    """Reads what a loss was given.

    Args:
        y_true: See `smoothed_cross_entropy`.
        y_pred: See `smoothed_cross_entropy`.
        from_logits: See `smoothed_cross_entropy`.
        ignore_class: See `smoothed_cross_entropy`.
        axis: See `smoothed_cross_entropy`.
        mask: Boolean tensor `(...)` or `None`: predictions there may be anything.
        glances: Of the loss; `None`: of this call.

    Raises:
        InputError: See `smoothed_cross_entropy`.
    """
    y_pred = as_tensor(y_pred, "y_pred")
    check_axis(axis, len(y_pred.shape))
    z, from_logits = recovered_logits(
        y_pred, as_flag(from_logits, "from_logits"), axis, glances=glances or Glances()
    )
    z = ops.cast(z, keras.backend.result_type(z.dtype, "float32"))
    y_true, z = _classes_last(y_true, z, axis)
    targets = read_targets(y_true, z, ignore_class=ignore_class)
    if not from_logits:
        z = _checked_probabilities(z, targets.valid, mask)
        for keep in (targets.valid, mask):  # whatever was there: NaN times a gradient of 0 is NaN
            if keep is not None:
                keep = ops.cast(ops.reshape(keep, ops.shape(z)[:-1]), "bool")
                z = ops.where(keep[..., None], z, 1.0)
        epsilon = keras.config.epsilon()
        z = ops.log(ops.clip(z / ops.sum(z, axis=-1, keepdims=True), epsilon, 1 - epsilon))
    return Reading(targets, z, from_logits)


def finished(losses, targets: Targets):
    """Returns losses `(...)` with NaN where a label is wrong, and 0 where it is ignored."""
    losses = poisoned(losses, targets)
    return losses if targets.valid is None else ops.where(targets.valid, losses, 0.0)


def without_ignored(reading: Reading):
    """Returns z with numbers where a label is ignored, whatever was there, NaN too.

    A loss of 0 is not enough: NaN times a gradient of 0 is NaN.
    """
    valid = reading.targets.valid
    return reading.z if valid is None else ops.where(valid[..., None], reading.z, 1.0)


def known_classes(z) -> int:
    """Returns K, or raises an InputError."""
    if z.shape[-1] is None:
        raise InputError(
            "Expected a known number of classes. Received: y_pred of shape (..., None)"
        )
    return z.shape[-1]


def _checked_probabilities(p, valid, mask):
    """Returns what can be probabilities: told in eager use, in a graph NaN where it can't.

    They are normalized afterwards, as Keras does, so their sum may be anything above 0; below 0
    are logits only.
    """
    if 0 in tuple(p.shape):  # nothing is wrong with none, of which Keras takes no minimum
        return p
    wrong = ops.logical_or(ops.min(p, axis=-1) < _BELOW, ops.sum(p, axis=-1) <= 0)
    for keep in (valid, mask):
        if keep is not None:
            wrong = ops.logical_and(wrong, ops.cast(ops.reshape(keep, ops.shape(wrong)), "bool"))
    known = concrete(wrong)
    if known is None:
        return ops.where(wrong[..., None], float("nan"), p)
    if known.any():
        raise InputError(
            "Expected probabilities of at least 0, with a sum above 0; for logits pass "
            f"from_logits=True. Received: y_pred with {int(known.sum())} of {known.size} examples "
            "that are none"
        )
    return p


def _classes_last(y_true, z, axis: int):
    rank = len(z.shape)
    if axis % rank == rank - 1:
        return y_true, z
    y_true = as_tensor(y_true, "y_true")
    if len(y_true.shape) == rank:
        y_true = ops.moveaxis(y_true, axis, -1)
    return y_true, ops.moveaxis(z, axis, -1)


def check_axis(axis: int, rank: int) -> None:
    """Raises an `InputError` unless there is such an axis."""
    whole = isinstance(axis, numbers.Integral) and not isinstance(axis, bool)
    if not whole or not -rank <= axis < rank:
        raise InputError(f"Expected axis in [{-rank}, {rank}). Received: axis={shown(axis)}")
