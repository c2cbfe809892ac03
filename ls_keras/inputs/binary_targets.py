"""One reading of `y_true` for outputs that are a sigmoid each: yes, no, or something between.

As in `ls_keras.inputs.targets`, wrong values raise an error in eager use and make the result
NaN in a compiled step.
"""

from typing import Any, NamedTuple

import keras
import numpy as np
from keras import ops

from ls_base.errors import InputError
from ls_keras.backend.tensors import as_tensor, to_numpy_or_none
from ls_keras.backend.warnings import warn_in_graph
from ls_keras.inputs.targets import IgnoreClass, compatible, ignored_ids

_ROUNDING = 1e-5  # how far a soft target may lie outside [0, 1]


class BinaryTargets(NamedTuple):
    """`y_true`, read: tensors of the predictions' shape `(..., K)`.

    Attributes:
        values: float32 (float64 for such predictions, or for such labels of an array of them) in
            [0, 1]; 0 where ignored or wrong.
        valid: Boolean, false where a label is ignored; `None` where nothing is.
        wrong: Boolean, true where a label is outside [0, 1] and not ignored; `None` where the
            labels have been looked at.
    """

    values: Any
    valid: Any
    wrong: Any


def read_binary_targets(
    y_true, y_pred, *, ignore_class: IgnoreClass = None, warn: bool = False
) -> BinaryTargets:
    """Reads the label of each sigmoid.

    Args:
        y_true: Integers, Booleans or floats in [0, 1], of the shape of the predictions; without
            their last axis where that is of 1, or with another of 1.
        y_pred: Tensor or array `(..., K)`, K ≥ 1, whose shape and dtype are read.
        ignore_class: A label, or several, that do not count.
        warn: Whether a compiled step of TensorFlow warns of labels out of range.

    Raises:
        InputError: If the shapes don't belong together or, in eager use, if a label is outside
            [0, 1] and not ignored.
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
    # Of arrays, which JAX would cut to 32 bits with a warning, labels keep what digits they have.
    given = y_true.dtype if isinstance(y_pred, np.ndarray) else y_pred.dtype
    given = keras.backend.standardize_dtype(given)
    y = ops.cast(y_true, keras.backend.result_type(given, "float32"))
    valid = None
    for class_id in ignored_ids(ignore_class):
        # Beyond that no float32 is finite, and no label either.
        keep = ops.not_equal(y, float(max(min(class_id, 2**127), -(2**127))))
        valid = keep if valid is None else ops.logical_and(valid, keep)
    inside = ops.logical_and(y >= -_ROUNDING, y <= 1 + _ROUNDING)  # nor is NaN
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
