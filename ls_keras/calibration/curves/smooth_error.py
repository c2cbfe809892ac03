"""Smooth calibration error (smECE): residuals smoothed by a kernel instead of bins.

The kernel is a Gaussian that is reflected at 0 and 1. Examples are spread over a mesh once,
linearly between the two nearest nodes; then each bandwidth needs two cosine transforms of the mesh,
whatever the number of examples. An endlessly reflected kernel is diffusion on [0, 1]: the cosine
transform multiplies frequency k by exp(−(πkσ)²/2).
"""

import dataclasses

import numpy as np

from ls_base.brief_repr import BriefRepr
from ls_keras.calibration.curves.intervals import MAX_RESAMPLES, bin_noise, noise_interval
from ls_keras.calibration.curves.reliability import ReliabilityAccumulator
from ls_keras.calibration.curves.top_label_statistics import (
    Statistics,
    check_level,
    read_statistics,
)
from ls_keras.inputs.targets import IgnoreClass
from ls_keras.inputs.validation import as_count, as_number, as_seed

# A bandwidth of 0.001 is 33 cells; two transforms of these take a few milliseconds.
CELLS = 1 << 15
# Below it the mesh, not the kernel, does the smoothing.
LEAST_BANDWIDTH = 4 / CELLS
_MOST_CELLS = 2048  # length of each resample's array


@dataclasses.dataclass(frozen=True, repr=False)
class SmoothError(BriefRepr):
    """The smooth calibration error, smECE, of the top label.

    Attributes:
        error: smECE: ∫ |r(t)| dt over [0, 1], r the smoothed residual.
        bandwidth: σ of the kernel; equal to `error` unless it was given.
        overconfidence: The part of `error` where confidence is above accuracy, ∫ max(−r, 0).
        underconfidence: The part where it is below, ∫ max(r, 0).
        corrected: `error` without its bias: noise adds to every mean of absolute values. NaN
            without resamples.
        low: Lower end of the interval of the true error at this bandwidth, see
            `ls_keras.calibration.curves.intervals`. It is bias-corrected too, so it
            may lie below `error`. NaN with a single group.
        high: Upper end.
        level: Level of the interval.
        examples: Number of examples that counted.
        groups: Number of groups they belong to.
    """

    error: float
    bandwidth: float
    overconfidence: float
    underconfidence: float
    corrected: float
    low: float
    high: float
    level: float
    examples: int
    groups: int


