"""Reads `y_true` for every loss and metric: integer or dense targets, ignored classes, alpha.

Labels stay integers. Keras casts `y_true` to the dtype of a loss, which corrupts ids above 256 in
bfloat16, above 2,048 in float16 and above 2^24 in float32.

In eager use, wrong values raise an `InputError`. A compiled step can't raise: there they make the
result NaN on every backend.
"""

import contextlib
import numbers
from collections.abc import Sequence
from typing import Any, NamedTuple

import keras
import numpy as np
from keras import ops

from ls_keras.backend.autograph import no_autograph
from ls_keras.backend.tensors import as_array, as_tensor, to_numpy_or_none
from ls_keras.backend.warnings import warn_in_graph
from ls_keras.errors import InputError, shown
from ls_keras.inputs.validation import INT32

IgnoreClass = int | Sequence[int] | None
_SIGMOIDS = (
    "of sigmoids: `multi_label=True` of metrics and fits, the loss SmoothedBCE, or columns 1 − p, p"
)


class Targets(NamedTuple):
    """Targets, read from `y_true`; either `labels` or `dense` is set.

    Attributes:
        labels: int32 tensor `(...)`; ignored and wrong positions hold 0, so that a gather stays
            in range.
        dense: Tensor `(..., K)` of target probabilities, in its own dtype.
        valid: Boolean tensor `(...)`, false at ignored positions; `None` where nothing is ignored.
            Dense targets have it only if they were made from the labels of sigmoids.
        wrong: Boolean tensor `(...)`, true at labels out of range that are not ignored; `None`
            where the values were checked. Dense targets as for `valid`.
        alpha: float32 tensor `(...)` that `with_alpha` packed with the targets, or `None`.
    """

    labels: Any
    dense: Any
    valid: Any
    wrong: Any = None
    alpha: Any = None


def read_targets(
    y_true,
    y_pred,
    *,
    ignore_class: IgnoreClass = None,
    one_example: bool = False,
    warn: bool = False,
) -> Targets:
    """Reads integer or dense targets, which differ in rank as in Keras.

    Args:
        y_true: Integers `(...)` or `(..., 1)`, or dense targets `(..., K)`.
        y_pred: Tensor `(..., K)`, K ≥ 2: the classes are its last axis.
        ignore_class: A label id, or several, whose positions do not count. Ids may lie outside
            `[0, K)`, and outside of what the labels' dtype holds. Integer targets only.
        one_example: Whether a dense target `(K,)` is accepted as one example; by default it is
            refused, since N predictions of one number each have the same shape.
        warn: Whether a compiled step of TensorFlow warns of labels out of range.

    Raises:
        InputError: If the shapes don't fit, if K < 2, if `ignore_class` comes with dense targets
            or, in eager use, if a label is not an integer in `[0, K)`, or a dense target holds a
            number that is negative, NaN or infinite.
    """
    y_true, alpha = _unpack_alpha(y_true, y_pred)
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
    known = to_numpy_or_none(y_true) if known is None else known
    if known is None:
        targets = _read_traced(y_true, num_classes, ids)._replace(alpha=alpha)
        if warn:
            warn_in_graph(
                targets.wrong,
                lambda wrong, labels: _out_of_range(labels[wrong], num_classes, ids),
                y_true,
            )
        return targets
    return _read_known(known, num_classes, ids)._replace(alpha=alpha)


def _read_known(values: np.ndarray, num_classes: int | None, ids: tuple[int, ...]) -> Targets:
    """Reads labels in eager use; raises if any is out of range."""
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
    limits = np.iinfo(values.dtype)
    held = [i for i in ids if limits.min <= i <= limits.max]  # ids may exceed the dtype
    valid = ~np.isin(values, np.array(held, values.dtype))
    wrong = (values < 0) | (values >= (2**31 if num_classes is None else num_classes))
    wrong &= valid
    if wrong.any():
        raise InputError(_out_of_range(values[wrong], num_classes, ids))
    labels = ops.convert_to_tensor(np.where(valid, values, 0).astype(np.int32))
    return Targets(labels, None, ops.convert_to_tensor(valid) if ids else None)


