"""Tensors that are said to be logits, and are not: told, where it can be seen.

In eager use the values of a few rows show it, in a compiled step the graph (`traced_graphs`).
Nothing that is computed depends on it. What can't be known: of values in a compiled step, whatever
made them otherwise, and of few rows, or of sigmoids' probabilities that are all in the middle.
"""

from collections.abc import Callable
from typing import Any

import keras
import numpy as np
from keras import ops

from ls_keras.backend.graph_inspection import SIGMOID, SOFTMAX, made_by, primal
from ls_keras.backend.keras_internals import logits_before_sigmoid, logits_before_softmax
from ls_keras.backend.tracing import being_traced, warn_caller

_FEWEST_ROWS, _FEWEST_SHARES = 10, 20  # that are no chance
_ROWS = 64  # that are looked at


class Glances:
    """How often values may still be looked at: the first steps of a loss tell what its model gives.

    A look copies a few numbers to the host, and waits for them: 0.1 ms, which is nothing once and
    something in every step.

    Attributes:
        left: How often.
    """

    def __init__(self, left: int = 3):
        self.left = left


def recovered_logits(
    y_pred,
    from_logits: bool,
    axis: int = -1,
    *,
    multi_label: bool = False,
    glances: Glances | None = None,
) -> tuple[Any, bool]:
    """Finds the logits that a softmax output came from, where Keras or the backend kept them.

    Args:
        y_pred: A tensor.
        from_logits: What it is said to be.
        axis: Of the classes.
        multi_label: Whether it is the output of sigmoids, which have no axis.
        glances: Whether values may be looked at, where there are some, and how often; `None`: not.

    Returns:
        Logits, and true; or what came in.

    Warns:
        UserWarning: If it is said to be logits, and isn't.
    """
    scalar_or_symbolic = not len(y_pred.shape) or isinstance(y_pred, keras.KerasTensor)
    if scalar_or_symbolic:
        return y_pred, from_logits
    logits = logits_before_sigmoid(y_pred) if multi_label else logits_before_softmax(y_pred, axis)
    kind = SIGMOID if multi_label else SOFTMAX
    if from_logits and logits is not None:
        warn(f"the output of a {kind}")
    elif from_logits:
        traced = being_traced(primal(y_pred))
        if (traced or glances is None or glances.left) and made_by(y_pred, axis) == kind:
            warn(f"the output of a {kind}")
        elif not traced and glances is not None and glances.left:
            glances.left -= 1
            _warn_of_values(primal(y_pred), axis, multi_label)
    return (y_pred, from_logits) if logits is None else (logits, True)


def warn_of_shares(p) -> None:
    """Warns if what is said to be logits of sigmoids are their probabilities, without exception.

    Logits that are all between 0 and 1, some near either end, are those of no useful model: it
    would give every label a probability between 0.5 and 0.73.

    Args:
        p: The first of them, a NumPy array.
    """
    if p.size >= _FEWEST_SHARES and 0 <= p.min() < 0.1 and 0.9 < p.max() <= 1:
        warn(f"{p.size} numbers between 0 and 1, as probabilities are")


def _warn_of_values(y_pred, axis: int, multi_label: bool) -> None:
    """Looks at the first rows, in eager use: one copy of a few numbers to the host."""
    if multi_label:
        warn_of_shares(np.asarray(ops.convert_to_numpy(ops.reshape(y_pred, (-1,))[:_ROWS])))
    elif len(y_pred.shape) > 1 and y_pred.shape[axis]:
        y_pred = y_pred if axis in (-1, len(y_pred.shape) - 1) else ops.moveaxis(y_pred, axis, -1)
        first = ops.reshape(y_pred, (-1, y_pred.shape[-1]))[:_ROWS]
        first = np.asarray(ops.convert_to_numpy(first)).astype(np.float64)
        with np.errstate(invalid="ignore"):  # what is no number is refused elsewhere
            warn_of_distributions(first.sum(-1), lambda: first.min(-1))


def warn_of_distributions(sums, lowest: Callable[[], Any]) -> None:
    """Warns if what is said to be logits are probabilities, each row without exception.

    Nothing is read otherwise for it. Of few rows it may be chance, or an example made by hand.

    Args:
        sums: The sum of each row, a NumPy array.
        lowest: Gives the smallest entry of each row; asked for only where all sums are 1.
    """
    if sums.size >= _FEWEST_ROWS and (abs(sums - 1) < 1e-3).all() and (lowest() >= 0).all():
        warn(f"{sums.size} rows of numbers that are not negative and sum to 1, as probabilities do")


def warn(received: str) -> None:
    """Warns that something else than logits came, as `from_logits=True` has it."""
    warn_caller(
        f"Expected logits, as from_logits=True says. Received: {received}. Was this intended?"
    )
