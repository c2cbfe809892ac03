"""Does confidence rank errors last? Risk against coverage, and the AUROC of confidence."""

import dataclasses
from typing import NamedTuple

import numpy as np

from ls_base.errors import InputError
from ls_keras.arguments import as_array, as_number


@dataclasses.dataclass(frozen=True)
class RiskCoverage:
    """The error rate among the most confident predictions, for each number of them.

    Attributes:
        risk: float64 `(n,)`: the error rate of the i + 1 most confident.
        aurc: The area under it, (1/n) Σ_i risk_i: less is better.
        excess: E-AURC: `aurc` less that of the same errors, all of them last.
    """

    risk: np.ndarray
    aurc: float
    excess: float

    @property
    def coverage(self) -> np.ndarray:
        """The share of predictions that are kept, float64 `(n,)`: (i + 1)/n."""
        return np.arange(1, len(self.risk) + 1) / len(self.risk)

    def risk_at(self, coverage: float) -> float:
        """Returns the error rate of the most confident predictions, at least so many.

        Args:
            coverage: Their share, above 0 and at most 1.

        Raises:
            InputError: For another share.
        """
        coverage = as_number(coverage, "coverage", low=0, high=1, above=True)
        kept = int(np.ceil(coverage * len(self.risk) * (1 - 1e-12)))  # 0.3 · 10 is 3, not 4
        return float(self.risk[max(kept, 1) - 1])


def risk_coverage(correct, confidence) -> RiskCoverage:
    """Returns the risk at each coverage.

    Of predictions with the same confidence, none comes first: the risk is the mean over all their
    orders, and depends on no order of the examples. Exact, in float64.

    Args:
        correct: `(n,)`: whether each prediction is right, 0 or 1.
        confidence: `(n,)`: any numbers that rank predictions, the surest the largest.

    Raises:
        InputError: If the shapes differ, there is no example, or a value is not what it should be.

    References:
        Geifman, El-Yaniv (2017), arXiv 1705.08500; of E-AURC, Geifman et al. (2019), arXiv
        1805.08206.

    Example:
        >>> from ls_keras.calibration import risk_coverage
        >>> curve = risk_coverage([1, 1, 0, 1], [0.9, 0.8, 0.7, 0.6])
        >>> curve.risk.round(3).tolist(), round(curve.aurc, 3), curve.risk_at(0.5)
        ([0.0, 0.0, 0.333, 0.25], 0.146, 0.0)
    """
    ranked = _ranked(correct, confidence)
    counts = np.arange(1, ranked.errors.sum() + ranked.right.sum() + 1)
    # Errors among the first i, linear within a group of ties: the mean over its orders.
    edges = np.concatenate([[0], np.cumsum(ranked.errors + ranked.right)])
    wrong = np.interp(counts, edges, np.concatenate([[0], np.cumsum(ranked.errors)]))
    best = np.maximum(0, counts - ranked.right.sum()) / counts
    risk = wrong / counts
    aurc = float(risk.mean())
    return RiskCoverage(risk, aurc, aurc - float(best.mean()))


def confidence_auroc(correct, confidence) -> float:
    """Returns how probably a right prediction is surer than a wrong one; ties count half.

    Args:
        correct: As for `risk_coverage`.
        confidence: Likewise.

    Returns:
        0 … 1; NaN where all predictions are right, or all wrong.

    Raises:
        InputError: As `risk_coverage`.

    Example:
        >>> from ls_keras.calibration import confidence_auroc
        >>> confidence_auroc([1, 1, 0, 1], [0.9, 0.7, 0.7, 0.6])
        0.5
    """
    ranked = _ranked(correct, confidence)
    pairs = float(ranked.right.sum()) * float(ranked.errors.sum())
    if not pairs:
        return float("nan")
    surer = np.cumsum(ranked.right) - ranked.right
    return float(np.sum(ranked.errors * (surer + ranked.right / 2)) / pairs)


def logit_norm_confidence(logits, p: float) -> np.ndarray:
    """Returns a confidence that ranks better than the softmax where smoothing was trained.

    With z̄ the mean of an example's logits, max_k (z_k − z̄) / ‖z − z̄‖_p, in float64: values lie
    close together. Where all logits are equal it is 0.

    Args:
        logits: `(..., K)`.
        p: Of the norm, at least 1; choose it on validation data.

    Returns:
        float64 `(...)`.

    Raises:
        InputError: For a p below 1, or logits that are not finite or of no class.

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
    return np.divide(scaled.max(-1), norm, out=np.zeros_like(norm), where=norm > 0)


class _Ranked(NamedTuple):
    """Right and wrong predictions of each confidence, the surest first."""

    right: np.ndarray
    errors: np.ndarray


def _ranked(correct, confidence) -> _Ranked:
    correct = as_array(correct, "correct")
    confidence = as_array(confidence, "confidence").astype(np.float64)
    if correct.shape != confidence.shape or correct.ndim != 1 or not len(correct):
        raise InputError(
            "Expected correct and confidence of one shape (n,), n ≥ 1. "
            f"Received: {correct.shape} and {confidence.shape}"
        )
    if not np.isin(correct, (0, 1)).all():
        raise InputError("Expected correct to be 0 or 1 each. Received: other values")
    if not np.isfinite(confidence).all():
        raise InputError("Expected confidence to be finite. Received: NaN or infinity among them")
    _, group = np.unique(-confidence, return_inverse=True)
    right = np.bincount(group, weights=correct)
    return _Ranked(right, np.bincount(group) - right)
