"""One reading of `y_true` for every loss and metric: integer or dense, ignored classes, weights.

Labels stay integers from end to end. Keras casts `y_true` to the dtype of a loss, which corrupts
ids above 256 in bfloat16, above 2,048 in float16 and above 2^24 in float32.

What can be looked at (eager use) is checked, and raises. In a compiled step nothing can be raised:
there, what is wrong makes the result NaN, on every backend alike.
"""

import contextlib
import math
import numbers
from collections.abc import Sequence
from typing import Any, NamedTuple

import keras
import numpy as np
from keras import ops

from ls_base.errors import InputError
from ls_keras.backend.tracing import concrete
from ls_keras.inputs.per_example_alpha import unpacked
from ls_keras.inputs.validation import as_array, as_tensor, shown

IgnoreClass = int | Sequence[int] | None
_SIGMOIDS = (
    "of sigmoids: `multi_label=True` of metrics and fits, the loss SmoothedBCE, or columns 1 − p, p"
)


class Targets(NamedTuple):
    """`y_true`, read.

    Exactly one of `labels` and `dense` is set.

    Attributes:
        labels: int32 tensor `(...)`; ignored and wrong positions hold 0, so that a gather stays
            in range.
        dense: Tensor `(..., K)` of target probabilities, in its own dtype.
        valid: Boolean tensor `(...)`, false at ignored positions; `None` where nothing is ignored.
        wrong: Boolean tensor `(...)`, true at labels that are no class and are not ignored; `None`
            where the labels have been looked at.
        alpha: float32 tensor `(...)` that came with the targets, see `with_alpha`, or `None`.

    Of dense targets, only those that were made of labels have `valid` and `wrong`
    (`ls_keras.inputs.binary_targets`).
    """

    labels: Any
    dense: Any
    valid: Any
    wrong: Any = None
    alpha: Any = None


def read_targets(
    y_true, y_pred, *, ignore_class: IgnoreClass = None, one_example: bool = False
) -> Targets:
    """Tells integer from dense targets by rank, as Keras does, and finds what is ignored.

    Args:
        y_true: Integers `(...)` or `(..., 1)`, or dense targets `(..., K)`.
        y_pred: Tensor `(..., K)`, K ≥ 2: the classes are its last axis.
        ignore_class: A label id, or several, whose positions do not count. Ids may lie outside
            `[0, K)`, and outside of what the labels' dtype holds. Integer targets only.
        one_example: Whether a dense target `(K,)` is one example; if not, it is refused, since N
            predictions of one number each look the same.

    Raises:
        InputError: If the shapes don't belong together, if K < 2, if `ignore_class` comes with
            dense targets or, in eager use, if a label is no integer in `[0, K)`, or a dense target
            holds a number that is negative, NaN or infinite.
    """
    y_true, alpha = unpacked(y_true, y_pred)
    known = y_true if isinstance(y_true, np.ndarray) else None  # 64 bits, which JAX would cut
    if isinstance(y_true, list | tuple):
        with contextlib.suppress(InputError):  # tensors in a list, while they are being traced
            known = as_array(y_true, "y_true")
    y_true = as_tensor(y_true, "y_true")
    pred_shape, true_shape = tuple(y_pred.shape), tuple(y_true.shape)
    if not pred_shape or (pred_shape[-1] is not None and pred_shape[-1] < 2):
        raise InputError(
            "Expected predictions of shape (..., K) with K ≥ 2 classes on the last axis "
            f"({_SIGMOIDS}). "
            f"Received: y_pred of shape {pred_shape}"
        )
    rank, num_classes = len(pred_shape), pred_shape[-1]
    if len(true_shape) == rank and true_shape[-1] == 1:
        y_true, true_shape = ops.squeeze(y_true, axis=-1), true_shape[:-1]
        known = None if known is None else known[..., 0]
    is_dense = len(true_shape) == rank and true_shape[-1] in (num_classes, None)
    leading = true_shape[:-1] if is_dense else true_shape
    if rank == 1 and true_shape and not (is_dense and one_example):
        raise InputError(
            "Expected predictions of shape (..., K), a row of K classes an example "
            f"({_SIGMOIDS}). "
            f"Received: y_pred of shape {pred_shape} for y_true of shape {true_shape}"
        )
    if not (is_dense or len(true_shape) == rank - 1) or not compatible(leading, pred_shape[:-1]):
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
        _check_dense(y_true)
        return Targets(None, y_true, None, alpha=alpha)
    ids = ignored_ids(ignore_class)
    known = concrete(y_true) if known is None else known
    if known is None:
        return _read_traced(y_true, num_classes, ids)._replace(alpha=alpha)
    return _read_known(known, num_classes, ids)._replace(alpha=alpha)


