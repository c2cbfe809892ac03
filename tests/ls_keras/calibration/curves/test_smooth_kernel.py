import numpy as np
import pytest
from scipy.stats import norm

from ls_keras.calibration.curves.smooth_kernel import (
    CELLS,
    LEAST_BANDWIDTH,
    smoothed,
    spread,
    trapezoid,
)


def reflected(t, at, sigma):
    """The density of a Gaussian that walls at 0 and 1 reflect, as a sum over mirror images."""
    images = [at + 2 * k for k in range(-4, 5)] + [-at + 2 * k for k in range(-4, 5)]
    return sum(norm.pdf(t, image, sigma) for image in images)


@pytest.mark.parametrize("at", [0, 1, 13, 63, 64])
@pytest.mark.parametrize("sigma", [0.07, 0.3, 1.0])
def test_the_kernel_is_a_gaussian_with_its_mirror_images(at, sigma):
    nodes = np.zeros(65)
    nodes[at] = 2.0
    expected = 2 * reflected(np.linspace(0, 1, 65), at / 64, sigma)
    np.testing.assert_allclose(smoothed(nodes, sigma), expected, atol=1e-12)


@pytest.mark.parametrize("sigma", [LEAST_BANDWIDTH, 0.01, 1.0])
def test_smoothing_keeps_the_mass_and_never_adds_to_its_size(rng, sigma):
    nodes = rng.normal(size=CELLS + 1)
    density = smoothed(nodes, sigma)
    parts = trapezoid(CELLS)
    assert parts @ density == pytest.approx(nodes.sum(), abs=1e-9)
    assert parts @ np.abs(density) <= np.abs(nodes).sum()


def test_spreading_keeps_mass_and_mean(rng):
    position, mass = rng.random(100), rng.normal(size=100)
    position[:2] = 0, 1
    nodes = spread(position, mass, 8)
    assert nodes.sum() == pytest.approx(mass.sum())
    assert nodes @ np.linspace(0, 1, 9) == pytest.approx(mass @ position)
    np.testing.assert_allclose(spread(np.array([0.1875]), np.array([4.0]), 4), [1, 3, 0, 0, 0])


def test_rows_are_smoothed_each_for_itself(rng):
    nodes = rng.normal(size=(3, 33))
    expected = [smoothed(row, 0.1) for row in nodes]
    np.testing.assert_allclose(smoothed(nodes, 0.1), expected, atol=1e-12)
