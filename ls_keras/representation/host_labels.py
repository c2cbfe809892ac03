"""Labels and what belongs to them as flat NumPy arrays, for statistics by class."""

import keras
import numpy as np
from keras import ops

from ls_base.errors import InputError
from ls_keras.backend.tensors import as_array, mask_of
from ls_keras.inputs.targets import IgnoreClass, read_targets
from ls_keras.inputs.validation import as_count
from ls_keras.inputs.weights import position_weights
from ls_keras.representation.template_distances import MAX_FEATURE


def read_host_labels(
    y_true, values, num_classes: int, *, mask=None, ignore_class: IgnoreClass = None
) -> tuple[np.ndarray, np.ndarray]:
    """Returns the labels `(n,)` and values `(n, F)` of the positions that count.

    Args:
        y_true: Integers `(...)` or `(..., 1)`.
        values: Tensor `(..., F)`.
        num_classes: K.
        mask: Boolean, of the shape of the labels, false where a position does not count; `None`:
            that which layers attached to `values`, if any.
        ignore_class: A label id, or several, that do not count.

    Raises:
        InputError: If labels are not integers in range, shapes don't belong together, or values
            hold NaN or infinity at a position that counts.
    """
    mask = mask_of(values) if mask is None else mask
    values = as_array(values, "values")
    num_classes = as_count(num_classes, "num_classes", 2)
    if not values.ndim:
        raise InputError("Expected values of shape (..., F). Received: a scalar")
    # Only the shape is read: K classes stand where the values have F features.
    classes = keras.KerasTensor((*values.shape[:-1], num_classes), "float32")
    targets = read_targets(y_true, classes, ignore_class=ignore_class)
    if targets.labels is None:
        raise InputError(
            f"Expected integer labels of shape {values.shape[:-1]}. "
            f"Received: dense targets of shape {tuple(targets.dense.shape)}"
        )
    labels = np.asarray(ops.convert_to_numpy(targets.labels)).ravel()
    if mask is not None:
        mask = as_array(mask, "mask")
        if mask.size != labels.size:
            raise InputError(
                f"Expected a mask of shape {values.shape[:-1]}. Received: mask of shape "
                f"{mask.shape}"
            )
    values = values.reshape(len(labels), values.shape[-1])
    weights = position_weights(
        ops.ones((len(labels),), "float32"), valid=_flat(targets.valid), mask=_flat(mask)
    )
    if weights is not None:
        counts = np.asarray(ops.convert_to_numpy(weights)) > 0
        labels, values = labels[counts], values[counts]
    if not (np.abs(values) < MAX_FEATURE).all():
        raise InputError(
            f"Expected finite values below {MAX_FEATURE:g}. "
            "Received: larger ones, NaN or infinity among them"
        )
    return labels, values


def _flat(keep):
    return None if keep is None else ops.reshape(ops.convert_to_tensor(keep), (-1,))
