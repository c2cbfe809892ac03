"""Against sums over all examples, and the curve that relplot draws."""

import numpy as np
import pytest
from scipy.stats import norm

from ls_base.errors import InputError
from ls_keras.calibration import (
    smooth_curve_of_statistics,
    smooth_error_of_statistics,
    smooth_reliability_curve,
)


@pytest.fixture
def sample(rng):
    confidence = rng.beta(4, 1, 600).astype(np.float32)
    return confidence, rng.random(600) < np.clip(confidence - 0.1, 0, 1)


def kernel(t, p, sigma):
    """The Gaussian with its mirror images, examples × points."""
    t, p = np.asarray(t)[None], np.asarray(p, float)[:, None]
    shifts = np.arange(-4, 5)[:, None, None] * 2
    return (norm.pdf(t, shifts + p, sigma) + norm.pdf(t, shifts - p, sigma)).sum(0)


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("sigma", [0.02, 0.1, 0.4])
def test_curve_equals_direct_sum_over_examples(rng, sample, sigma, weighted):
    confidence, correct = sample
    weights = rng.uniform(0.2, 3, len(correct)) if weighted else None
    found = smooth_curve_of_statistics(confidence, correct, sample_weight=weights, bandwidth=sigma)
    w = np.ones(len(correct)) if weights is None else weights
    k = kernel(found.confidence, confidence, sigma)
    density = w @ k / w.sum()
    expected = found.confidence + (w * (correct - confidence)) @ k / (w @ k)
    some = ~np.isnan(found.accuracy)
    assert some.sum() > 150
    np.testing.assert_allclose(found.accuracy[some], np.clip(expected[some], 0, 1), atol=1e-6)
    np.testing.assert_allclose(found.density, density, atol=1e-6)
    most = np.square(w @ k) / (np.square(w) @ np.square(k))
    number = np.square(w.sum()) / np.square(w).sum()
    most = np.minimum(most, number * density * 2 * sigma * np.sqrt(np.pi))
    np.testing.assert_allclose(found.examples, most, rtol=0.02, atol=1e-3)


def test_area_between_curve_and_diagonal_equals_error(sample):
    found = smooth_curve_of_statistics(*sample)
    error = smooth_error_of_statistics(*sample, resamples=0)
    assert found.error == pytest.approx(error.error, abs=1e-9)
    assert found.bandwidth == error.bandwidth
    gaps = np.nan_to_num(np.abs(found.accuracy - found.confidence)) * found.density
    assert np.trapezoid(gaps, found.confidence) == pytest.approx(error.error, abs=2e-4)


@pytest.mark.peers
def test_equals_centered_fit_of_relplot(sample):
    relplot = pytest.importorskip("relplot")
    found = smooth_curve_of_statistics(*sample)
    confidence, correct = (one.astype(float)[:, None] for one in sample)
    smoother = relplot.estimators.KernelSmoother(
        relplot.kernels.ReflectedGaussianKernel(found.bandwidth)
    )
    fitted = relplot.estimators.CenteredRegressor(smoother).fit(confidence, correct[:, 0])
    theirs = fitted.predict(found.confidence[:, None])
    many = found.examples > 30
    assert many.sum() > 100
    np.testing.assert_allclose(found.accuracy[many], theirs[many], atol=1e-3)


def test_values_computed_by_hand():
    """Of one confidence, the gap is the same all around, and so far as the kernel reaches."""
    found = smooth_curve_of_statistics([0.75] * 4, [1, 0, 1, 0], bandwidth=0.02)
    at = np.flatnonzero(found.confidence == 0.75).item()
    assert found.accuracy[at] == pytest.approx(0.5, abs=1e-9)
    assert found.accuracy[at + 2] == pytest.approx(0.5 + 2 / 256, abs=1e-6)
    assert found.examples[at] == pytest.approx(4, rel=1e-3)
    assert np.isnan(found.accuracy[found.confidence < 0.65]).all()
    assert found.examples.max() <= 4


def test_labels_and_predictions_equal_statistics():
    y_true, y_pred = [0, 0, 0, 0, 1, 7], [[0.75, 0.25]] * 6
    found = smooth_reliability_curve(y_true, y_pred, ignore_class=7, bandwidth=0.05)
    again = smooth_curve_of_statistics([0.75] * 5, [1, 1, 1, 1, 0], bandwidth=0.05)
    np.testing.assert_array_equal(found.accuracy, again.accuracy)
    assert not found.multi_label
    sigmoids = smooth_reliability_curve([[1, 0]], [[0.9, 0.2]], multi_label=True, bandwidth=0.05)
    assert sigmoids.multi_label
    assert sigmoids.examples.max() == pytest.approx(1, rel=0.01)


@pytest.mark.parametrize("bandwidth", [0, 1.5, "wide"])
def test_wrong_bandwidths_raise_input_errors(bandwidth):
    with pytest.raises(InputError, match="bandwidth"):
        smooth_curve_of_statistics([0.5], [1], bandwidth=bandwidth)