def _out_of_range(wrong: np.ndarray, num_classes: int | None, ids: tuple[int, ...]) -> str:
    ignored = f" or ignore_class={ids[0] if len(ids) == 1 else ids}" if ids else ""
    return (
        f"Expected labels in [0, {num_classes}){ignored}, as the predictions have {num_classes} "
        f"classes. Received: {wrong.flat[0]} among {wrong.size} labels out of range"
    )


def _read_traced(labels, num_classes: int | None, ids: tuple[int, ...]) -> Targets:
    """Reads labels in a graph; marks those out of range."""
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
        labels, dtype = ops.cast(labels, "int32"), "int32"  # wide enough for K
    elif dtype != "int32" and keras.config.backend() == "torch":
        labels, dtype = ops.cast(labels, "int64"), "int64"  # can't compare unsigned ones
    limits = np.iinfo(dtype)
    valid = None
    for class_id in ids:
        if limits.min <= class_id <= limits.max:
            keep = ops.not_equal(labels, ops.cast(class_id, dtype))
            valid = keep if valid is None else ops.logical_and(valid, keep)
    if ids and valid is None:
        valid = ops.ones_like(labels, dtype="bool")
    # With an unknown K, a gather still needs int32.
    classes = ops.cast(limits.max if num_classes is None else num_classes, dtype)
    outside = ops.logical_or(labels < ops.zeros_like(labels), labels >= classes)
    wrong = outside if wrong is None else ops.logical_or(wrong, outside)
    if valid is not None:
        wrong = ops.logical_and(wrong, valid)
    labels = ops.where(outside, ops.zeros_like(labels), labels)
    if valid is not None:
        labels = ops.where(valid, labels, ops.zeros_like(labels))
    return Targets(ops.cast(labels, "int32"), None, valid, wrong)


def nan_where_invalid(values, targets: Targets):
    """Returns values `(...)` with NaN where a label is out of range."""
    return values if targets.wrong is None else ops.where(targets.wrong, float("nan"), values)


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
    """Returns `ignore_class` with Python's integers instead of NumPy's, for JSON.

    Raises:
        InputError: If it contains anything but integers.
    """
    ids = ignored_ids(ignore_class)
    if ignore_class is None:
        return None
    if isinstance(ignore_class, numbers.Integral):
        return ids[0]
    return list(ids) if isinstance(ignore_class, list) else ids


def stored_ignore_class(ignore_class: IgnoreClass) -> int | list[int] | None:
    """Returns `ignore_class` as a JSON configuration stores it."""
    ids = plain_ignore_class(ignore_class)
    return list(ids) if isinstance(ids, tuple) else ids


def _check_dense(dense) -> None:
    # Only two numbers are copied to the host.
    if to_numpy_or_none(dense[:0]) is None or not all(dense.shape):
        return
    dense = ops.cast(dense, "float32")
    total, lowest = (float(ops.convert_to_numpy(f(dense))) for f in (ops.sum, ops.min))
    if not (np.isfinite(total) and lowest >= 0):
        raise InputError(
            "Expected dense targets that are probabilities: finite, at least 0. Received: y_true "
            f"with smallest value {lowest:g} and sum {total:g}"
        )


def compatible(left: tuple, right: tuple) -> bool:
    """Returns whether two shapes may be equal; `None` matches any size."""
    return len(left) == len(right) and all(
        a is None or b is None or a == b for a, b in zip(left, right, strict=True)
    )