def smooth_calibration_error(
    y_true,
    y_pred,
    *,
    from_logits: bool = False,
    ignore_class: IgnoreClass = None,
    multi_label: bool = False,
    sample_weight=None,
    mask=None,
    groups=None,
    bandwidth: float | None = None,
    confidence: float = 0.95,
    resamples: int = 1000,
    seed: int = 0,
) -> SmoothError:
    r"""Returns the smooth calibration error (smECE) of the top label, with an interval.

    $$\mathrm{smECE}_\sigma = \int_0^1 \Bigl|\frac{\sum_i w_i\,(c_i - p_i)\,K_\sigma(t, p_i)}
      {\sum_i w_i}\Bigr|\,dt, \qquad \mathrm{smECE} = \mathrm{smECE}_{\sigma^*} = \sigma^*$$

    p is the confidence, c is 1 if the prediction is correct, and K is a Gaussian, reflected at 0
    and 1.
    smECE_σ falls as σ grows, so that there is one σ* at which both are equal: no bins, nothing to
    choose, and a small change of the predictions changes it little. It is a consistent measure:
    powers of the distance to the nearest calibrated predictor bound it from both sides.

    Examples are binned once into 32,768 cells, each σ is two cosine transforms of these: O(N) in
    all (`benchmarks/smooth_error.py`; the interval takes longer than the error). Spreading an
    example over two nodes, h = 2⁻¹⁵ apart, changes smECE_σ by at most 0.13 (h/σ)² mean |c − p|: for
    errors above 1e-3, less than 1.3e-4 times that mean. Errors below 2⁻¹³ are not resolved.

    Args:
        y_true: Integers `(...)` or `(..., 1)`, or dense targets `(..., K)`. With `multi_label`,
            labels in [0, 1] of the shape of `y_pred`.
        y_pred: Array `(..., K)`: probabilities, or logits with `from_logits=True`.
        from_logits: Whether `y_pred` are logits.
        ignore_class: A label id, or several, whose positions do not count (integer targets).
        multi_label: Whether each entry of the last axis is a sigmoid, and a separate example: p
            is then the probability of the label 1, and c whether the label is 1.
        sample_weight: Array of shape `(...)` or of its leading axes, or `None`.
        mask: Boolean, of shape `(...)` or of its leading axes; false where a position does not
            count.
        groups: Integers of shape `(...)` or of its leading axes: examples of one group are
            resampled together. Default: the index on the first axis.
        bandwidth: σ, from 2⁻¹³ to 1; `None`: σ*.
        confidence: Level of the interval.
        resamples: Bootstrap resamples behind it, 100 to 10,000; 0: no interval.
        seed: Seed of the resampling.

    Raises:
        InputError: If the shapes do not fit, if a value is out of range, or if no example counts.

    Example:
        Confidence 0.75, right half of the time: whatever the kernel, the error is 1/4.

        >>> import ls_keras
        >>> y_pred = [[0.75, 0.25]] * 8
        >>> found = ls_keras.smooth_calibration_error([0, 0, 0, 0, 1, 1, 1, 1], y_pred)
        >>> round(found.error, 4), round(found.bandwidth, 4), round(found.overconfidence, 4)
        (0.25, 0.25, 0.25)

    References:
        Błasiok, Nakkiran, *Smooth ECE: Principled Reliability Diagrams via Kernel Smoothing*,
        ICLR 2024 (arXiv 2309.12236); its package `relplot`.
    """
    accumulator = ReliabilityAccumulator(
        from_logits=from_logits, ignore_class=ignore_class, multi_label=multi_label
    )
    accumulator.update(y_true, y_pred, sample_weight=sample_weight, mask=mask, groups=groups)
    return smooth_error_of_statistics(
        **accumulator.statistics(),
        bandwidth=bandwidth,
        confidence=confidence,
        resamples=resamples,
        seed=seed,
    )


def smooth_error_of_statistics(
    top_confidence,
    correct,
    *,
    sample_weight=None,
    groups=None,
    bandwidth: float | None = None,
    confidence: float = 0.95,
    resamples: int = 1000,
    seed: int = 0,
) -> SmoothError:
    """Returns the smooth calibration error for given confidence and correctness.

    For many batches, use `smooth_error_of_statistics(**accumulator.statistics())` of a
    `ReliabilityAccumulator`.

    Args:
        top_confidence: Array `(N,)` in [0, 1].
        correct: Array `(N,)` of Booleans or 0 and 1.
        sample_weight: Array `(N,)` of non-negative weights, or `None`.
        groups: Integers `(N,)`; `None`: all examples are independent.
        bandwidth: σ, from 2⁻¹³ to 1; `None`: σ*.
        confidence: Level of the interval.
        resamples: Number of bootstrap resamples, 100 to 10,000; 0: no interval.
        seed: Seed of the resampling.

    Raises:
        InputError: As `curve_of_statistics`.

    Example:
        >>> from ls_keras.calibration import smooth_error_of_statistics
        >>> found = smooth_error_of_statistics([0.9, 0.9, 0.4], [1, 0, 1], bandwidth=0.1)
        >>> round(found.overconfidence - found.underconfidence, 4)  # mean confidence − accuracy
        0.0667
    """
    if bandwidth is not None:
        bandwidth = as_number(bandwidth, "bandwidth", low=LEAST_BANDWIDTH, high=1)
    level, seed = check_level(confidence), as_seed(seed)
    if as_count(resamples, "resamples"):
        as_count(resamples, "resamples", 100, MAX_RESAMPLES)
    read = read_statistics(top_confidence, correct, sample_weight, groups)
    nodes = spread(read.confidence, read.gaps / read.weights.sum(), CELLS)
    bandwidth = best_bandwidth(nodes) if bandwidth is None else bandwidth
    residual = trapezoid_weights(CELLS) * smooth(nodes, bandwidth)
    error = float(np.abs(residual).sum())
    corrected, (low, high) = _interval(read, error, bandwidth, level, resamples, seed)
    return SmoothError(
        error=error,
        bandwidth=float(bandwidth),
        overconfidence=float(np.maximum(-residual, 0).sum()),
        underconfidence=float(np.maximum(residual, 0).sum()),
        corrected=corrected,
        low=low,
        high=high,
        level=level,
        examples=read.examples,
        groups=read.num_groups,
    )