def _read_known(values: np.ndarray, num_classes: int | None, ids: tuple[int, ...]) -> Targets:
    """Reads labels that can be looked at: what is wrong with them is told."""
    if values.dtype.kind not in "iu":
        whole = values.astype(np.float64)
        off = ~np.isfinite(whole) | (whole != np.round(whole))
        if off.any():
            raise InputError(
                "Expected labels that are whole numbers, or dense targets. "
                f"Received: y_true with {whole[off].flat[0]:g} among {int(off.sum())} that are not"
            )
        # 2^62 is out of every range, and so is what lies beyond.
        values = whole.clip(-(2.0**62), 2.0**62).astype(np.int64)
    valid = ~_is_one_of(values, ids)
    wrong = (values < 0) | (values >= (2**31 if num_classes is None else num_classes))
    wrong &= valid
    if wrong.any():
        raise InputError(
            f"Expected labels in [0, {num_classes})"
            + (f" or ignore_class={ids[0] if len(ids) == 1 else ids}" if ids else "")
            + f". Received: {values[wrong].flat[0]} among {int(wrong.sum())} labels out of range"
        )
    labels = ops.convert_to_tensor(np.where(valid, values, 0).astype(np.int32))
    return Targets(labels, None, ops.convert_to_tensor(valid) if ids else None)


def _is_one_of(values: np.ndarray, ids: tuple[int, ...]) -> np.ndarray:
    """Returns where integers are one of some ids, of which the dtype need not hold all."""
    limits = np.iinfo(values.dtype)
    held = [i for i in ids if limits.min <= i <= limits.max]
    return np.isin(values, np.array(held, values.dtype))


def _read_traced(labels, num_classes: int | None, ids: tuple[int, ...]) -> Targets:
    """Reads labels of a graph: what is wrong with them is marked."""
    wrong = None
    dtype = keras.backend.standardize_dtype(labels.dtype)
    if "int" not in dtype:
        if "float" in dtype:
            # A cast of NaN, or of 1e9 in float16's range of infinity, may give any class.
            whole = ops.logical_and(ops.isfinite(labels), ops.equal(labels, ops.round(labels)))
            wrong = ops.logical_not(ops.logical_and(whole, ops.abs(labels) < 2.0**31))
            labels = ops.where(wrong, ops.zeros_like(labels), labels)
        labels, dtype = ops.cast(labels, "int32"), "int32"
    elif dtype in ("int8", "uint8", "int16", "uint16"):
        labels, dtype = ops.cast(labels, "int32"), "int32"  # that holds any number of classes
    elif dtype != "int32" and keras.config.backend() == "torch":
        labels, dtype = ops.cast(labels, "int64"), "int64"  # its unsigned types compare nothing
    limits = np.iinfo(dtype)
    valid = None
    for class_id in ids:
        if limits.min <= class_id <= limits.max:
            keep = ops.not_equal(labels, ops.cast(class_id, dtype))
            valid = keep if valid is None else ops.logical_and(valid, keep)
    if ids and valid is None:
        valid = ops.ones_like(labels, dtype="bool")
    # An unknown K still has to be gathered from: no more than int32 holds.
    classes = ops.cast(limits.max if num_classes is None else num_classes, dtype)
    outside = ops.logical_or(labels < ops.zeros_like(labels), labels >= classes)
    wrong = outside if wrong is None else ops.logical_or(wrong, outside)
    if valid is not None:
        wrong = ops.logical_and(wrong, valid)
    labels = ops.where(outside, ops.zeros_like(labels), labels)
    if valid is not None:
        labels = ops.where(valid, labels, ops.zeros_like(labels))
    return Targets(ops.cast(labels, "int32"), None, valid, wrong)


