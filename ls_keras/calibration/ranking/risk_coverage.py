"""Ranking of errors by confidence: risk against coverage, and the AUROC of confidence."""

import dataclasses
from typing import NamedTuple

import numpy as np

from ls_base.brief_repr import BriefRepr
from ls_base.errors import InputError
from ls_keras.backend.tensors import as_array
from ls_keras.inputs.validation import as_number


@dataclasses.dataclass(frozen=True, repr=False)
class RiskCoverage(BriefRepr):
    """Error rate of the most confident predictions, for each number of them.

    Attributes:
        risk: float64 `(n,)`: the error rate of the i + 1 most confident.
        aurc: Area under the risk, (1/n) Σ_i risk_i: lower is better.
        excess: E-AURC: `aurc` minus that of the same errors, all ranked last.
        coverage: float64 `(n,)`: the share of predictions (or of their weight) kept, (i + 1)/n.
        best: float64 `(n,)`: the risk with the same errors, all ranked last.
    """

    risk: np.ndarray
    aurc: float
    excess: float
    coverage: np.ndarray
    best: np.ndarray

    def risk_at(self, coverage: float) -> float:
        """Returns the error rate of the most confident predictions at a coverage.

        Args:
            coverage: Least share of predictions to keep, above 0 and at most 1.

        Raises:
            InputError: If the coverage is out of range.
        """
        coverage = as_number(coverage, "coverage", low=0, high=1, above=True)
        at = np.searchsorted(self.coverage, coverage * (1 - 1e-12))  # 0.3 · 10 is 3, not 4
        return float(self.risk[min(int(at), len(self.risk) - 1)])


def risk_coverage(correct, confidence, *, sample_weight=None) -> RiskCoverage:
    """Returns the error rate of the most confident predictions at each coverage.

    For predictions with equal confidence, the risk is the mean over all their orders, so it does
    not depend on the order of the examples.

    With weights, coverage and risk are shares of the weight, and AURC is Σ_i w_i risk_i / Σ_i w_i;
    errors of one confidence are spread evenly over its weight, lightest example first.

    Exact, in float64. An area under a ranking is not a sum over batches: keep `correct` and
    `confidence` of all batches, 5 bytes per prediction.

    Args:
        correct: `(n,)`: whether each prediction is right, 0 or 1.
        confidence: `(n,)`: any numbers that rank predictions, largest for the most confident.
        sample_weight: `(n,)`, above 0, or `None`.

    Raises:
        InputError: If the shapes differ, there is no example, or a value is out of range.

    References:
        Geifman, El-Yaniv (2017), arXiv 1705.08500; of E-AURC, Geifman et al. (2019), arXiv
        1805.08206.

    Example:
        >>> from ls_keras.calibration import risk_coverage
        >>> curve = risk_coverage([1, 1, 0, 1], [0.9, 0.8, 0.7, 0.6])
        >>> curve.risk.round(3).tolist(), round(curve.aurc, 3), curve.risk_at(0.5)
        ([0.0, 0.0, 0.333, 0.25], 0.146, 0.0)
    """
    ranked = rank(correct, confidence, sample_weight)
    sizes, weights = ranked.errors + ranked.right, ranked.weights
    total, right = sizes.sum(), ranked.right.sum()
    if weights is None:
        kept = np.arange(1, total + 1)
        weights = np.ones(len(kept))
    else:
        weights = weights[np.lexsort((weights, ranked.group))]
        kept = np.cumsum(weights)
    # Errors among the first i, linear within a group of ties: the mean over its orders.
    edges = np.concatenate([[0], np.cumsum(sizes)])
    wrong = np.interp(kept, edges, np.concatenate([[0], np.cumsum(ranked.errors)]))
    best = np.maximum(0, kept - right) / kept
    risk = wrong / kept
    aurc = float(weights @ risk / total)
    return RiskCoverage(risk, aurc, aurc - float(weights @ best / total), kept / total, best)


def confidence_auroc(correct, confidence) -> float:
    """Returns the AUROC of confidence: how often correct predictions are more confident.

    This is the probability that a correct prediction has a larger confidence than a wrong one; ties
    count half.

    Args:
        correct: `(n,)`: whether each prediction is right, 0 or 1.
        confidence: `(n,)`: any numbers, largest for the most confident.

    Returns:
        A number from 0 to 1; NaN if all predictions are right, or all wrong.

    Raises:
        InputError: As `risk_coverage`.

    Example:
        >>> from ls_keras.calibration import confidence_auroc
        >>> confidence_auroc([1, 1, 0, 1], [0.9, 0.7, 0.7, 0.6])
        0.5
    """
    ranked = rank(correct, confidence)
    pairs = float(ranked.right.sum()) * float(ranked.errors.sum())
    if not pairs:
        return float("nan")
    surer = np.cumsum(ranked.right) - ranked.right
    return float(np.sum(ranked.errors * (surer + ranked.right / 2)) / pairs)