@no_autograph
def with_alpha(y_true, alpha):
    """Packs targets and an α for each of them into one `y_true`, as Keras takes one per output.

    For losses with `alpha="per-example"` (also `rate` and `beta`), in `fit` with arrays, `tf.data`
    or a `PyDataset`, and wherever losses of this library are called. Metrics of this library read
    the labels only; other metrics, and `class_weight` of `fit`, can't read such targets.

    - Integer labels `(...)` become int32 `(..., 1, 2)`: the label, and the bits of α in float32.
    - Dense targets `(..., K)` of a floating dtype become `(..., 2, K)`: the targets, and α,
      repeated for each class.

    Labels stay integers and α float32, both exact at any precision of training, and the shape,
    which has one more axis than other targets, identifies them.

    Args:
        y_true: Labels or dense targets, the classes on the last axis. Integers are always labels;
            pass one-hot targets as floats.
        alpha: Numbers `(...)` as the examples, or of their leading axes: for sentences, `(batch,)`
            is one α for all words of a sentence. The loss defines their range.

    Returns:
        A NumPy array for arrays, a tensor for tensors of the backend.

    Raises:
        InputError: If the shapes don't fit, or if a label exceeds int32.

    Example:
    ```python
    >>> import numpy as np
    >>> import ls_keras
    >>> y_true = ls_keras.losses.with_alpha(np.array([0, 1]), np.array([0.1, 0.0]))
    >>> y_true.shape, y_true.dtype
    ((2, 1, 2), dtype('int32'))
    >>> loss = ls_keras.SmoothedCE("per-example", from_logits=True, reduction=None)
    >>> [round(float(x), 4) for x in loss(y_true, [[2.0, 0.0], [2.0, 0.0]])]
    [0.2269, 2.1269]

    ```
    """
    host = not any(ops.is_tensor(value) for value in (y_true, alpha))
    labels, alpha = as_tensor(y_true, "y_true"), as_tensor(alpha, "alpha")
    whole = "int" in keras.backend.standardize_dtype(labels.dtype)
    known = np.asarray(y_true) if host else to_numpy_or_none(labels)  # 64 bits, which JAX would cut
    if whole and known is not None and (abs(known.astype(np.float64)) > INT32).any():
        raise InputError(f"Expected labels within ±{INT32:,}. Received: {shown(known)} beyond")
    shape = tuple(labels.shape) if whole else tuple(labels.shape)[:-1]
    rank = len(alpha.shape)
    if (
        (not whole and not (len(labels.shape) and labels.shape[-1]))
        or rank > len(shape)
        or tuple(alpha.shape) != shape[:rank]
    ):
        raise InputError(
            f"Expected an alpha for each of the targets, of shape {shape} or of its leading axes. "
            f"Received: alpha of shape {tuple(alpha.shape)}"
        )
    alpha = ops.cast(alpha, "float32" if whole else labels.dtype)
    for _ in shape[rank:]:
        alpha = alpha[..., None]
    ones = ops.ones_like(labels if whole else labels[..., 0], dtype=alpha.dtype)
    alpha = (alpha * ones)[..., None]
    if whole:
        pair = [ops.cast(labels, "int32")[..., None], ops.view(alpha, "int32")]
        packed = ops.concatenate(pair, axis=-1)[..., None, :]
    else:
        packed = ops.stack([labels, alpha * ops.ones_like(labels)], axis=-2)
    return ops.convert_to_numpy(packed) if host else packed


def _unpack_alpha(y_true, y_pred):
    """Returns targets, and the α that `with_alpha` packed with them, a tensor `(...)`, or `None`.

    Args:
        y_true: The argument of any loss or metric.
        y_pred: Tensor `(..., K)`.
    """
    shape, rank = getattr(y_true, "shape", None), len(y_pred.shape)
    if shape is None or not rank:
        return y_true, None
    shape, dtype = tuple(shape), getattr(y_true.dtype, "name", str(y_true.dtype))
    whole = dtype in ("int32", "torch.int32")
    if len(shape) == rank + 2 and shape[-3:] == (1, 1, 2) and whole:  # labels `(..., 1)`
        y_true, shape = y_true[..., 0, :, :], shape[:-3] + shape[-2:]
    if len(shape) == rank + 1 and shape[-2:] == (1, 2) and whole:
        # View first, then index: TensorFlow needs a known last axis.
        return y_true[..., 0, 0], ops.view(as_tensor(y_true, "y_true"), "float32")[..., 0, 1]
    if len(shape) == rank + 1 and shape[-2:] == (2, y_pred.shape[-1]) and "float" in dtype:
        return y_true[..., 0, :], ops.cast(as_tensor(y_true, "y_true")[..., 1, 0], "float32")
    return y_true, None
