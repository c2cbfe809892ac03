"""Reads the labels of sigmoids, and sigmoids as a softmax over two classes.

This is the meaning of `multi_label=True`: each entry of the last axis is a sigmoid and an example
of its own (`(batch, 1)` is a binary model), with a label in [0, 1]. A sigmoid with probability p of
label 1 is a softmax over the logits [0, z], with the probabilities [1 − p, p].

As in `ls_keras.inputs.targets`, wrong values raise an error in eager use and make the result NaN in
a compiled step.
"""

from typing import Any, NamedTuple

import keras
import numpy as np
from keras import ops

from ls_base.errors import InputError
from ls_keras.backend.exact_sum import namespace
from ls_keras.backend.tensors import as_tensor, to_numpy_or_none
from ls_keras.backend.warnings import warn_in_graph
from ls_keras.inputs.targets import IgnoreClass, Targets, compatible, ignored_ids
from ls_keras.inputs.weights import read_weights

_TOLERANCE = 1e-5  # by which rounding may move a soft target outside [0, 1]


class BinaryTargets(NamedTuple):
    """Labels of sigmoids: tensors of the predictions' shape `(..., K)`.

    Attributes:
        values: In [0, 1], 0 where ignored or wrong; float32, or float64 if the predictions (or,
            with an array of predictions, the labels) are.
        valid: Boolean, false where a label is ignored; `None` if none is.
        wrong: Boolean, true where a label is outside [0, 1] and not ignored; `None` if the values
            were checked.
    """

    values: Any
    valid: Any
    wrong: Any


def read_binary_targets(
    y_true, y_pred, *, ignore_class: IgnoreClass = None, warn: bool = False
) -> BinaryTargets:
    """Reads the label of each sigmoid.

    Args:
        y_true: Integers, Booleans or floats in [0, 1], of the shape of the predictions, except that
            a last axis of size 1 may be missing or doubled.
        y_pred: Tensor or array `(..., K)`, K ≥ 1; only its shape and dtype are used.
        ignore_class: A label, or several, that do not count.
        warn: Whether a compiled step of TensorFlow warns of labels out of range.

    Raises:
        InputError: If the shapes don't fit or, in eager use, if a label is outside [0, 1] and not
            ignored.
    """
    y_true = as_tensor(y_true, "y_true")
    shape, labels = tuple(y_pred.shape), tuple(y_true.shape)
    if len(labels) == len(shape) - 1 and shape[-1] == 1:
        y_true = ops.expand_dims(y_true, axis=-1)
    elif len(labels) == len(shape) + 1 and labels[-1] == 1:
        y_true = ops.squeeze(y_true, axis=-1)
    if not shape or not compatible(tuple(y_true.shape), shape):
        raise InputError(
            f"Expected a label for each sigmoid, y_true of the shape of y_pred, {shape}. "
            f"Received: y_true of shape {labels}"
        )
    # With arrays, labels keep float64, which JAX would round with a warning.
    given = y_true.dtype if isinstance(y_pred, np.ndarray) else y_pred.dtype
    given = keras.backend.standardize_dtype(given)
    y = ops.cast(y_true, keras.backend.result_type(given, "float32"))
    valid = None
    for class_id in ignored_ids(ignore_class):
        # Larger ids are infinite in float32; no label is.
        keep = ops.not_equal(y, float(max(min(class_id, 2**127), -(2**127))))
        valid = keep if valid is None else ops.logical_and(valid, keep)
    inside = ops.logical_and(y >= -_TOLERANCE, y <= 1 + _TOLERANCE)  # nor is NaN
    right = inside if valid is None else ops.logical_or(inside, ops.logical_not(valid))
    values = ops.where(inside if valid is None else ops.logical_and(inside, valid), y, 0.0)
    all_right = to_numpy_or_none(ops.all(right))
    if all_right is None:
        wrong = ops.logical_not(right)
        if warn:
            warn_in_graph(wrong, lambda wrong, y: _out_of_range(y[wrong], ignore_class), y)
        return BinaryTargets(values, valid, wrong)
    if not all_right:
        wrong = ~ops.convert_to_numpy(right)
        raise InputError(_out_of_range(ops.convert_to_numpy(y)[wrong], ignore_class))
    return BinaryTargets(values, valid, None)


def _out_of_range(wrong: np.ndarray, ignore_class: IgnoreClass) -> str:
    ids = "" if ignore_class is None else f" or ignore_class={ignore_class}"
    return (
        f"Expected labels in [0, 1]{ids}, one for each sigmoid. "
        f"Received: {wrong.flat[0]:g} among {wrong.size} labels outside"
    )


class TwoClasses(NamedTuple):
    """Sigmoids `(..., K)` as examples of two classes.

    Attributes:
        targets: Dense targets `(..., K, 2)`: [1 − y, y].
        y_pred: `(..., K, 2)` in float32 or float64: [0, z], or [1 − p, p].
        mask: `(..., K)`, or `None`.
    """

    targets: Targets
    y_pred: Any
    mask: Any


def as_two_classes(
    y_true, y_pred, *, from_logits: bool, ignore_class: IgnoreClass, mask=None
) -> TwoClasses:
    """Reads sigmoids and their labels as two classes.

    Args:
        y_true: See `read_binary_targets`.
        y_pred: Tensor or array `(..., K)`; the result is of the same kind.
        from_logits: Whether `y_pred` are logits.
        ignore_class: A label, or several, that do not count.
        mask: Boolean `(..., K)`, or of its leading axes, or `None`.

    Raises:
        InputError: As `read_binary_targets`, and if the mask doesn't fit.
    """
    xp, dtype = namespace(y_pred), keras.backend.standardize_dtype(y_pred.dtype)
    if dtype not in ("float32", "float64"):  # 1 − p would be 1 in 16 bits for a p of 1e-3
        y_pred = y_pred.astype(np.float32) if xp is np else ops.cast(y_pred, "float32")
    found = read_binary_targets(y_true, y_pred, ignore_class=ignore_class)
    other = xp.zeros_like(y_pred) if from_logits else 1 - y_pred
    if mask is not None:
        mask = read_weights(mask, tuple(y_pred.shape), "mask")
        mask = ops.broadcast_to(mask, ops.shape(y_pred))
    y = found.values
    targets = Targets(None, ops.stack([1 - y, y], axis=-1), found.valid, found.wrong)
    return TwoClasses(targets, xp.stack([other, y_pred], axis=-1), mask)
