"""One reading of `y_true` for every loss and metric: integer or dense, ignored classes, weights.

Labels stay integers from end to end. Keras casts `y_true` to the dtype of a loss, which corrupts
ids above 256 in bfloat16, above 2,048 in float16 and above 2^24 in float32.
"""

import numbers
from collections.abc import Sequence
from typing import Any, NamedTuple

import keras
import numpy as np
from keras import ops

from ls_base.errors import InputError
from ls_keras.concrete import as_tensor, concrete

IgnoreClass = int | Sequence[int] | None


class Targets(NamedTuple):
    """`y_true`, read.

    Exactly one of `labels` and `dense` is set.

    Attributes:
        labels: int32 tensor `(...)`; ignored positions hold 0, so that a gather stays in range.
        dense: Tensor `(..., K)` of target probabilities, in its own dtype.
        valid: Boolean tensor `(...)`, false at ignored positions; `None` where nothing is ignored.
    """

    labels: Any
    dense: Any
    valid: Any


def read_targets(y_true, y_pred, *, ignore_class: IgnoreClass = None) -> Targets:
    """Tells integer from dense targets by rank, as Keras does, and finds what is ignored.

    Args:
        y_true: Integers `(...)` or `(..., 1)`, or dense targets `(..., K)`.
        y_pred: Tensor `(..., K)`, K ≥ 2: the classes are its last axis.
        ignore_class: A label id, or several, whose positions do not count. Ids may lie outside
            `[0, K)`. Integer targets only.

    Raises:
        InputError: If the shapes don't belong together, if K < 2, if `ignore_class` comes with
            dense targets or, in eager use, if a label lies outside `[0, K)`.
    """
    y_true = as_tensor(y_true)
    pred_shape, true_shape = tuple(y_pred.shape), tuple(y_true.shape)
    if not pred_shape or (pred_shape[-1] is not None and pred_shape[-1] < 2):
        raise InputError(
            "Expected predictions of shape (..., K) with K ≥ 2 classes on the last axis. "
            f"Received: y_pred of shape {pred_shape}"
        )
    rank, num_classes = len(pred_shape), pred_shape[-1]
    if len(true_shape) == rank and true_shape[-1] == 1:
        y_true, true_shape = ops.squeeze(y_true, axis=-1), true_shape[:-1]
    is_dense = len(true_shape) == rank and true_shape[-1] in (num_classes, None)
    leading = true_shape[:-1] if is_dense else true_shape
    if not (is_dense or len(true_shape) == rank - 1) or not _compatible(leading, pred_shape[:-1]):
        raise InputError(
            f"Expected integer labels of shape {pred_shape[:-1]} or dense targets of shape "
            f"{pred_shape} for predictions of shape {pred_shape}. "
            f"Received: y_true of shape {tuple(true_shape)}"
        )
    if is_dense:
        if ignore_class is not None:
            raise InputError(
                "Expected integer labels with `ignore_class`; for dense targets use "
                f"`sample_weight`. Received: y_true of shape {true_shape}, "
                f"ignore_class={ignore_class}"
            )
        return Targets(None, y_true, None)

    labels = y_true if _is_integer(y_true) else ops.cast(y_true, "int32")
    valid = _not_in(labels, ignore_class)
    _check_range(labels, num_classes, ignore_class)
    if valid is not None:
        labels = ops.where(valid, labels, ops.zeros_like(labels))
    return Targets(ops.cast(labels, "int32"), None, valid)


def position_weights(values, *, valid=None, mask=None, sample_weight=None):
    """Joins ignored positions, a Keras mask and sample weights into one weight per position.

    Args:
        values: Tensor `(...)` whose shape and dtype the weights take.
        valid: Boolean tensor `(...)` or `None`.
        mask: Boolean tensor `(...)` or `None`, as Keras layers propagate it.
        sample_weight: Tensor of the shape of `values`, or of its leading axes, or `None`.

    Returns:
        A tensor of the shape of `values`, or `None` where every position weighs 1.
    """
    weights = None
    if sample_weight is not None:
        weights = ops.cast(ops.convert_to_tensor(sample_weight), values.dtype)
        if len(weights.shape) == len(values.shape) + 1 and weights.shape[-1] == 1:
            weights = ops.squeeze(weights, axis=-1)
        if len(weights.shape) > len(values.shape):
            raise InputError(
                f"Expected sample_weight of shape {tuple(values.shape)} or of its leading axes. "
                f"Received: sample_weight of shape {tuple(weights.shape)}"
            )
        while len(weights.shape) < len(values.shape):
            weights = ops.expand_dims(weights, axis=-1)
        weights = ops.broadcast_to(weights, ops.shape(values))
    for keep in (valid, mask):
        if keep is not None:
            factor = ops.cast(ops.reshape(keep, ops.shape(values)), values.dtype)
            weights = factor if weights is None else weights * factor
    return weights


def ignored_ids(ignore_class: IgnoreClass) -> tuple[int, ...]:
    """Returns `ignore_class` as a tuple of ids, empty for `None`."""
    if ignore_class is None:
        return ()
    several = isinstance(ignore_class, Sequence) or np.ndim(ignore_class) == 1
    ids: tuple[Any, ...] = tuple(ignore_class) if several else (ignore_class,)  # type: ignore[arg-type]
    if not all(isinstance(i, numbers.Integral) and not isinstance(i, bool) for i in ids):
        raise InputError(
            f"Expected ignore_class to be an integer, several, or None. Received: {ignore_class!r}"
        )
    return tuple(int(i) for i in ids)


def plain_ignore_class(ignore_class: IgnoreClass) -> int | list[int] | tuple[int, ...] | None:
    """Returns `ignore_class` with Python's integers in place of NumPy's, which JSON doesn't hold.

    Raises:
        InputError: If it holds anything but integers.
    """
    ids = ignored_ids(ignore_class)
    if ignore_class is None:
        return None
    if isinstance(ignore_class, numbers.Integral):
        return ids[0]
    return list(ids) if isinstance(ignore_class, list) else ids


def _not_in(labels, ignore_class: IgnoreClass):
    valid = None
    for class_id in ignored_ids(ignore_class):
        keep = ops.not_equal(labels, ops.cast(class_id, labels.dtype))
        valid = keep if valid is None else ops.logical_and(valid, keep)
    return valid


def _check_range(labels, num_classes: int | None, ignore_class: IgnoreClass) -> None:
    values = concrete(labels)
    if values is None or num_classes is None or not values.size:
        return
    wrong = (values < 0) | (values >= num_classes)
    for class_id in ignored_ids(ignore_class):
        wrong &= values != class_id
    if wrong.any():
        raise InputError(
            f"Expected labels in [0, {num_classes})"
            + (f" or ignore_class={ignore_class}" if ignore_class is not None else "")
            + f". Received: {values[wrong].flat[0]} among {int(wrong.sum())} labels out of range"
        )


def _is_integer(tensor) -> bool:
    return "int" in keras.backend.standardize_dtype(tensor.dtype)


def _compatible(left: tuple, right: tuple) -> bool:
    return len(left) == len(right) and all(
        a is None or b is None or a == b for a, b in zip(left, right, strict=True)
    )
