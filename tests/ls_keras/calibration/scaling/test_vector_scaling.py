import numpy as np
import pytest
from scipy.optimize import approx_fprime
from scipy.special import log_softmax

from ls_base.errors import InputError
from ls_keras.calibration.scaling.temperature import fit_temperature
from ls_keras.calibration.scaling.vector_scaling import fit_vector_scaling


def sample(n=6_000, seed=0):
    """Logits that a known scale and bias calibrate."""
    rng = np.random.default_rng(seed)
    z = rng.standard_normal((n, 4)) * 3
    scale, bias = np.array([0.4, 0.5, 0.9, 0.6]), np.array([0.5, -0.5, 0.3, -0.3])
    y = (scale * z + bias + rng.gumbel(size=z.shape)).argmax(-1)
    return y, z.astype(np.float32), scale, bias


def nll(y, z, scale, bias, w=None):
    return np.average(-log_softmax(scale * z + bias, -1)[np.arange(len(y)), y], weights=w)


def test_true_scales_are_found():
    y, z, scale, bias = sample(40_000)
    fit = fit_vector_scaling(y, z, from_logits=True)
    assert fit.converged
    np.testing.assert_allclose(fit.scale, scale, atol=0.05)
    np.testing.assert_allclose(fit.bias, bias, atol=0.08)
    assert fit.nll_after < fit_temperature(y, z, from_logits=True).nll_after < fit.nll_before
    assert fit.ece_after < fit.ece_before


def test_optimum_is_stationary_and_values_equal_scipy():
    y, z, *_ = sample(500)
    w = np.random.default_rng(1).random(500).astype(np.float32)
    fit = fit_vector_scaling(y, z, sample_weight=w, from_logits=True)
    assert fit.nll_before == pytest.approx(nll(y, z, 1, 0, w), rel=1e-6)
    assert fit.nll_after == pytest.approx(nll(y, z, fit.scale, fit.bias, w), rel=1e-9)
    gradient = approx_fprime(
        np.r_[fit.scale, fit.bias], lambda x: nll(y, z.astype(float), x[:4], x[4:], w), 1e-7
    )
    assert np.abs(gradient).max() < 1e-4
    assert abs(fit.bias.sum()) < 1e-9


def test_masked_classes_and_ignored_positions():
    y, z, *_ = sample(800)
    expected = fit_vector_scaling(y, z, from_logits=True)
    wide = np.concatenate([z, np.full((800, 1), -np.inf, np.float32)], -1)
    fit = fit_vector_scaling(y, wide, from_logits=True)
    np.testing.assert_allclose(fit.scale[:4], expected.scale, atol=1e-4)
    assert fit.nll_after == pytest.approx(expected.nll_after, abs=1e-8)
    spoilt = np.concatenate([z, np.full((3, 4), np.nan, np.float32)])
    labels = np.concatenate([y, [-1, -1, -1]])
    ignoring = fit_vector_scaling(labels, spoilt, ignore_class=-1, from_logits=True)
    np.testing.assert_allclose(ignoring.scale, expected.scale, atol=1e-12)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"max_iterations": 0}, "max_iterations"),
        ({"tolerance": 0.0}, "tolerance"),
        ({"num_bins": 0}, "num_bins"),
        ({"sample_weight": np.zeros(10)}, "counts"),
    ],
)
def test_wrong_arguments_raise_input_errors(options, message):
    y, z, *_ = sample(10)
    with pytest.raises(InputError, match=message):
        fit_vector_scaling(y, z, from_logits=True, **options)


def test_fit_without_bias_has_a_temperature_per_class():
    y, z, scale, _ = sample(40_000)
    y = (scale * z + np.random.default_rng(3).gumbel(size=z.shape)).argmax(-1)
    fit = fit_vector_scaling(y, z, from_logits=True, bias=False)
    np.testing.assert_allclose(1 / fit.scale, 1 / scale, rtol=0.1)
    np.testing.assert_array_equal(fit.bias, 0)
    assert fit.converged


@pytest.mark.parametrize("low", [-1e4, -1e9])
def test_classes_masked_by_large_negative_logits_equal_infinite_ones(low):
    y, z, *_ = sample(2_000)
    masked = np.random.default_rng(1).random(z.shape) < 0.05
    masked[np.arange(len(y)), y] = False
    fits = [
        fit_vector_scaling(y, np.where(masked, value, z), from_logits=True)
        for value in (-np.inf, low)
    ]
    np.testing.assert_allclose(fits[1].scale, fits[0].scale, atol=2e-3)
    assert fits[1].nll_after == pytest.approx(fits[0].nll_after, abs=1e-5)


def test_vector_fit_without_wrong_predictions_does_not_converge():
    _, z, *_ = sample(100)
    fit = fit_vector_scaling(z.argmax(-1), z, from_logits=True)
    assert not fit.converged
