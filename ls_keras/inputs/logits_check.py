"""Warnings about predictions that are passed as logits and are probabilities.

In eager use the values of some rows show it; in TensorFlow's compiled steps, the operation that
produced the tensor. Nothing that is computed depends on it.
"""

from collections.abc import Callable
from typing import Any

import keras
import numpy as np
from keras import ops

from ls_keras.backend.tensors import SIGMOID, SOFTMAX, find_output_activation, is_tracing
from ls_keras.backend.warnings import warn_caller

_MIN_ROWS, _MIN_SIGMOIDS = 10, 20  # fewer may look like probabilities by chance
_MAX_ROWS = 64  # that are checked


def warn_if_probabilities(y_pred, axis: int = -1, *, multi_label: bool = False) -> None:
    """Warns if predictions that `from_logits=True` declares as logits are probabilities.

    Args:
        y_pred: A tensor.
        axis: The axis of the classes.
        multi_label: Whether each entry is the output of a sigmoid.
    """
    rank = len(y_pred.shape)
    if not rank or isinstance(y_pred, keras.KerasTensor):
        return
    kind = SIGMOID if multi_label else SOFTMAX
    if axis % rank == rank - 1 and find_output_activation(y_pred)[0] == kind:
        warn(f"the output of a {kind}")
    elif is_tracing(y_pred):
        return
    elif multi_label:
        warn_of_sigmoids(np.asarray(ops.convert_to_numpy(ops.reshape(y_pred, (-1,))[:_MAX_ROWS])))
    elif rank > 1 and y_pred.shape[axis]:
        rows = ops.reshape(ops.moveaxis(y_pred, axis, -1), (-1, y_pred.shape[axis]))[:_MAX_ROWS]
        rows = np.asarray(ops.convert_to_numpy(rows)).astype(np.float64)
        with np.errstate(invalid="ignore"):  # NaN is refused elsewhere
            warn_of_distributions(rows.sum(-1), lambda: rows.min(-1))


def warn_of_sigmoids(p) -> None:
    """Warns if all logits of sigmoids lie between 0 and 1, some near either end.

    As logits they would give every label a probability between 0.5 and 0.73.

    Args:
        p: Some of them, a NumPy array.
    """
    if p.size >= _MIN_SIGMOIDS and 0 <= p.min() < 0.1 and 0.9 < p.max() <= 1:
        warn(f"{p.size} numbers between 0 and 1, as probabilities are")


def warn_of_distributions(sums, lowest: Callable[[], Any]) -> None:
    """Warns if all rows of logits are non-negative and sum to 1.

    Args:
        sums: The sum of each row, a NumPy array.
        lowest: Returns the smallest entry of each row; called only where all sums are 1.
    """
    if sums.size >= _MIN_ROWS and (abs(sums - 1) < 1e-3).all() and (lowest() >= 0).all():
        warn(f"{sums.size} rows of numbers that are not negative and sum to 1, as probabilities do")


def warn(received: str) -> None:
    """Warns that predictions are not logits, as `from_logits=True` says."""
    warn_caller(
        f"Expected logits, as from_logits=True says. Received: {received}. Was this intended?"
    )
