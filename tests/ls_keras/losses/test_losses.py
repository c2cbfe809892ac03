"""The table of losses: a row for each, and each smoothing, that `LossTester` tests."""

import keras
import numpy as np
import pytest
from keras import ops

from loss_tester import LossTester, Row, batch
from ls_keras import losses
from ls_keras.losses import Prior, SmoothedCE, Smoothing, Uniform, Unigram, smooth_labels

pytestmark = pytest.mark.tables

K = 7


def neighborhood(labels, counted, weights=(5, 2)):
    """Chorowski & Jaitly's smoothing as a plain loop."""
    q = np.zeros((*labels.shape, K))
    for b, sequence in enumerate(labels):
        for t, label in enumerate(sequence):
            for distance, weight in enumerate(weights, start=1):
                for s in (t - distance, t + distance):
                    if 0 <= s < len(sequence) and counted[b, s]:
                        q[b, t, sequence[s]] += weight
            if not q[b, t].sum():
                q[b, t, label] = 1
            q[b, t] /= q[b, t].sum()
    return q


def smoothed(smoothing, q):
    def make(alpha, **options):
        return SmoothedCE(alpha, smoothing=smoothing, **{"from_logits": True, **options})

    return Row(make, q if callable(q) else lambda labels, counted: np.array(q))


ROWS = {
    "uniform": smoothed("uniform", np.full(K, 1 / K)),
    "exclude": smoothed(Uniform(exclude=[0, 2]), np.array([0, 1, 0, 1, 1, 1, 1]) / 5),
    "unigram": smoothed(Unigram(np.arange(K), exclude=[6]), np.array([1, 2, 3, 4, 5, 6, 0]) / 21),
    "prior": smoothed(Prior([0.5, 0.2, 0.1, 0.1, 0.1, 0, 0]), [0.5, 0.2, 0.1, 0.1, 0.1, 0, 0]),
    "neighborhood": smoothed("neighborhood", neighborhood),
}


@pytest.fixture(params=ROWS)
def row(request):
    return ROWS[request.param]


class TestLosses(LossTester):
    pass


def public(kind) -> set[type]:
    """Returns the classes of a kind that `ls_keras.losses` offers, itself apart."""
    found = {value for value in vars(losses).values() if isinstance(value, type)}
    return {value for value in found if issubclass(value, kind)} - {kind}


def test_every_loss_and_smoothing_has_a_row():
    made = [row.make(0.1) for row in ROWS.values()]
    assert {type(loss) for loss in made} == public(keras.losses.Loss)
    assert {type(loss.smoothing) for loss in made} == public(Smoothing)


@pytest.mark.parametrize("alpha", [0.0, 0.1, 1.0])
def test_smooth_labels_are_the_targets_of_the_loss(row, alpha):
    labels, *_ = batch()
    targets = (1 - alpha) * np.eye(K)[labels] + alpha * row.q(labels, np.ones(labels.shape, bool))
    built = smooth_labels(labels, alpha, K, row.make(alpha).smoothing)
    np.testing.assert_allclose(ops.convert_to_numpy(built), targets, atol=1e-6)