def best_bandwidth(gaps: np.ndarray) -> float:
    """Returns σ*, at which the error is as large as the bandwidth.

    Args:
        gaps: At each node, (correct − confidence) by its share of all weights.
    """
    from scipy.optimize import brentq

    parts = trapezoid_weights(len(gaps) - 1)

    def excess(sigma: float) -> float:
        return np.abs(parts * smooth(gaps, sigma)).sum() - sigma

    if excess(LEAST_BANDWIDTH) <= 0:  # and at 1 it is not above
        return LEAST_BANDWIDTH
    return 1.0 if excess(1.0) > 0 else brentq(excess, LEAST_BANDWIDTH, 1.0, xtol=1e-10)


def _interval(
    read: Statistics, error: float, bandwidth: float, level: float, resamples: int, seed: int
) -> tuple[float, tuple[float, float]]:
    """Returns the corrected error and its interval, from a mesh of four cells a bandwidth."""
    if not resamples:
        return float("nan"), (float("nan"), float("nan"))
    cells = int(np.clip(np.ceil(4 / bandwidth), 64, _MOST_CELLS))
    index = np.rint(read.confidence.astype(np.float64) * cells).astype(np.intp)
    noise = bin_noise(
        read.gaps,
        read.weights,
        index,
        read.groups,
        cells + 1,
        resamples,
        np.random.default_rng(seed),
    )
    if noise is None:
        return error, (float("nan"), float("nan"))
    parts = trapezoid_weights(cells)
    nodes = np.bincount(index, read.gaps, cells + 1) / read.weights.sum()
    return noise_interval(parts * smooth(nodes, bandwidth), parts * smooth(noise, bandwidth), level)


def spread(position: np.ndarray, mass: np.ndarray, cells: int) -> np.ndarray:
    """Returns the mass at each of `cells + 1` nodes of [0, 1], float64.

    Args:
        position: `(N,)` in [0, 1].
        mass: `(N,)`: divided between the two nearest nodes, which keeps its mean position.
        cells: Number of equal cells.
    """
    at = position.astype(np.float64) * cells
    low = np.minimum(at.astype(np.intp), cells - 1)
    part = at - low
    nodes = np.bincount(low, (1 - part) * mass, cells + 1)
    nodes[1:] += np.bincount(low, part * mass, cells + 1)[:-1]
    return nodes


def smooth(nodes: np.ndarray, bandwidth: float) -> np.ndarray:
    """Returns the density at each node of masses smoothed by a reflected Gaussian.

    Args:
        nodes: `(..., cells + 1)`, masses.
        bandwidth: Standard deviation σ of the Gaussian.
    """
    from scipy import fft  # imported late: it takes long

    cells = nodes.shape[-1] - 1
    ends = np.ones(cells + 1)
    ends[[0, -1]] = 2  # a mass at an end is its own mirror image
    decay = np.exp(-0.5 * np.square(np.pi * bandwidth * np.arange(cells + 1)))
    return cells * fft.idct(fft.dct(nodes * ends, 1) * decay, 1)


def trapezoid_weights(cells: int) -> np.ndarray:
    """Returns the weights `(cells + 1,)` that integrate over [0, 1]."""
    weights = np.full(cells + 1, 1 / cells)
    weights[[0, -1]] /= 2
    return weights