def poisoned(values, targets: Targets):
    """Returns values `(...)` with NaN where a label is wrong; see `Targets`."""
    return values if targets.wrong is None else ops.where(targets.wrong, float("nan"), values)


def position_weights(values, *, valid=None, mask=None, sample_weight=None):
    """Joins ignored positions, a Keras mask and sample weights into one weight per position.

    Args:
        values: Tensor `(...)` whose shape and dtype the weights take.
        valid: Boolean tensor `(...)` or `None`.
        mask: Boolean tensor `(...)` or `None`, as Keras layers propagate it.
        sample_weight: Tensor of the shape of `values`, or of its leading axes, or `None`.

    Returns:
        A tensor of the shape of `values`, or `None` where every position weighs 1.

    Raises:
        InputError: If the shapes don't belong together or, in eager use, if a weight of a position
            that counts is negative; in a graph it becomes NaN.
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
    """Returns weights that are: told in eager use, in a graph NaN where they are negative."""
    known = concrete(weights)
    if known is None:
        return ops.where(weights < 0, float("nan"), weights)
    if (known < 0).any():
        raise InputError(
            "Expected sample weights that are finite and not negative. "
            f"Received: {known[known < 0].flat[0]}"
        )
    return weights


def read_weights(sample_weight, shape: tuple, name: str = "sample_weight"):
    """Returns sample weights as a tensor of as many axes as `shape`, of 1 where they are fewer.

    Args:
        sample_weight: Numbers of that shape or of its leading axes; a last axis of 1 more will do.
        shape: What is weighted.
        name: What the message calls them.

    Raises:
        InputError: If they don't fit.
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


def ignored_ids(ignore_class: IgnoreClass) -> tuple[int, ...]:
    """Returns `ignore_class` as a tuple of ids, empty for `None`."""
    if ignore_class is None:
        return ()
    if isinstance(ignore_class, np.ndarray):
        ignore_class = ignore_class.ravel().tolist()
    several = isinstance(ignore_class, Sequence) and not isinstance(ignore_class, str)
    ids: Any = ignore_class if several else (ignore_class,)
    if not all(isinstance(i, int | np.integer) and not isinstance(i, bool) for i in ids):
        raise InputError(
            "Expected ignore_class to be an integer, several, or None. "
            f"Received: {shown(ignore_class)}"
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


def stored_ignore_class(ignore_class: IgnoreClass) -> int | list[int] | None:
    """Returns `ignore_class` as a configuration in JSON holds it."""
    ids = plain_ignore_class(ignore_class)
    return list(ids) if isinstance(ids, tuple) else ids


def _check_dense(dense) -> None:
    # Two numbers reach the host, whatever there is of targets.
    if concrete(dense[:0]) is None or not all(dense.shape):
        return
    dense = ops.cast(dense, "float32")
    total, lowest = (float(ops.convert_to_numpy(f(dense))) for f in (ops.sum, ops.min))
    if not (np.isfinite(total) and lowest >= 0):
        raise InputError(
            "Expected dense targets that are probabilities: finite, at least 0. Received: y_true "
            f"with smallest value {lowest:g} and sum {total:g}"
        )


def compatible(left: tuple, right: tuple) -> bool:
    """Returns whether two shapes may be the same; a size of `None` is any."""
    return len(left) == len(right) and all(
        a is None or b is None or a == b for a, b in zip(left, right, strict=True)
    )
