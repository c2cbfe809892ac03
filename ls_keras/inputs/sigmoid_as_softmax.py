"""A sigmoid as a softmax over two classes: what makes one reading do for both.

THE convention of `multi_label=True`, wherever it is asked for: each entry of the last axis is a
sigmoid of its own (`(batch, 1)` is a binary model), and an example of its own. Its label is 0, 1,
or a number between. With p the probability of 1, it is a softmax over [0, z], whose probabilities
are [1 − p, p].
"""

from typing import Any, NamedTuple

import keras
import numpy as np
from keras import ops

from ls_keras.backend.exact_sum import namespace
from ls_keras.inputs.binary_targets import read_binary_targets
from ls_keras.inputs.targets import IgnoreClass, Targets
from ls_keras.inputs.weights import read_weights


class TwoClasses(NamedTuple):
    """Sigmoids `(..., K)`, read as examples of two classes.

    Attributes:
        targets: Dense ones, `(..., K, 2)`: [1 − y, y].
        y_pred: `(..., K, 2)` in float32 or float64: [0, z], or [1 − p, p].
        mask: `(..., K)`, or `None`.
    """

    targets: Targets
    y_pred: Any
    mask: Any


def as_two_classes(
    y_true, y_pred, *, from_logits: bool, ignore_class: IgnoreClass, mask=None
) -> TwoClasses:
    """Reads sigmoids and their labels.

    Args:
        y_true: See `read_binary_targets`.
        y_pred: Tensor or array `(..., K)`, which decides what comes back.
        from_logits: Whether `y_pred` are logits.
        ignore_class: A label, or several, that do not count.
        mask: Boolean `(..., K)`, or of its leading axes, or `None`.

    Raises:
        InputError: As `read_binary_targets`, and if the mask doesn't fit.
    """
    xp, dtype = namespace(y_pred), keras.backend.standardize_dtype(y_pred.dtype)
    if dtype not in ("float32", "float64"):  # 1 − p of 16 bits would be 0 for p of 1e-3
        y_pred = y_pred.astype(np.float32) if xp is np else ops.cast(y_pred, "float32")
    found = read_binary_targets(y_true, y_pred, ignore_class=ignore_class)
    other = xp.zeros_like(y_pred) if from_logits else 1 - y_pred
    if mask is not None:
        mask = read_weights(mask, tuple(y_pred.shape), "mask")
        mask = ops.broadcast_to(mask, ops.shape(y_pred))
    y = found.values
    targets = Targets(None, ops.stack([1 - y, y], axis=-1), found.valid, found.wrong)
    return TwoClasses(targets, xp.stack([other, y_pred], axis=-1), mask)
