"""Bootstrap intervals of calibration errors, means and proportions, resampled by groups.

The plug-in ECE = Σ_b |d_b|, d_b the mean of correct − confidence over the examples of bin b, is
biased up: noise of either sign adds to |d_b|, so a perfectly calibrated model has ECE > 0. A plain
bootstrap adds the same noise again, so that its interval lies above the estimate, which is itself
above the truth. Subtracting the bias that the bootstrap estimates does not help near 0, since that
estimate, (√2 − 1) of the bias, is too small there.

The interval here inverts a test instead. Resampling gives the noise e* = d* − d of the bins. If
the true gaps were λ·d, the estimate would be distributed as Σ_b |λ d_b + e*_b|, which grows with
λ, so each quantile of that distribution equals the observed ECE at one λ. The interval is λ·ECE at
the λ where the observed ECE is the upper and the lower quantile; where it is the median, λ·ECE is
the corrected estimate. λ = 0, perfect calibration, is in the family, and 0 is in the interval
whenever noise alone explains the ECE. With strong miscalibration, it becomes the plain interval.

Data do not show whether a small gap is real or noise. A family of all gaps takes them for real: if
one bin has all the miscalibration, it counts the noise of the others twice, and its interval is too
low. A family of the gaps beyond twice their noise takes them for noise: if miscalibration is spread
thin, its interval is too high. The interval here covers both, each with 0.6 of the tails;
`benchmarks/ece_intervals.py` is the simulation behind these numbers.
"""

from collections.abc import Sequence

import numpy as np

from ls_keras.calibration.curves.top_label_statistics import count_groups
from ls_keras.inputs.validation import as_count

# Sums over resamples and bins are arrays.
MAX_RESAMPLES = 10_000
# More independent units take longer, but do not improve the estimated variance.
_MAX_UNITS = 1024
# Share of the tails for each family of gaps.
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
        `(corrected, (low, high))`; with a single group, the plug-in ECE and (NaN, NaN).
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
    """Returns a bias-corrected error and its interval for given noise, see `error_interval`.

    Args:
        mean_gap: `(bins,)`: observed gaps, whose absolute values add up to the error.
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
    """Returns the true ECEs for which the observed one is a given quantile.

    Args:
        mean_gap: `(bins,)`: observed gaps.
        shape: `(bins,)`: the true gaps, up to a factor.
        noise: `(resamples, bins)`.
        quantiles: Quantiles at which the observed ECE should be.
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
    """Returns the gaps larger than twice their noise; if there is none, the clearest one."""
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
    """Returns the deviation of each resample's mean gaps from those of the data.

    Groups are drawn with replacement; more than 1,024 are first joined at random into that many
    units. The result is `(resamples, bins)`, or `None` with a single group.
    """
    unit = np.unique(groups, return_inverse=True)[1]
    size = int(unit.max()) + 1
    if size == 1:
        return None
    if size > _MAX_UNITS:
        unit = (rng.permutation(size) % _MAX_UNITS)[unit]
        size = _MAX_UNITS
    # units × bins: the part of each unit in the gap of a bin, and in the total weight.
    gap_of_unit = np.bincount(unit * num_bins + index, gaps, size * num_bins)
    gap_of_unit = gap_of_unit.reshape(size, num_bins)
    weight_of_unit = np.bincount(unit, weights, size)
    drawn = rng.multinomial(size, np.full(size, 1 / size), resamples).astype(float)
    total = drawn @ weight_of_unit
    total = np.where(total > 0, total, weight_of_unit.sum())
    return drawn @ gap_of_unit / total[:, None] - gap_of_unit.sum(axis=0) / weight_of_unit.sum()


Interval = tuple[float, float]


def mean_noise(
    values: np.ndarray, weights: np.ndarray, groups: np.ndarray, resamples: int, seed: int
) -> np.ndarray | None:
    """Returns the deviation of each resample's mean from that of the data, `(resamples,)`.

    The same groups and seed give the same resamples, so that means of several values are paired.

    Args:
        values: `(N,)`.
        weights: `(N,)`.
        groups: Integers `(N,)`: examples of one group are resampled together.
        resamples: Number of bootstrap resamples.
        seed: Seed of the resampling.

    Returns:
        `None` with a single group.
    """
    index, rng = np.zeros(len(values), np.intp), np.random.default_rng(seed)
    noise = bin_noise(weights * values, weights, index, groups, 1, resamples, rng)
    return None if noise is None else noise[:, 0]


