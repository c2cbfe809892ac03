"""Against refits of resamples, with SciPy's own search."""

import numpy as np
import pytest
from scipy.optimize import minimize_scalar
from scipy.special import log_softmax, softmax

from ls_keras.calibration.scaling.temperature import fit_examples
from ls_keras.calibration.scaling.temperature_sums import slopes
from ls_keras.diagnosis.temperature import temperature_interval
from ls_keras.inputs.numpy_examples import read_host_examples


def sample(rng, number=500):
    z = rng.normal(size=(number, 4)) * 3
    return (z / 2 + rng.gumbel(size=z.shape)).argmax(-1), z


@pytest.mark.parametrize("weighted", [False, True])
def test_it_is_that_of_refitted_resamples(rng, weighted):
    y, z = sample(rng)
    weights = rng.uniform(0.2, 2, 500).astype(np.float32) if weighted else None
    examples = read_host_examples(y, z, from_logits=True, sample_weight=weights)
    fit = fit_examples(examples)
    found = temperature_interval(examples, fit, np.arange(500), 0.9, 2000, 0)
    w = np.ones(500) if weights is None else weights

    def best(at):
        def loss(t):
            return -np.average(log_softmax(z[at] / t, -1)[np.arange(500), y[at]], weights=w[at])

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
        return -(target * np.where(target == 0, 0, log_softmax(beta * finite, -1))).sum(-1)

    slope, brier, curvature = slopes(examples, 0.7)

    def brier_score(beta):
        return np.square(np.exp(log_softmax(beta * finite, -1)) - target).sum(-1)

    expected = (brier_score(0.7 + 1e-6) - brier_score(0.7 - 1e-6)) / 2e-6
    np.testing.assert_allclose(brier, expected, atol=1e-6)
    # Targets lose what is off when a class is forbidden: the loss is that of what is left.
    np.testing.assert_allclose(slope, (loss(0.7001) - loss(0.6999)) / 2e-4, atol=1e-5)
    p = softmax(0.7 * finite, -1)
    shifted = finite - finite.max(-1, keepdims=True)
    shifted[p == 0] = 0
    variance = (p * shifted**2).sum(-1) - (p * shifted).sum(-1) ** 2
    assert curvature == pytest.approx(np.mean(target.sum(-1) * variance))


def test_where_nothing_is_known_it_is_nan(rng):
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


def test_few_examples_may_allow_any_high_temperature():
    z = np.tile([1.0, 0.0], (8, 1))
    examples = read_host_examples([0, 0, 0, 0, 0, 1, 1, 1], z, from_logits=True)
    low, high = temperature_interval(examples, fit_examples(examples), np.arange(8), 0.9, 500, 0)
    assert 0 < low < 2
    assert high == np.inf
