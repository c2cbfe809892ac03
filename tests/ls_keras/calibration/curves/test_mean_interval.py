"""Against SciPy: normal and exact binomial intervals, and the textbook's error of cluster means."""

import numpy as np
import pytest
from scipy.stats import binomtest, norm

from ls_keras.calibration.curves.intervals import mean_interval, mean_noise, proportion_interval


def test_a_mean_of_many_has_the_normal_interval(rng):
    values, weights = rng.normal(2, 3, 4000), rng.uniform(0.5, 2, 4000)
    mean, ends = mean_interval(values, weights, np.arange(4000), 0.9, 4000, 1)
    assert mean == pytest.approx(np.average(values, weights=weights))
    error = np.sqrt(np.sum((weights * (values - mean)) ** 2)) / weights.sum()
    np.testing.assert_allclose(ends, mean + norm.ppf([0.05, 0.95]) * error, atol=0.12 * error)


def test_examples_of_a_group_are_resampled_together(rng):
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
def test_a_proportion_s_interval_is_scipy_s(hits):
    values = (np.arange(40) < hits).astype(float)
    for weight in (1, 7.5):
        rate, ends = proportion_interval(values, np.full(40, weight), np.arange(40), 0.95, 100, 0)
        assert rate == pytest.approx(hits / 40)
        np.testing.assert_allclose(ends, binomtest(hits, 40).proportion_ci(0.95), atol=1e-9)


def test_all_right_in_groups_counts_groups():
    ends = proportion_interval(np.ones(40), np.ones(40), np.repeat(np.arange(10), 4), 0.95, 100, 0)[
        1
    ]
    np.testing.assert_allclose(ends, binomtest(10, 10).proportion_ci(0.95), atol=1e-9)


def test_a_single_group_has_no_interval():
    one = np.zeros(5, int)
    for interval in (mean_interval, proportion_interval):
        value, ends = interval(np.ones(5), np.ones(5), one, 0.95, 100, 0)
        assert value == 1
        assert np.isnan(ends).all()