def mean_interval(
    values: np.ndarray,
    weights: np.ndarray,
    groups: np.ndarray,
    level: float,
    resamples: int,
    seed: int,
) -> tuple[float, Interval]:
    """Returns the weighted mean and its percentile interval, (NaN, NaN) with a single group.

    Args:
        values: `(N,)`.
        weights: `(N,)`.
        groups: Integers `(N,)`: examples of one group are resampled together.
        level: Level of the interval, such as 0.95.
        resamples: Number of bootstrap resamples.
        seed: Seed of the resampling.

    Example:
        >>> import numpy as np
        >>> from ls_keras.calibration.curves.intervals import mean_interval
        >>> values = np.arange(100) % 10
        >>> mean, (low, high) = mean_interval(values, np.ones(100), np.arange(100), 0.95, 1000, 0)
        >>> mean, bool(3.9 < low < 4.0), bool(5.0 < high < 5.1)  # ± 1.96 · 2.87 / 10
        (4.5, True, True)
    """
    mean = float(weights @ values / weights.sum())
    noise = mean_noise(values, weights, groups, resamples, seed)
    if noise is None:
        return mean, (float("nan"), float("nan"))
    low, high = np.quantile(mean + noise, [(1 - level) / 2, (1 + level) / 2])
    return mean, (float(low), float(high))


def binomial_intervals(
    rate: np.ndarray, number: np.ndarray, level: float
) -> tuple[np.ndarray, np.ndarray]:
    """Returns the Clopper–Pearson intervals of observed rates; NaN where `number` is 0.

    Args:
        rate: Observed rates in [0, 1].
        number: Number of trials behind each; need not be whole.
        level: Level of the intervals, such as 0.95.

    References:
        Clopper, Pearson, *The use of confidence or fiducial limits illustrated in the case of
        the binomial*, Biometrika 26 (1934).
    """
    from scipy import special  # imported late: it takes long

    tail = (1 - float(level)) / 2  # SciPy takes no fractions
    hits, misses = rate * number, (1 - rate) * number
    with np.errstate(invalid="ignore"):
        low = np.where(hits > 0, special.betaincinv(hits, misses + 1, tail), 0.0)
        high = np.where(misses > 0, special.betaincinv(hits + 1, misses, 1 - tail), 1.0)
    some = number > 0
    return np.where(some, low, np.nan), np.where(some, high, np.nan)


def proportion_interval(
    hits: np.ndarray,
    weights: np.ndarray,
    groups: np.ndarray,
    level: float,
    resamples: int,
    seed: int,
) -> tuple[float, Interval]:
    """Returns a weighted proportion and an interval that also holds at 0 and 1.

    The Clopper–Pearson interval for the effective number of examples: (Σw)² / Σw² and, if groups
    have several, at most p (1 − p) / v, with v the variance of p over resamples, or the number of
    groups if v is 0 (Korn & Graubard 1998).

    Args:
        hits: `(N,)`, 0 or 1.
        weights: `(N,)`.
        groups: Integers `(N,)`: examples of one group are resampled together.
        level: Level of the interval, such as 0.95.
        resamples: Number of bootstrap resamples.
        seed: Seed of the resampling.

    Example:
        >>> import numpy as np
        >>> from ls_keras.calibration.curves.intervals import proportion_interval
        >>> rate, (low, high) = proportion_interval(
        ...     np.ones(20), np.ones(20), np.arange(20), 0.95, 1000, 0
        ... )
        >>> rate, round(low, 3), high  # 0.025^(1/20)
        (1.0, 0.832, 1.0)
    """
    rate = float(min(weights @ hits / weights.sum(), 1))
    number = weights.sum() ** 2 / (weights @ weights)
    num_groups = count_groups(groups)
    if num_groups < len(hits):
        noise = mean_noise(hits, weights, groups, resamples, seed)
        if noise is None:
            return rate, (float("nan"), float("nan"))
        variance = noise.var()
        number = min(number, rate * (1 - rate) / variance if variance > 0 else num_groups)
    low, high = binomial_intervals(np.array([rate]), np.array([number]), level)
    return rate, (float(low[0]), float(high[0]))
