import numpy as np
import pytest
from scipy import special
from scipy.optimize import minimize_scalar
from scipy.special import softmax

import ls_keras
from diagnosed import predictions
from ls_keras.calibration.scaling.recalibration import example_scores, log_softmax
from ls_keras.calibration.scaling.temperature import fit_examples
from ls_keras.diagnosis.temperature import (
    fold_ids,
    influence_by_folds,
    scale_held_out,
    slopes,
    temperature_interval,
)
from ls_keras.inputs.numpy_examples import read_host_examples


def test_folds_keep_groups_together():
    groups = np.random.default_rng(0).integers(100, 137, 400)
    ids = fold_ids(groups, 5, seed=0)
    for group in np.unique(groups):
        assert len(np.unique(ids[groups == group])) == 1
    sizes = [len(np.unique(groups[ids == fold])) for fold in range(5)]
    assert max(sizes) - min(sizes) <= 1
    assert (fold_ids(groups, 5, seed=1) != ids).any()


@pytest.mark.parametrize("dense", [False, True])
def test_examples_are_scored_with_temperature_of_other_folds(dense):
    y, z = predictions(90)
    ids = np.arange(90) % 3
    target = np.eye(4, dtype=np.float32)[y]
    examples = read_host_examples(target if dense else y, z, from_logits=True)
    found, temperatures = scale_held_out(examples, ids)
    for fold in range(3):
        at = ids == fold
        t = ls_keras.fit_temperature(y[~at], z[~at], from_logits=True).temperature
        np.testing.assert_allclose(temperatures[at], t)
        log_p = log_softmax(z[at].astype(float), t)
        np.testing.assert_allclose(found.nll[at], -log_p[np.arange(30), y[at]], rtol=1e-6)
        np.testing.assert_allclose(found.confidence[at], np.exp(log_p).max(-1), rtol=1e-6)
        np.testing.assert_array_equal(found.correct[at], log_p.argmax(-1) == y[at])


def test_influence_equals_derivative_by_weight():
    y, z = predictions(200)
    ids, more = np.arange(200) % 4, 1e-3

    def gains(weights):
        examples = read_host_examples(y, z / 2.1, from_logits=True, sample_weight=weights)
        scaled, temperatures = scale_held_out(examples, ids)
        before = example_scores(examples, log_softmax)
        each = [getattr(before, k) - getattr(scaled, k) for k in ("nll", "brier")]
        return np.stack(each), np.stack(influence_by_folds(examples, temperatures, ids))

    gain, influence = gains(np.ones(200))
    np.testing.assert_allclose(influence.mean(-1), 0, atol=1e-12)
    for i in (3, 50, 121):
        weights = 1 + more * (np.arange(200) == i)
        changed = np.average(gains(weights)[0], axis=-1, weights=weights)
        expected = (changed - gain.mean(-1)) * (200 + more) / more
        found = (gain + influence)[:, i] - gain.mean(-1)
        np.testing.assert_allclose(found, expected, rtol=0.2, atol=2e-3)


def sample(rng, number=500):
    z = rng.normal(size=(number, 4)) * 3
    return (z / 2 + rng.gumbel(size=z.shape)).argmax(-1), z


@pytest.mark.parametrize("weighted", [False, True])
def test_interval_equals_refits_of_resamples(rng, weighted):
    y, z = sample(rng)
    weights = rng.uniform(0.2, 2, 500).astype(np.float32) if weighted else None
    examples = read_host_examples(y, z, from_logits=True, sample_weight=weights)
    fit = fit_examples(examples)
    found = temperature_interval(examples, fit, np.arange(500), 0.9, 2000, 0)
    w = np.ones(500) if weights is None else weights

    def best(at):
        def loss(t):
            return -np.average(
                special.log_softmax(z[at] / t, -1)[np.arange(500), y[at]], weights=w[at]
            )

        return minimize_scalar(loss, bounds=(0.5, 6), method="bounded").x

    refitted = [best(rng.integers(0, 500, 500)) for _ in range(400)]
    width = found[1] - found[0]
    np.testing.assert_allclose(found, np.quantile(refitted, [0.05, 0.95]), atol=0.15 * width)
    assert found[0] < fit.temperature < found[1]


@pytest.mark.parametrize("dense", [False, True])
def test_slopes_are_derivatives_of_the_loss(rng, dense):
    y, z = sample(rng, 50)
    z[:5, 3] = -np.inf
    y[:5] = 0
    target = np.eye(4)[y] if not dense else np.where(np.isinf(z), 0, rng.dirichlet(np.ones(4), 50))
    examples = read_host_examples(target if dense else y, z, from_logits=True)
    finite = np.where(np.isinf(z), -1e9, z)

    def loss(beta):
        return -(target * np.where(target == 0, 0, special.log_softmax(beta * finite, -1))).sum(-1)

    slope, brier, curvature = slopes(examples, 0.7)

    def brier_score(beta):
        return np.square(np.exp(special.log_softmax(beta * finite, -1)) - target).sum(-1)

    expected = (brier_score(0.7 + 1e-6) - brier_score(0.7 - 1e-6)) / 2e-6
    np.testing.assert_allclose(brier, expected, atol=1e-6)
    # Targets lose what is off when a class is forbidden: the loss is that of what is left.
    np.testing.assert_allclose(slope, (loss(0.7001) - loss(0.6999)) / 2e-4, atol=1e-5)
    p = softmax(0.7 * finite, -1)
    shifted = finite - finite.max(-1, keepdims=True)
    shifted[p == 0] = 0
    variance = (p * shifted**2).sum(-1) - (p * shifted).sum(-1) ** 2
    assert curvature == pytest.approx(np.mean(target.sum(-1) * variance))


def test_interval_is_nan_without_information(rng):
    y, z = sample(rng, 40)
    one_group = np.zeros(40, int)
    for labels, logits, groups in (
        (y, 0 * z, np.arange(40)),
        (z.argmax(-1), z, np.arange(40)),
        (y, z, one_group),
    ):
        examples = read_host_examples(labels, logits, from_logits=True)
        fit = fit_examples(examples)
        assert np.isnan(temperature_interval(examples, fit, groups, 0.9, 100, 0)).all()


def test_interval_of_few_examples_may_be_unbounded():
    z = np.tile([1.0, 0.0], (8, 1))
    examples = read_host_examples([0, 0, 0, 0, 0, 1, 1, 1], z, from_logits=True)
    low, high = temperature_interval(examples, fit_examples(examples), np.arange(8), 0.9, 500, 0)
    assert 0 < low < 2
    assert high == np.inf
