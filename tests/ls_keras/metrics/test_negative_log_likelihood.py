import keras
import numpy as np
import pytest
from keras import ops

from ls_keras.metrics import NegativeLogLikelihood, Perplexity

LOGITS = np.float32([[2.0, 0.0, -1.0], [0.5, 0.5, 3.0], [-4.0, 1.0, 1.0], [1e4, -1e4, 0.0]])
LABELS = np.int32([0, 1, 2, 0])


def nll_of(y_true, y_pred, **options):
    metric = NegativeLogLikelihood(**options)
    metric.update_state(y_true, y_pred)
    return float(metric.result())


def test_by_hand():
    y_pred = [[0.5, 0.5], [0.75, 0.25]]
    assert nll_of([0, 1], y_pred) == pytest.approx(np.log(8) / 2, rel=1e-6)
    perplexity = Perplexity()
    perplexity.update_state([0, 1], y_pred)
    assert float(perplexity.result()) == pytest.approx(np.sqrt(8), rel=1e-6)


def test_equals_the_unsmoothed_loss_of_keras():
    sparse = keras.losses.SparseCategoricalCrossentropy(from_logits=True)(LABELS, LOGITS)
    assert nll_of(LABELS, LOGITS, from_logits=True) == pytest.approx(float(sparse), rel=1e-6)
    p = ops.softmax(ops.array(LOGITS))
    sparse = keras.losses.SparseCategoricalCrossentropy()(LABELS, p)
    assert nll_of(LABELS, p) == pytest.approx(float(sparse), rel=1e-5)


def test_soft_targets_against_numpy(rng):
    y_true = rng.dirichlet(np.ones(3), 4).astype("float32")
    exact = LOGITS.astype(float)
    exact = exact - np.logaddexp.reduce(exact, axis=-1, keepdims=True)
    expected = -(y_true * exact).sum(-1).mean()
    assert nll_of(y_true, LOGITS, from_logits=True) == pytest.approx(expected, rel=1e-6)


def test_a_forbidden_class_costs_nothing_unless_it_is_the_target():
    logits = np.float32([[0.0, 0.0, -np.inf]])
    dense = np.float32([[0.5, 0.5, 0.0]])
    assert nll_of(dense, logits, from_logits=True) == pytest.approx(np.log(2), rel=1e-6)
    assert nll_of([0], logits, from_logits=True) == pytest.approx(np.log(2), rel=1e-6)
    assert nll_of([2], logits, from_logits=True) == np.inf


def test_zero_probabilities_are_bounded_as_in_keras():
    assert nll_of([1], [[1.0, 0.0]]) == pytest.approx(-np.log(1e-7), rel=1e-5)


@pytest.mark.peers
def test_torchmetrics_perplexity_and_scikit_learn_log_loss(rng):
    import torch
    from sklearn.metrics import log_loss
    from torchmetrics.text import Perplexity as Reference

    logits = rng.normal(size=(4, 7, 11)).astype("float32")
    labels = rng.integers(0, 11, (4, 7))
    reference = Reference(ignore_index=3)(torch.tensor(logits), torch.tensor(labels))
    perplexity = Perplexity(from_logits=True, ignore_class=3)
    perplexity.update_state(labels, logits)
    assert float(perplexity.result()) == pytest.approx(float(reference), rel=1e-5)

    exact = np.exp(logits.reshape(-1, 11).astype(float))
    exact /= exact.sum(-1, keepdims=True)
    expected = log_loss(labels.reshape(-1), exact, labels=range(11))
    assert nll_of(labels, logits, from_logits=True) == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("dense", [False, True])
def test_logits_far_from_zero_lose_no_digits(rng, dense):
    z = np.round(rng.normal(size=(50, 20)) * 64).astype("float32") / 64
    y = rng.integers(0, 20, 50)
    y = np.eye(20, dtype="float32")[y] if dense else y
    near = nll_of(y, z, from_logits=True)
    assert nll_of(y, z + np.float32(1e4), from_logits=True) == pytest.approx(near, rel=1e-6)


def test_a_perplexity_of_16_bits_is_that_of_float32():
    logits = np.float32([[0.0, 10.3]] * 4)  # 10.3 has two decimals in 16 bits
    exact = Perplexity(from_logits=True)
    half = Perplexity(from_logits=True, dtype="float16")
    for metric in (exact, half):
        metric.update_state([0, 0, 0, 0], logits)
    assert float(half.result()) == pytest.approx(float(exact.result()), rel=1e-3)
