"""Decomposition of losses into calibration error and refinement."""

from dataclasses import dataclass

import numpy as np

from ls_base.brief_repr import BriefRepr
from ls_base.errors import InputError
from ls_keras.backend.tensors import as_array
from ls_keras.calibration.curves.top_label_statistics import at_positions, read_groups
from ls_keras.calibration.scaling.mixed_scaling import mix_examples
from ls_keras.calibration.scaling.recalibration import (
    Scores,
    log_softmax,
    read_fit_examples,
    score,
)
from ls_keras.inputs.numpy_examples import HostExamples
from ls_keras.inputs.targets import IgnoreClass


@dataclass(frozen=True, repr=False)
class LossDecomposition(BriefRepr):
    """NLL and Brier score, each as the sum of refinement and calibration error.

    Attributes:
        nll: Mean negative log-likelihood, nats per example.
        nll_refinement: NLL after recalibration.
        nll_calibration: `nll − nll_refinement`: the part that recalibration removes.
        brier: Mean squared distance from the targets, in [0, 2].
        brier_refinement: Brier score after recalibration.
        brier_calibration: `brier − brier_refinement`.
        num_examples: Examples that counted.
    """

    nll: float
    nll_refinement: float
    nll_calibration: float
    brier: float
    brier_refinement: float
    brier_calibration: float
    num_examples: int


def loss_decomposition(
    y_true,
    y_pred,
    *,
    from_logits: bool = False,
    sample_weight=None,
    mask=None,
    ignore_class: IgnoreClass = None,
    folds=None,
) -> LossDecomposition:
    """Splits NLL and Brier score into refinement and calibration error.

        refinement = min_g loss(g(p)),    calibration error = loss(p) − refinement

    over mixed temperatures g (see `fit_mixed_temperature`), fitted to the NLL: an upper estimate of
    what the best recalibration leaves. They have too few parameters to overfit the examples that
    they are scored on. A negative calibration error with `folds` means that recalibration did harm.

    Args:
        y_true: Integer labels `(...)` or `(..., 1)`, or dense targets `(..., K)`.
        y_pred: `(..., K)`, K ≥ 2: probabilities or logits.
        from_logits: Whether `y_pred` are logits. Default: `False`, as in Keras.
        sample_weight: Weights of the shape of the labels or of their leading axes.
        mask: Boolean, of the shape of the labels; false where a position does not count.
        ignore_class: Label id, or several, whose positions do not count.
        folds: Integers of the shape of the labels or of their leading axes, such as
            `np.arange(n) % 5`: each example is scored with a fit to the other folds. `None`: fit
            and score use the same examples.

    Raises:
        InputError: As `fit_temperature`, and if all examples are in one fold.

    Example:
        Nine of ten are right at a confidence of 0.98.

        >>> import numpy as np
        >>> from ls_keras.calibration import loss_decomposition
        >>> logits = np.tile([4.0, 0.0], (1000, 1))
        >>> parts = loss_decomposition(np.arange(1000) % 10 == 9, logits, from_logits=True)
        >>> round(parts.nll_refinement, 3)  # −0.9 log 0.9 − 0.1 log 0.1: what 0.9 would cost
        0.325
        >>> round(parts.nll, 3), round(parts.nll_calibration, 3)
        (0.418, 0.093)

    References:
        Berta, Holzmüller, Jordan, Bach, *Rethinking Early Stopping: Refine, Then Calibrate*, 2025
        (arXiv 2501.19195); its package `probmetrics`. Bröcker, *Reliability, sufficiency, and the
        decomposition of proper scores*, QJRMS 135 (2009).
    """
    examples = read_fit_examples(y_true, y_pred, from_logits, sample_weight, mask, ignore_class)
    before = score(examples, log_softmax)
    if folds is None:
        after = score(examples, mix_examples(examples).log_probabilities)
    else:
        shape = as_array(y_pred, "y_pred").shape[:-1]
        ids = at_positions(read_groups(folds, "folds"), shape, "folds").reshape(-1)
        after = _cross_validate(examples, ids if examples.rows is None else ids[examples.rows])
    return LossDecomposition(
        nll=before.nll,
        nll_refinement=after.nll,
        nll_calibration=before.nll - after.nll,
        brier=before.brier,
        brier_refinement=after.brier,
        brier_calibration=before.brier - after.brier,
        num_examples=len(examples),
    )


def _cross_validate(examples: HostExamples, ids: np.ndarray) -> Scores:
    """Returns mean scores, those of each fold with a fit to the other folds."""
    names = np.unique(ids)
    if len(names) < 2:
        raise InputError(
            "Expected folds of at least two ids among the examples that count. "
            f"Received: {names[0]} for all of them"
        )
    total = np.zeros(3)
    for name in names:
        found = mix_examples(examples.chosen(ids != name))
        held_out = examples.chosen(ids == name)
        total += held_out.weights.sum() * np.array(score(held_out, found.log_probabilities))
    return Scores(*(total / examples.weights.sum()).tolist())
