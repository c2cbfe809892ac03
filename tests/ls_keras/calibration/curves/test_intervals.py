import numpy as np
import pytest
from scipy.stats import binomtest, norm

from ls_keras.calibration import curve_of_statistics
from ls_keras.calibration.curves.intervals import (
    bin_noise,
    error_interval,
    mean_interval,
    mean_noise,
    proportion_interval,
)

NUM_BINS = 10


def sample(rng, number, miscalibration=0.0):
    """Confidences and hits; the true gap is a sine of the confidence."""
    confidence = rng.uniform(0.5, 1, number).astype("float32")
    accuracy = confidence - miscalibration * np.sin(12 * confidence)
    return confidence, rng.random(number) < np.clip(accuracy, 0, 1)


def plain_bootstrap(rng, confidence, hits, num_bins, resamples=200):
    index = np.minimum((confidence * num_bins).astype(int), num_bins - 1)
    errors = []
    for _ in range(resamples):
        chosen = rng.integers(0, len(hits), len(hits))
        gaps = np.bincount(index[chosen], (hits * 1.0 - confidence)[chosen], num_bins)
        errors.append(np.abs(gaps).sum() / len(hits))
    return np.quantile(errors, [0.025, 0.975])


def test_interval_contains_zero_error_where_plain_bootstrap_does_not(rng):
    """Calibrated predictions: the true ECE is 0."""
    plain_above = ours_reaches = 0
    for seed in range(20):
        confidence, hits = sample(rng, 2000)
        curve = curve_of_statistics(confidence, hits, num_bins=100, resamples=200, seed=seed)
        plain_above += plain_bootstrap(rng, confidence, hits, 100)[0] > curve.ece
        ours_reaches += curve.ece_low < 1e-3
        assert curve.ece_corrected < 0.7 * curve.ece
        assert curve.ece > 0.03
    assert plain_above == 20
    assert ours_reaches >= 17


@pytest.mark.parametrize("miscalibration", [0.02, 0.1])
def test_interval_has_nominal_coverage(rng, miscalibration):
    truth = curve_of_statistics(
        *sample(rng, 1_000_000, miscalibration), num_bins=NUM_BINS, resamples=100
    ).ece
    covered = 0
    for seed in range(60):
        curve = curve_of_statistics(
            *sample(rng, 1000, miscalibration), num_bins=NUM_BINS, resamples=200, seed=seed
        )
        covered += curve.ece_low <= truth <= curve.ece_high
    assert covered >= 51  # of 60 at 95 %: fewer than 51 in one run of a thousand, by the binomial


def test_copies_in_one_group_do_not_narrow_the_interval(rng):
    """Copies of an example are no new evidence: the noise is that of the originals."""
    confidence, hits = sample(rng, 400, 0.2)
    copies = 16
    apart = curve_of_statistics(confidence.repeat(copies), hits.repeat(copies), num_bins=5)
    together = curve_of_statistics(
        confidence.repeat(copies),
        hits.repeat(copies),
        groups=np.arange(400).repeat(copies),
        num_bins=5,
    )
    originals = curve_of_statistics(confidence, hits, num_bins=5)
    assert together.ece_high - together.ece_low == pytest.approx(
        originals.ece_high - originals.ece_low, rel=1e-5
    )
    assert together.ece_high - together.ece_low > 2.5 * (apart.ece_high - apart.ece_low)


def test_joining_units_keeps_variance(rng):
    number = 20_000
    index = rng.integers(0, 4, number)
    gaps = rng.normal(size=number)
    noise = bin_noise(gaps, np.ones(number), index, np.arange(number), 4, 1000, rng)
    expected = np.sqrt(np.bincount(index, gaps**2, 4)) / number
    np.testing.assert_allclose(noise.std(axis=0), expected, rtol=0.15)
    assert noise.shape == (1000, 4)


def test_single_group_has_no_interval():
    curve = curve_of_statistics([0.75, 0.75], [1, 0], groups=[3, 3])
    assert (curve.ece, curve.ece_corrected, curve.groups) == (0.25, 0.25, 1)
    assert np.isnan([curve.ece_low, curve.ece_high]).all()


def test_miscalibration_of_one_bin_is_covered():
    """One family of gaps covers 0.74 here: it takes the noise of the other bins for real."""
    edges, covered, truth = np.arange(16) / 15, 0, 0.1 * (1 - (14 / 15) ** 4)
    for seed in range(60):
        rng = np.random.default_rng(seed)
        c = rng.beta(4, 1, 5_000)
        right = rng.random(5_000) < c - 0.1 * (c > 14 / 15)
        index = np.searchsorted(edges[1:-1], c)
        _, (low, high) = error_interval(
            right - c, np.ones(5_000), index, np.arange(5_000), 15, 0.95, 300, seed
        )
        covered += low <= truth <= high
    assert covered >= 53  # of 60; below that in 1 of 100 draws of 0.95


def test_mean_has_normal_interval(rng):
    values, weights = rng.normal(2, 3, 4000), rng.uniform(0.5, 2, 4000)
    mean, ends = mean_interval(values, weights, np.arange(4000), 0.9, 4000, 1)
    assert mean == pytest.approx(np.average(values, weights=weights))
    error = np.sqrt(np.sum((weights * (values - mean)) ** 2)) / weights.sum()
    np.testing.assert_allclose(ends, mean + norm.ppf([0.05, 0.95]) * error, atol=0.12 * error)


def test_groups_are_resampled_together(rng):
    values = np.repeat(rng.normal(size=900), 4)
    groups = np.repeat(np.arange(900), 4)
    alone = mean_interval(values[::4], np.ones(900), np.arange(900), 0.95, 1000, 0)
    together = mean_interval(values, np.ones(3600), groups, 0.95, 1000, 0)
    assert together == (pytest.approx(alone[0]), pytest.approx(alone[1]))
    rate, ends = proportion_interval(values > 0, np.ones(3600), groups, 0.95, 1000, 0)
    exact = binomtest(int((values[::4] > 0).sum()), 900).proportion_ci(0.95)
    np.testing.assert_allclose(ends, exact, atol=0.006)
    assert rate == (values > 0).mean()


def test_means_of_one_seed_are_paired(rng):
    values, groups = rng.normal(size=300), np.arange(300)
    first, second = (mean_noise(v, np.ones(300), groups, 100, 5) for v in (values, -2 * values))
    np.testing.assert_allclose(second, -2 * first, atol=1e-12)


@pytest.mark.parametrize("hits", [0, 3, 40])
def test_interval_of_proportion_equals_scipy(hits):
    values = (np.arange(40) < hits).astype(float)
    for weight in (1, 7.5):
        rate, ends = proportion_interval(values, np.full(40, weight), np.arange(40), 0.95, 100, 0)
        assert rate == pytest.approx(hits / 40)
        np.testing.assert_allclose(ends, binomtest(hits, 40).proportion_ci(0.95), atol=1e-9)


def test_interval_without_errors_counts_groups():
    ends = proportion_interval(np.ones(40), np.ones(40), np.repeat(np.arange(10), 4), 0.95, 100, 0)[
        1
    ]
    np.testing.assert_allclose(ends, binomtest(10, 10).proportion_ci(0.95), atol=1e-9)


def test_means_of_a_single_group_have_no_interval():
    one = np.zeros(5, int)
    for interval in (mean_interval, proportion_interval):
        value, ends = interval(np.ones(5), np.ones(5), one, 0.95, 100, 0)
        assert value == 1
        assert np.isnan(ends).all()
