"""How sure an estimated calibration error is: a bootstrap by groups that knows its bias.

The plug-in ECE = Σ_b |d_b|, d_b the mean of correct − confidence over the examples of bin b,
is biased up: noise of either sign adds to |d_b|, so a perfectly calibrated model has ECE > 0. A
plain bootstrap adds the same noise once more. Its interval then lies above the estimate (wholly,
with some tens of bins), which is itself above the truth; no shift by an estimated bias helps
where the truth is near 0, since the bootstrap's own estimate of the bias, (√2 − 1) of it, is too
small there.

The interval here inverts a test instead. Resampling gives the noise e* = d* − d of the bins.
Were the true gaps λ·d, the estimate would be distributed as Σ_b |λ d_b + e*_b|, which grows with
λ, so each quantile of that distribution meets the ECE that was seen at one λ; the interval is
λ·ECE at the λ where the seen ECE is the upper and the lower quantile, and λ·ECE where it is the
median is the corrected estimate. λ = 0, calibration without fault, is in the family, and 0 is in
the interval whenever noise alone explains the ECE seen. With strong miscalibration the noise
cancels and the interval becomes the plain one.

Whether a small gap is real or noise, no data tell. A family of all gaps takes them for real: where
one bin has all of the miscalibration, it counts the noise of the others twice, and its interval
lies too low. A family of the gaps beyond twice their noise takes them for noise: where
miscalibration is spread thin, it lies too high. The interval here reaches over both, each with
0.6 of the tails. `benchmarks/ece_intervals.py` is the simulation that these numbers come from.
"""

from collections.abc import Sequence

import numpy as np

from ls_keras.inputs.validation import as_count

# Their sums over units and bins are arrays.
MAX_RESAMPLES = 10_000
# More independent units than this add time, but nothing to the variance that is estimated.
_MAX_UNITS = 1024
# Of each family's interval, as parts of those of the whole: see above.
_TAILS = 0.6


def error_interval(
    gaps: np.ndarray,
    weights: np.ndarray,
    index: np.ndarray,
    groups: np.ndarray,
    num_bins: int,
    level: float,
    resamples: int,
    seed: int,
) -> tuple[float, tuple[float, float]]:
    """Returns a bias-corrected ECE and its interval.

    Args:
        gaps: `(N,)`: weight · (correct − confidence) of each example.
        weights: `(N,)`.
        index: `(N,)`: bin of each example.
        groups: `(N,)`: examples of one group are resampled together.
        num_bins: Number of bins.
        level: Level of the interval, such as 0.95.
        resamples: Number of bootstrap resamples, at least 100.
        seed: Seed of the resampling.

    Returns:
        `(corrected, (low, high))`. With a single group there is nothing to resample: the ECE
        itself and (NaN, NaN).
    """
    as_count(resamples, "resamples", 100, MAX_RESAMPLES)
    rng = np.random.default_rng(seed)
    total = weights.sum()
    mean_gap = np.bincount(index, gaps, num_bins) / total
    ece = np.abs(mean_gap).sum()
    noise = bin_noise(gaps, weights, index, groups, num_bins, resamples, rng)
    if noise is None:
        return float(ece), (float("nan"), float("nan"))
    return noise_interval(mean_gap, noise, level)


def noise_interval(
    mean_gap: np.ndarray, noise: np.ndarray, level: float
) -> tuple[float, tuple[float, float]]:
    """Returns a bias-corrected error and its interval, as `error_interval`, of the noise itself.

    Args:
        mean_gap: `(bins,)`: the gaps seen, whose absolute values add up to the error.
        noise: `(resamples, bins)`.
        level: Level of the interval.
    """
    corrected = scaled_errors(mean_gap, mean_gap, noise, [0.5])[0]
    tail = _TAILS * (1 - level) / 2
    ends = [
        scaled_errors(mean_gap, shape, noise, [1 - tail, tail])
        for shape in (mean_gap, _beyond_noise(mean_gap, noise))
    ]
    low, high = min(end[0] for end in ends), max(end[1] for end in ends)
    return min(corrected, 1.0), (min(low, 1.0), min(high, 1.0))


def scaled_errors(
    mean_gap: np.ndarray, shape: np.ndarray, noise: np.ndarray, quantiles: Sequence[float]
) -> list[float]:
    """Returns the true ECEs for which the one seen is a quantile, were the gaps in proportion.

    Args:
        mean_gap: `(bins,)`: the gaps seen.
        shape: `(bins,)`: what the true gaps are in proportion to; not all 0.
        noise: `(resamples, bins)`.
        quantiles: At which the seen ECE is to lie.
    """
    ece, total = np.abs(mean_gap).sum(), np.abs(shape).sum()
    if not total:
        return [0.0 for _ in quantiles]

    def estimate(scale, quantile):
        return np.quantile(np.abs(scale * shape + noise).sum(axis=1), quantile)

    found = []
    for quantile in quantiles:
        low, high = 0.0, 1.0
        if not estimate(low, quantile) < ece:
            found.append(0.0)
            continue
        while estimate(high, quantile) < ece:
            low, high = high, 2 * high
        for _ in range(20):
            middle = (low + high) / 2
            low, high = (middle, high) if estimate(middle, quantile) < ece else (low, middle)
        found.append(float(total * high))
    return found


def _beyond_noise(mean_gap: np.ndarray, noise: np.ndarray) -> np.ndarray:
    """Returns the gaps that are larger than twice their noise; without any, the clearest one."""
    deviation = noise.std(axis=0)
    clear = np.abs(mean_gap) / np.where(deviation > 0, deviation, 1.0)
    return np.where(clear >= min(2.0, clear.max()), mean_gap, 0.0)


def bin_noise(
    gaps: np.ndarray,
    weights: np.ndarray,
    index: np.ndarray,
    groups: np.ndarray,
    num_bins: int,
    resamples: int,
    rng: np.random.Generator,
) -> np.ndarray | None:
    """Returns how far each resample's mean gaps `(resamples, bins)` are from those of the data.

    Groups are drawn with replacement. Beyond 1,024 of them, they are first joined at random into
    that many units. `None` with a single group.
    """
    unit = np.unique(groups, return_inverse=True)[1]
    size = int(unit.max()) + 1
    if size == 1:
        return None
    if size > _MAX_UNITS:
        unit = (rng.permutation(size) % _MAX_UNITS)[unit]
        size = _MAX_UNITS
    # units × bins: what each unit adds to a bin's gap, and to the total weight.
    gap_of_unit = np.bincount(unit * num_bins + index, gaps, size * num_bins)
    gap_of_unit = gap_of_unit.reshape(size, num_bins)
    weight_of_unit = np.bincount(unit, weights, size)
    drawn = rng.multinomial(size, np.full(size, 1 / size), resamples).astype(float)
    total = drawn @ weight_of_unit
    total = np.where(total > 0, total, weight_of_unit.sum())
    return drawn @ gap_of_unit / total[:, None] - gap_of_unit.sum(axis=0) / weight_of_unit.sum()
