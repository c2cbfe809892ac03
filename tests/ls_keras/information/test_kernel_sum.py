import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.special import logsumexp

from ls_keras.information import kernel_sum
from ls_keras.information.kernel_sum import log_kernel_sum


def table(points, centers):
    return logsumexp(-0.5 * (points[:, None] - centers) ** 2, axis=1)


@settings(max_examples=80, deadline=None)
@given(
    arrays(float, st.integers(1, 30), elements=st.floats(-1e3, 1e3)),
    arrays(float, st.integers(1, 30), elements=st.floats(-1e3, 1e3)),
    st.sampled_from([1e-3, 1.0, 1e3]),
)
def test_sum_equals_scipy_logsumexp(points, centers, scale):
    points, centers = points * scale, centers * scale
    np.testing.assert_allclose(
        log_kernel_sum(points, centers), table(points, centers), rtol=1e-12, atol=1e-12
    )


@pytest.mark.parametrize("spread", [0.3, 30.0, 3e4])
def test_blocks_do_not_change_the_sum(monkeypatch, rng, spread):
    points, centers = rng.normal(size=400) * spread, rng.normal(size=300) * spread
    for pairs in (1, 1000, 1 << 19):
        monkeypatch.setattr(kernel_sum, "_PAIRS", pairs)
        np.testing.assert_allclose(
            log_kernel_sum(points, centers), table(points, centers), rtol=1e-12
        )


def test_far_points_use_the_nearest_center():
    found = log_kernel_sum(np.array([1e100, -3e5, 0.5]), np.array([0.0, 1.0, 1e160]))
    np.testing.assert_allclose(found, [-0.5e200, -0.5 * 3e5**2, np.log(2) - 0.125], rtol=1e-12)
