"""Intervals of weighted means, examples of one group resampled together."""

import numpy as np

from ls_keras.calibration.curves.ece_bootstrap import bin_noise
from ls_keras.calibration.curves.reliability_curve import binomial_intervals
from ls_keras.calibration.curves.top_label_statistics import count_groups

Interval = tuple[float, float]


def mean_noise(
    values: np.ndarray, weights: np.ndarray, groups: np.ndarray, resamples: int, seed: int
) -> np.ndarray | None:
    """Returns how far the mean of each resample `(resamples,)` is from that of the data.

    The same groups and seed draw the same resamples, so that means of several values are paired.

    Args:
        values: `(N,)`.
        weights: `(N,)`.
        groups: Integers `(N,)`: examples of one group are resampled together.
        resamples: Number of bootstrap resamples.
        seed: Seed of the resampling.

    Returns:
        `None` with a single group, which leaves nothing to resample.
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
        values: As for `mean_noise`.
        weights: Likewise.
        groups: Likewise.
        level: Level of the interval, such as 0.95.
        resamples: Likewise.
        seed: Likewise.

    Example:
        >>> import numpy as np
        >>> from ls_keras.calibration.curves.mean_interval import mean_interval
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


def proportion_interval(
    hits: np.ndarray,
    weights: np.ndarray,
    groups: np.ndarray,
    level: float,
    resamples: int,
    seed: int,
) -> tuple[float, Interval]:
    """Returns a weighted proportion and an interval that is right at 0 and 1, too.

    Clopper–Pearson's, of as many examples as are independent: (Σw)² / Σw² and, where groups have
    several, at most p (1 − p) / v, with v the variance of p over resamples; where that is 0, as
    many as there are groups (Korn & Graubard 1998).

    Args:
        hits: `(N,)`, 0 or 1.
        weights: As for `mean_noise`.
        groups: Likewise.
        level: Level of the interval, such as 0.95.
        resamples: Likewise.
        seed: Likewise.

    Example:
        >>> import numpy as np
        >>> from ls_keras.calibration.curves.mean_interval import proportion_interval
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
