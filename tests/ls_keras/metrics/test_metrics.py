"""The table of metrics: a row for each that the library offers, which `MetricTester` tests."""

import itertools

import keras
import numpy as np
import pytest
from sklearn.metrics import accuracy_score, brier_score_loss, log_loss

from ls_keras import metrics
from ls_keras.metrics import (
    Accuracy,
    BrierScore,
    ExpectedCalibrationError,
    NegativeLogLikelihood,
    Perplexity,
)
from metric_tester import MetricTester, Row

pytestmark = pytest.mark.tables

BINS = 7


def nll(y_true, p, weights):
    return log_loss(y_true, p, sample_weight=weights, labels=range(p.shape[-1]))


def brier(y_true, p, weights):
    classes = range(p.shape[-1])
    return brier_score_loss(y_true, p, sample_weight=weights, labels=classes, scale_by_half=False)


def accuracy(y_true, p, weights):
    return accuracy_score(y_true, p.argmax(-1), sample_weight=weights)


def gaps(confidence, correct, weights):
    """Yields each bin's weight, accuracy less confidence, accuracy and effective number."""
    for low, high in itertools.pairwise((np.arange(BINS + 1) / BINS).astype(np.float32)):
        w = weights * ((confidence > low) & (confidence <= high)).astype(float)
        if w.sum():
            right = (w * correct).sum() / w.sum()
            gap = right - (w * confidence).sum() / w.sum()
            yield w.sum() / weights.sum(), gap, right, w.sum() ** 2 / (w**2).sum()


def ece(y_true, p, weights):
    bins = gaps(p.max(-1), p.argmax(-1) == y_true, weights)
    return sum(share * abs(gap) for share, gap, _, _ in bins)


def classwise_ece(y_true, p, weights):
    classes = range(p.shape[-1])
    of_class = [gaps(p[:, k], y_true == k, weights) for k in classes]
    return np.mean([sum(share * abs(gap) for share, gap, _, _ in bins) for bins in of_class])


def debiased_ece(y_true, p, weights):
    bins = gaps(p.max(-1), p.argmax(-1) == y_true, weights)
    squares = (
        share * max(gap**2 - right * (1 - right) / (n - 1), 0)
        for share, gap, right, n in bins
        if n > 1
    )
    return np.sqrt(sum(squares))


def equal_mass_ece(y_true, p, weights):
    """Exact equal-mass bins: an example that an edge falls into is shared in proportion."""
    order = np.argsort(p.max(-1))
    weights, p, y_true = weights[order], p[order], y_true[order]
    ends = weights.cumsum() / weights.sum()
    starts = ends - weights / weights.sum()
    gap = (p.argmax(-1) == y_true) - p.max(-1)
    edges = itertools.pairwise(np.arange(BINS + 1) / BINS)
    return sum(
        abs((gap * (np.minimum(ends, high) - np.maximum(starts, low)).clip(0)).sum())
        for low, high in edges
    )


ROWS = {
    "nll": Row(NegativeLogLikelihood, nll),
    "perplexity": Row(Perplexity, lambda *arrays: np.exp(nll(*arrays)), within=1e-4),
    "brier": Row(BrierScore, brier),
    "accuracy": Row(Accuracy, accuracy),
    "ece": Row(lambda **options: ExpectedCalibrationError(BINS, **options), ece),
    "ece-classwise": Row(
        lambda **options: ExpectedCalibrationError(BINS, classwise=True, **options), classwise_ece
    ),
    "ece-debiased": Row(
        lambda **options: ExpectedCalibrationError(BINS, norm="l2", debias=True, **options),
        debiased_ece,
    ),
    "ece-equal-mass": Row(
        lambda **options: ExpectedCalibrationError(BINS, binning="equal_mass", **options),
        equal_mass_ece,
        within=2e-2,
    ),
}


@pytest.fixture(params=ROWS)
def row(request):
    return ROWS[request.param]


@pytest.fixture
def rows():
    return ROWS


class TestMetrics(MetricTester):
    pass


def test_every_metric_has_a_row():
    offered = {value for value in vars(metrics).values() if isinstance(value, type)}
    public = {value for value in offered if issubclass(value, keras.metrics.Metric)}
    assert {type(row.make()) for row in ROWS.values()} == public
