"""Reliability curve without bins, smoothed like the smooth calibration error."""

import dataclasses

import numpy as np

from ls_base.brief_repr import BriefRepr
from ls_keras.calibration.curves.reliability import ReliabilityAccumulator
from ls_keras.calibration.curves.smooth_error import (
    CELLS,
    LEAST_BANDWIDTH,
    best_bandwidth,
    smooth,
    spread,
    trapezoid_weights,
)
from ls_keras.calibration.curves.top_label_statistics import Statistics, read_statistics
from ls_keras.inputs.targets import IgnoreClass
from ls_keras.inputs.validation import as_flag, as_number

_STEP = 128  # cells from one point of the curve to the next: 257 points


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class SmoothReliability(BriefRepr):
    """Accuracy against confidence, smoothed.

    The accuracy of a point with less than one example is NaN.

    Attributes:
        confidence: 257 confidences t, from 0 to 1.
        accuracy: m(t), in [0, 1].
        density: The density of the confidences, smoothed by the same kernel; its integral is 1.
        examples: Effective number of examples at each point, (Σ w K)² / Σ w² K²; in the tails of
            the kernel, the number that the density has within the width of the kernel.
        bandwidth: σ of the kernel.
        error: smECE_σ = ∫ |m(t) − t| density(t) dt, as `smooth_calibration_error` has it.
        multi_label: Whether it is a curve of sigmoids.
    """

    confidence: np.ndarray
    accuracy: np.ndarray
    density: np.ndarray
    examples: np.ndarray
    bandwidth: float
    error: float
    multi_label: bool = False


def smooth_reliability_curve(
    y_true,
    y_pred,
    *,
    from_logits: bool = False,
    ignore_class: IgnoreClass = None,
    multi_label: bool = False,
    sample_weight=None,
    mask=None,
    bandwidth: float | None = None,
) -> SmoothReliability:
    r"""Returns accuracy against confidence, smoothed as `smooth_calibration_error` smooths.

    $$m(t) = t + \frac{\sum_i w_i\,(c_i - p_i)\,K_\sigma(t, p_i)}{\sum_i w_i\,K_\sigma(t, p_i)},
      \qquad \mathrm{smECE}_\sigma = \int_0^1 |m(t) - t|\,\delta_\sigma(t)\,dt$$

    with p the confidence, c whether the prediction is correct, K the Gaussian reflected at 0 and 1,
    and δ the smoothed density of the confidences: the distance of the curve from the diagonal,
    weighted by δ, is the smECE. (`relplot` calls it a centered fit; its `rel_diagram` smooths c
    itself, which flattens the curve.)

    Args:
        y_true: Integers `(...)` or `(..., 1)`, or dense targets `(..., K)`. With `multi_label`,
            labels in [0, 1] of the shape of `y_pred`.
        y_pred: Array `(..., K)`: probabilities, or logits with `from_logits=True`.
        from_logits: Whether `y_pred` are logits.
        ignore_class: A label id, or several, whose positions do not count (integer targets).
        multi_label: Whether each entry of the last axis is a sigmoid, and a separate example.
        sample_weight: Array of shape `(...)` or of its leading axes, or `None`.
        mask: Boolean, of shape `(...)` or of its leading axes; false where a position does not
            count.
        bandwidth: σ, from 2⁻¹³ to 1; `None`: that of the smECE, where σ equals the error.

    Raises:
        InputError: As `smooth_calibration_error`.

    Example:
        >>> import ls_keras
        >>> y_true, y_pred = [0, 0, 0, 0, 1, 1, 1, 1], [[0.75, 0.25]] * 8
        >>> curve = ls_keras.calibration.smooth_reliability_curve(y_true, y_pred)
        >>> [round(float(x), 4) for x in (curve.confidence[192], curve.accuracy[192], curve.error)]
        [0.75, 0.5, 0.25]

    References:
        Błasiok, Nakkiran, *Smooth ECE: Principled Reliability Diagrams via Kernel Smoothing*,
        ICLR 2024 (arXiv 2309.12236); its package `relplot`.
    """
    accumulator = ReliabilityAccumulator(
        from_logits=from_logits, ignore_class=ignore_class, multi_label=multi_label
    )
    accumulator.update(y_true, y_pred, sample_weight=sample_weight, mask=mask)
    found = accumulator.statistics()
    del found["groups"]  # there is no interval
    return smooth_curve_of_statistics(**found, bandwidth=bandwidth, multi_label=multi_label)


def smooth_curve_of_statistics(
    top_confidence,
    correct,
    *,
    sample_weight=None,
    bandwidth: float | None = None,
    multi_label: bool = False,
) -> SmoothReliability:
    """Returns the smoothed curve for given confidence and correctness.

    Args:
        top_confidence: Array `(N,)` in [0, 1].
        correct: Array `(N,)` of Booleans or 0 and 1.
        sample_weight: Array `(N,)` of non-negative weights, or `None`.
        bandwidth: σ, from 2⁻¹³ to 1; `None`: that of the smECE.
        multi_label: Stored for the axes of a diagram.

    Raises:
        InputError: As `curve_of_statistics`.

    Example:
        >>> from ls_keras.calibration import smooth_curve_of_statistics
        >>> curve = smooth_curve_of_statistics([0.9, 0.9, 0.4], [1, 0, 1], bandwidth=0.05)
        >>> round(float(curve.accuracy[230]), 2)  # at 0.9 it is right once in two
        0.5
    """
    if bandwidth is not None:
        bandwidth = as_number(bandwidth, "bandwidth", low=LEAST_BANDWIDTH, high=1)
    read = read_statistics(top_confidence, correct, sample_weight)
    total = read.weights.sum()
    gaps = spread(read.confidence, read.gaps / total, CELLS)
    sigma = best_bandwidth(gaps) if bandwidth is None else bandwidth
    residual = smooth(gaps, sigma)
    density = smooth(spread(read.confidence, read.weights / total, CELLS), sigma)
    at = np.arange(0, CELLS + 1, _STEP)
    examples = _examples(read, density, sigma)[at]
    some = examples >= 1
    confidence, accuracy = at / CELLS, np.full(len(at), np.nan)
    accuracy[some] = np.clip(confidence[some] + residual[at][some] / density[at][some], 0, 1)
    return SmoothReliability(
        confidence=confidence,
        accuracy=accuracy,
        density=np.maximum(density[at], 0.0),
        examples=examples,
        bandwidth=float(sigma),
        error=float((trapezoid_weights(CELLS) * np.abs(residual)).sum()),
        multi_label=as_flag(multi_label, "multi_label"),
    )


def _examples(read: Statistics, density: np.ndarray, sigma: float) -> np.ndarray:
    """Returns the effective number of examples at each node of the mesh."""
    shares = read.weights / read.weights.sum()
    nodes = np.arange(len(density)) / (len(density) - 1)
    # K_σ² is K of σ/√2 over 2σ√π, and near an end twice the product with the mirror image.
    of_squares = smooth(spread(read.confidence, np.square(shares), CELLS), sigma / 2**0.5)
    squares = of_squares + np.exp(-np.square(nodes / sigma)) * of_squares[0]
    squares += np.exp(-np.square((1 - nodes) / sigma)) * of_squares[-1]
    peak = 2 * sigma * np.pi**0.5
    with np.errstate(divide="ignore", invalid="ignore"):
        found = np.square(density) / squares * peak
    number = 1 / np.square(shares).sum()
    # Far from a cluster, all its examples have the same weight, though they say nothing there.
    return np.clip(np.nan_to_num(np.minimum(found, number * density * peak)), 0, number)
