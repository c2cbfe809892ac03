import pytest
from scipy import stats

from lsk_engine.tasks.percentage import percentage


@pytest.mark.parametrize(("count", "total"), [(0, 5), (3, 7), (200, 200), (199, 200)])
def test_the_ends_are_those_of_the_beta_distribution(count, total):
    """Clopper and Pearson 1934: the quantiles of Beta distributions."""
    value, (low, high) = percentage(count, total)
    assert value == 100 * count / total
    lowest = stats.beta.ppf(0.025, count, total - count + 1) if count else 0
    highest = stats.beta.ppf(0.975, count + 1, total - count) if count < total else 1
    assert low == pytest.approx(100 * lowest)
    assert high == pytest.approx(100 * highest)
