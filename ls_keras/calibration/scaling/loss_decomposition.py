"""How much of a loss is calibration, and how much no recalibration takes away."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np

from ls_base.brief_repr import BriefRepr
from ls_base.errors import InputError
from ls_keras.backend.tensors import as_array
from ls_keras.calibration.curves.top_label_statistics import at_positions, read_groups
from ls_keras.calibration.scaling.classwise_scaling import fit_histogram, fit_isotonic
from ls_keras.calibration.scaling.matrix_scaling import fit_matrix_scaling
from ls_keras.calibration.scaling.mixed_temperature import fit_mixed_temperature
from ls_keras.calibration.scaling.recalibration import (
    Recalibration,
    Scores,
    score,
    tempered_log_probabilities,
)
from ls_keras.inputs.numpy_examples import (
    HostExamples,
    check_any_counts,
    read_host_examples,
    read_rows,
)
from ls_keras.inputs.targets import IgnoreClass
from ls_keras.inputs.validation import as_choice

Map = Literal["mixed temperature", "matrix", "isotonic", "histogram"]
_FITS: dict[str, Callable[..., Recalibration]] = {
    "mixed temperature": fit_mixed_temperature,
    "matrix": fit_matrix_scaling,
    "isotonic": fit_isotonic,
    "histogram": fit_histogram,
}


@dataclass(frozen=True, repr=False)
class LossParts(BriefRepr):
    """The NLL and the Brier score, each as refinement and calibration error.

    Attributes:
        nll: Mean negative log-likelihood, nats an example.
        nll_refinement: What is left of it after recalibration.
        nll_calibration: `nll − nll_refinement`: what recalibration takes away.
        brier: Mean squared distance from the targets, in [0, 2].
        brier_refinement: What is left of it after recalibration.
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


def loss_parts(
    y_true,
    y_pred,
    *,
    from_logits: bool = False,
    sample_weight=None,
    mask=None,
    ignore_class: IgnoreClass = None,
    recalibration: Map = "mixed temperature",
    folds=None,
) -> LossParts:
    """Splits NLL and Brier score into refinement and calibration error.

        refinement = min_g loss(g(p)),    calibration error = loss(p) − refinement

    over a family of maps g of the predictions: an estimate of what the best recalibration leaves,
    from above. The family is that of a fit of the NLL; both losses are scored with what it finds.
    By default g is a temperature with one example of doubt, which has too few parameters to overfit
    the examples that it is scored on. Others should be scored with `folds`; a calibration error
    below 0 says then that recalibrating did harm.

    Args:
        y_true: Integer labels `(...)` or `(..., 1)`, or dense targets `(..., K)`.
        y_pred: `(..., K)`, K ≥ 2: probabilities or logits.
        from_logits: Whether `y_pred` are logits. Default: `False`, as in Keras.
        sample_weight: Weights of the shape of the labels, or of their leading axes.
        mask: Boolean, of the shape of the labels, false where a position does not count.
        ignore_class: A label id, or several, that do not count.
        recalibration: `"mixed temperature"`, `"matrix"`, `"isotonic"` or `"histogram"`, see
            `fit_mixed_temperature`, `fit_matrix_scaling`, `fit_isotonic`, `fit_histogram`.
        folds: Integers of the shape of the labels or of their leading axes, such as
            `np.arange(n) % 5`: each example is scored by a fit to those of the other folds.
            `None`: fitted and scored on the same.

    Raises:
        InputError: As `fit_temperature`, and if all examples are of one fold.
        MissingExtraError: If scikit-learn is needed and not installed.

    Example:
        Nine of ten are right at a confidence of 0.98.

        >>> import numpy as np
        >>> from ls_keras.calibration import loss_parts
        >>> logits = np.tile([4.0, 0.0], (1000, 1))
        >>> parts = loss_parts(np.arange(1000) % 10 == 9, logits, from_logits=True)
        >>> round(parts.nll_refinement, 3)  # −0.9 log 0.9 − 0.1 log 0.1: what 0.9 would cost
        0.325
        >>> round(parts.nll, 3), round(parts.nll_calibration, 3)
        (0.418, 0.093)

    References:
        Berta, Holzmüller, Jordan, Bach, *Rethinking Early Stopping: Refine, Then Calibrate*, 2025
        (arXiv 2501.19195); its package `probmetrics`. Bröcker, *Reliability, sufficiency, and the
        decomposition of proper scores*, QJRMS 135 (2009).
    """
    fit = _FITS[as_choice(recalibration, "recalibration", tuple(_FITS))]
    examples = read_host_examples(
        y_true,
        y_pred,
        from_logits=from_logits,
        sample_weight=sample_weight,
        mask=mask,
        ignore_class=ignore_class,
    )
    check_any_counts(examples)
    before = score(examples, tempered_log_probabilities)
    if folds is None:
        after = score(examples, _fitted(fit, examples).log_probabilities)
    else:
        shape = as_array(y_pred, "y_pred").shape[:-1]
        ids = at_positions(read_groups(folds, "folds"), shape, "folds").reshape(-1)
        after = _cross_fitted(fit, examples, ids if examples.rows is None else ids[examples.rows])
    return LossParts(
        nll=before.nll,
        nll_refinement=after.nll,
        nll_calibration=before.nll - after.nll,
        brier=before.brier,
        brier_refinement=after.brier,
        brier_calibration=before.brier - after.brier,
        num_examples=len(examples),
    )


def _cross_fitted(fit, examples: HostExamples, ids: np.ndarray) -> Scores:
    """Returns the scores of each example by a fit to the other folds'."""
    names = np.unique(ids)
    if len(names) < 2:
        raise InputError(
            "Expected folds of at least two ids among the examples that count. "
            f"Received: {names[0]} for all of them"
        )
    total = np.zeros(3)
    for name in names:
        found = _fitted(fit, examples.chosen(ids != name))
        held_out = examples.chosen(ids == name)
        total += held_out.weights.sum() * np.array(score(held_out, found.log_probabilities))
    return Scores(*(total / examples.weights.sum()).tolist())


def _fitted(fit: Callable[..., Recalibration], examples: HostExamples) -> Recalibration:
    at = slice(None)
    if examples.labels is not None:
        y_true = examples.labels
    else:
        y_true = read_rows(examples.dense, examples.rows, at)  # type: ignore[arg-type]
    return fit(
        y_true,
        read_rows(examples.logits, examples.rows, at),
        from_logits=True,
        sample_weight=examples.weights,
    )