def logit_norm_confidence(logits, p: float) -> np.ndarray:
    """Returns a confidence that ranks better than the softmax after label smoothing.

    It is max_k (z_k − z̄) / ‖z − z̄‖_p, z̄ the mean of an example's logits, in float64 and rounded to
    12 digits, so that rounding errors do not rank (with p = 1, it is 1/2 for all examples with only
    one logit above the mean). If all logits are equal, it is 0.

    Args:
        logits: `(..., K)`.
        p: Order of the norm, at least 1; choose it on validation data.

    Returns:
        float64 `(...)`.

    Raises:
        InputError: If p is below 1, or logits are not finite or have no class.

    References:
        Cattelan, Silva (2024), arXiv 2305.15508; Xia et al. (2025), arXiv 2403.14715.

    Example:
        >>> from ls_keras.calibration import logit_norm_confidence
        >>> logit_norm_confidence([[3.0, 0.0, 0.0], [1.0, 1.0, 1.0]], p=2).round(3)
        array([0.816, 0.   ])
    """
    p = as_number(p, "p", low=1)
    z = as_array(logits, "logits").astype(np.float64)
    if not z.ndim or not z.shape[-1] or not np.isfinite(z).all():
        raise InputError(
            "Expected finite logits (..., K), K of at least 1. "
            f"Received: logits of shape {z.shape}, finite or not"
        )
    z = z - z.mean(-1, keepdims=True)
    largest = np.abs(z).max(-1, keepdims=True)
    scaled = np.divide(z, largest, out=np.zeros_like(z), where=largest > 0)  # |z|^p overflows
    norm = np.linalg.norm(scaled, ord=p, axis=-1)
    found = np.divide(scaled.max(-1), norm, out=np.zeros_like(norm), where=norm > 0)
    return np.round(found, 12)


class Ranked(NamedTuple):
    """Weight of right and wrong predictions for each confidence, in descending order.

    Attributes:
        right: `(groups,)`: weight of right predictions.
        errors: `(groups,)`: weight of wrong predictions.
        group: `(n,)`: group of each prediction.
        weights: float64 `(n,)`, or `None`: 1 each.
    """

    right: np.ndarray
    errors: np.ndarray
    group: np.ndarray
    weights: np.ndarray | None


def rank(correct, confidence, sample_weight=None) -> Ranked:
    """Reads, checks and ranks predictions; takes the arguments of `risk_coverage`."""
    correct = as_array(correct, "correct")
    confidence = as_array(confidence, "confidence").astype(np.float64)
    if correct.shape != confidence.shape or correct.ndim != 1 or not len(correct):
        raise InputError(
            "Expected correct and confidence of one shape (n,), n ≥ 1. "
            f"Received: {correct.shape} and {confidence.shape}"
        )
    if not (np.isin(correct, (0, 1)) & np.isfinite(confidence)).all():
        raise InputError(
            "Expected correct to be 0 or 1, and confidence to be finite. Received: other values"
        )
    weights = None
    if sample_weight is not None:
        weights = as_array(sample_weight, "sample_weight").astype(np.float64)
        if weights.shape != correct.shape or not (np.isfinite(weights) & (weights > 0)).all():
            raise InputError(
                f"Expected sample_weight of shape {correct.shape}, finite and above 0. Received: "
                f"shape {weights.shape}, or other values"
            )
    _, group = np.unique(-confidence, return_inverse=True)
    hits = correct.astype(np.float64) if weights is None else weights * correct
    right = np.bincount(group, weights=hits)
    # Errors have their own sum: a difference of weights would leave rounding errors.
    missed = 1 - correct.astype(np.float64)
    errors = np.bincount(group, weights=missed if weights is None else weights * missed)
    return Ranked(right, errors, group, weights)


def aurc_influence(correct, confidence, *, sample_weight=None) -> np.ndarray:
    r"""Returns the influence of each example on the AURC, of weighted mean 0.

    In the limit of many examples, with m_g the weight of the group g of one confidence, e_g that of
    its errors, x_g and E_g the sums of both over more confident groups, and W the total weight,

    $$W \cdot \mathrm{AURC} = \sum_g \Bigl[e_g + \Bigl(E_g - x_g \frac{e_g}{m_g}\Bigr)
    \log\frac{x_g + m_g}{x_g}\Bigr],$$

    and the influence of an example is the derivative of the right side by its weight, less AURC.
    The mean over a resample, added to the AURC, is the resample's AURC to first order: a thousand
    resamples cost a thousand means, not a thousand sorts.

    Args:
        correct: `(n,)`: whether each prediction is right, 0 or 1.
        confidence: `(n,)`: any numbers, largest for the most confident.
        sample_weight: `(n,)`, above 0, or `None`.

    Returns:
        float64 `(n,)`.

    Raises:
        InputError: As `risk_coverage`.

    Example:
        >>> from ls_keras.calibration.ranking.risk_coverage import aurc_influence
        >>> aurc_influence([1, 0], [0.5, 0.5])  # of one confidence, AURC is the error rate
        array([-0.5,  0.5])
    """
    ranked = rank(correct, confidence, sample_weight)
    errors = ranked.errors
    sizes = errors + ranked.right
    ends = np.cumsum(sizes)
    starts = np.concatenate([[0.0], ends[:-1]])
    earlier = np.cumsum(errors) - errors
    rate = errors / sizes
    # The surest group has nothing before it, and what is multiplied with its logarithm is 0.
    safe = np.where(starts > 0, starts, ends)
    logs = np.log(ends / safe)
    rest = earlier - starts * rate
    of_error = 1 - starts / sizes * logs + np.log(ends[-1] / ends)
    later = -rate * logs + rest * (1 / ends - 1 / safe)
    after = np.cumsum(later[::-1])[::-1] - later
    of_weight = starts * rate / sizes * logs + rest / ends + after
    aurc = (errors + rest * logs).sum() / ends[-1]
    wrong = 1 - np.asarray(correct, np.float64)
    return of_weight[ranked.group] + wrong * of_error[ranked.group] - aurc
