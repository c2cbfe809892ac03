"""The table of losses: a row for each, and each smoothing, that `LossTester` tests."""

import keras
import numpy as np
import pytest
from keras import ops

from loss_tester import LossTester, Row, batch, log_softmax
from ls_keras.inputs.registry import LOSSES
from ls_keras.losses import (
    ConfidencePenalty,
    FocalCE,
    MarginSmoothing,
    MaxSup,
    NegativeSmoothing,
    Prior,
    SmoothedBCE,
    SmoothedCE,
    Smoothing,
    Uniform,
    Unigram,
    smooth_labels,
)

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


# The mass that alpha takes off the target: of labels `(B, T)` and which of them count.
Q = {
    "uniform": np.full(K, 1 / K),
    "exclude": np.array([0, 1, 0, 1, 1, 1, 1]) / 5,
    "unigram": np.array([1, 2, 3, 4, 5, 6, 0]) / 21,
    "prior": np.array([0.5, 0.2, 0.1, 0.1, 0.1, 0, 0]),
    "neighborhood": neighborhood,
}
SMOOTHINGS = {
    "uniform": "uniform",
    "exclude": Uniform(exclude=[0, 2]),
    "unigram": Unigram(np.arange(K), exclude=[6]),
    "prior": Prior([0.5, 0.2, 0.1, 0.1, 0.1, 0, 0]),
    "neighborhood": "neighborhood",
}


def targets(name, alpha, labels, counted):
    q = Q[name](labels, counted) if callable(Q[name]) else Q[name]
    return (1 - alpha) * np.eye(K)[labels] + alpha * q


def smoothed(name):
    def make(alpha, **options):
        return SmoothedCE(alpha, smoothing=SMOOTHINGS[name], **{"from_logits": True, **options})

    def values(alpha, labels, z, counted):
        return -(targets(name, alpha, labels, counted) * log_softmax(z)).sum(-1)

    return Row(make, values, dense=name != "neighborhood")


def neighbor(make, values):
    """A row of a function of strength, p_y and p, or z, as the papers write it."""

    def reference(strength, labels, z, counted):
        log_p = log_softmax(z)
        at_label = np.take_along_axis(log_p, labels[..., None], axis=-1)[..., 0]
        return values(strength, at_label, log_p)

    return Row(
        lambda strength, **options: make(strength, **{"from_logits": True, **options}), reference
    )


def beyond(z, margin):
    return np.maximum(0, z.max(-1, keepdims=True) - z - margin).mean(-1)


def flsd53(_, log_p_y, log_p):
    return -((1 - np.exp(log_p_y)) ** np.where(np.exp(log_p_y) < 0.2, 5, 3)) * log_p_y


ROWS = {name: smoothed(name) for name in Q} | {
    # Of these, what matters of logits is their distances: log p has the same.
    "max_sup": neighbor(MaxSup, lambda a, log_p_y, z: -log_p_y + a * (z.max(-1) - z.mean(-1))),
    "margin": neighbor(
        lambda alpha, **options: MarginSmoothing(alpha, margin=2.5, **options),
        lambda a, log_p_y, z: -log_p_y + a * beyond(z, 2.5),
    ),
    "focal": neighbor(FocalCE, lambda g, log_p_y, _: -((1 - np.exp(log_p_y)) ** g) * log_p_y),
    "flsd53": neighbor(lambda _, **options: FocalCE("flsd53", **options), flsd53),
    "confidence_penalty": neighbor(
        ConfidencePenalty, lambda b, log_p_y, log_p: -log_p_y + b * (np.exp(log_p) * log_p).sum(-1)
    ),
    "negative": neighbor(
        lambda strength, **options: NegativeSmoothing(-strength, **options),
        lambda a, log_p_y, log_p: -(1 + a) * log_p_y + a * log_p.mean(-1),
    ),
}


@pytest.fixture(params=ROWS)
def row(request):
    return ROWS[request.param]


class TestLosses(LossTester):
    pass


def registered(kind) -> set[type]:
    """Returns the registered classes of a kind."""
    classes = {entry for entry in LOSSES.entries.values() if isinstance(entry, type)}
    return {cls for cls in classes if issubclass(cls, kind)}


def test_every_loss_and_smoothing_has_a_row():
    made = [row.make(0.1) for row in ROWS.values()]
    # The labels of sigmoids differ: test_smoothed_bce.py tests the same properties.
    assert {type(loss) for loss in made} == registered(keras.losses.Loss) - {SmoothedBCE}
    smoothings = {type(loss.smoothing) for loss in made if isinstance(loss, SmoothedCE)}
    assert smoothings == registered(Smoothing)


@pytest.mark.parametrize("alpha", [0.0, 0.1, 1.0])
@pytest.mark.parametrize("name", Q)
def test_smooth_labels_are_the_targets_of_the_loss(name, alpha):
    labels, *_ = batch()
    built = smooth_labels(labels, alpha, K, SMOOTHINGS[name])
    expected = targets(name, alpha, labels, np.ones(labels.shape, bool))
    np.testing.assert_allclose(ops.convert_to_numpy(built), expected, atol=1e-6)
