import math
import sys
import tracemalloc

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from keras import ops
from scipy.integrate import quad
from scipy.special import logsumexp
from scipy.stats import norm

from ls_base.errors import InputError
from ls_keras.information import MutualInformation, estimator_bias, mutual_information
from ls_keras.information.mutual_information import log_kernel_sum

BOTH = pytest.mark.parametrize("scored", ["held_out", "reused"])


def plain(samples, scored):
    """The formula with the whole N × N table."""
    n, draws = samples.shape
    means = np.empty_like(samples)
    for j in range(draws):
        others = samples if scored == "reused" else np.delete(samples, j, axis=1)
        means[:, j] = others.mean(1)
    variance = ((samples - means) ** 2).mean()
    total = 0.0
    for j in range(draws):
        table = -((samples[:, j, None] - means[None, :, j]) ** 2) / (2 * variance)
        total += (np.diag(table) - logsumexp(table, axis=1) + math.log(n)).mean()
    return total / draws


@BOTH
def test_estimate_equals_the_formula(rng, scored):
    samples = rng.normal(size=(70, 1)) * 3 + rng.normal(size=(70, 4))
    found = mutual_information(samples, scored=scored)
    assert found.value == pytest.approx(plain(samples, scored), rel=1e-10)
    assert (found.num_examples, found.draws, found.scored) == (70, 4, scored)
    assert found.upper_bound == math.log(70)


def test_value_computed_by_hand():
    # Means of both draws: 1 and 11, residuals ±1, σ = 1. For each example and draw one other mean
    # is 9 or 11 away: the brackets are log 2 − log(1 + e^-40) and log 2 − log(1 + e^-60).
    found = mutual_information([[0.0, 2.0], [10.0, 12.0]], scored="reused")
    assert found.sigma == pytest.approx(1)
    expected = math.log(2) - (math.log1p(math.exp(-40)) + math.log1p(math.exp(-60))) / 2
    assert found.value == pytest.approx(expected, abs=1e-14)


@BOTH
def test_separated_points_give_log_n(rng, scored):
    samples = 1e3 * np.arange(60)[:, None] + rng.normal(size=(60, 5))
    assert mutual_information(samples, scored=scored).value == pytest.approx(math.log(60))


@pytest.mark.parametrize(("scored", "expected"), [("reused", 0.805), ("held_out", 0.618)])
def test_two_collapsed_groups_give_log_2_plus_bias(rng, scored, expected):
    # The paper's setting: 300 + 300 examples, 5 draws.
    centers = np.repeat([0.0, 50.0], 300)[:, None]
    found = [
        mutual_information(centers + rng.normal(size=(600, 5)), scored=scored) for _ in range(4)
    ]
    mean = np.mean([f.value for f in found])
    assert mean == pytest.approx(expected, abs=0.012)
    assert math.log(2) + found[0].bias == pytest.approx(expected, abs=1e-3)


@BOTH
def test_equal_examples_give_the_bias(rng, scored):
    samples = rng.normal(size=(600, 5))
    found = mutual_information(samples, scored=scored)
    assert found.value == pytest.approx(found.bias, abs=0.03)
    assert (found.value < 0) == (scored == "held_out")  # not clipped
    many = mutual_information(rng.normal(size=(150, 60)), scored=scored)
    assert many.value == pytest.approx(0, abs=0.02)


@pytest.mark.parametrize("draws", [2, 5, 9])
def test_bias_equals_the_expectation(draws):
    # Expectations over f and μ_x′ (s = 1) by Gauss-Hermite quadrature, not by the closed form.
    nodes, weights = np.polynomial.hermite_e.hermegauss(120)
    weights = weights / weights.sum()

    def mean_bracket(variance, of_mean):
        distances = nodes[:, None] - math.sqrt(of_mean) * nodes[None, :]
        inner = logsumexp(-(distances**2) / (2 * variance), axis=1, b=weights)
        return -0.5 - weights @ inner

    reused = mean_bracket(1 - 1 / draws, 1 / draws)
    assert estimator_bias(draws, "reused") == pytest.approx(reused, abs=1e-6)
    m = draws - 1
    held_out = mean_bracket(1 + 1 / m, 1 / m)
    assert estimator_bias(draws, "held_out") == pytest.approx(held_out, abs=1e-6)


@BOTH
def test_a_known_mixture_of_gaussians(rng, scored):
    # Entropy of the mixture by quadrature, minus that of a component.
    centers, sigma = np.array([-2.0, -0.5, 0.0, 1.0, 3.0]), 0.7

    def integrand(t):
        p = norm.pdf(t, centers, sigma).mean()
        return -p * math.log(p)

    entropy = quad(integrand, -7, 8, limit=200)[0]
    truth = entropy - 0.5 * math.log(2 * math.pi * math.e * sigma**2)
    samples = centers[:, None] + sigma * rng.normal(size=(5, 1500))
    assert mutual_information(samples, scored=scored).value == pytest.approx(truth, abs=0.025)


@BOTH
def test_estimate_is_invariant_to_order_shift_and_scale(rng, scored):
    samples = rng.normal(size=(50, 1)) + rng.normal(size=(50, 3))
    value = mutual_information(samples, scored=scored).value
    changed = {
        "examples": samples[rng.permutation(50)],
        "draws": samples[:, ::-1],
        "shift": samples + 1000.0,
        "sign": -samples,
        "large": samples * 1e200,
        "small": samples * 1e-200,
    }
    for name, other in changed.items():
        found = mutual_information(other, scored=scored)
        assert found.value == pytest.approx(value, abs=1e-9), name
    assert mutual_information(samples * 4, scored=scored).sigma == pytest.approx(
        4 * mutual_information(samples, scored=scored).sigma
    )


@BOTH
@pytest.mark.parametrize("noise", [0.0, 1e-300, 1e-12])
def test_without_noise_equal_examples_are_counted(scored, noise):
    centers = np.array([0.1, 0.1, 0.1, 0.7, 0.7, 3.3])[:, None]
    signs = np.array([[1, -1, 1, -1]])
    found = mutual_information(centers + noise * signs, scored=scored)
    expected = math.log(6) - (3 * math.log(3) + 2 * math.log(2)) / 6
    # Draws of ±noise have means that coincide within groups, up to the estimator's bias.
    tolerance = 1e-12 if noise in (0.0, 1e-300) else 0.3
    assert found.value == pytest.approx(expected, abs=tolerance)
    assert mutual_information(np.full((4, 3), 0.1), scored=scored).value == 0


def test_the_interval_covers_the_variation_of_estimates(rng):
    samples = rng.normal(size=(300, 1)) * 4 + rng.normal(size=(300, 5))
    found = mutual_information(samples)
    assert found.low < found.value < found.high
    assert found == mutual_information(samples)  # repeatable
    assert found != mutual_information(samples, seed=1)
    values = [
        mutual_information(
            rng.normal(size=(300, 1)) * 4 + rng.normal(size=(300, 5)), resamples=1
        ).value
        for _ in range(30)
    ]
    assert 0.4 < (found.high - found.low) / (4 * np.std(values)) < 2.5


def test_many_examples_need_little_memory(rng):
    samples = rng.normal(size=(50_000, 1)) * 1e4 + rng.normal(size=(50_000, 2))
    tracemalloc.start()
    found = mutual_information(samples, resamples=20)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 60e6  # the table would be 20 GB
    assert 8 < found.value < found.upper_bound


def test_tensors_of_the_backend_and_lists(rng):
    samples = rng.normal(size=(20, 3)).astype("float32")
    value = mutual_information(samples).value
    assert mutual_information(ops.convert_to_tensor(samples)).value == value
    assert mutual_information(samples.tolist()).value == pytest.approx(value, rel=1e-6)
    assert isinstance(mutual_information(samples.astype("float16")), MutualInformation)


@pytest.mark.parametrize(
    ("samples", "options", "message"),
    [
        (np.zeros((1, 5)), {}, "shape \\(1, 5\\)"),
        (np.zeros((5, 1)), {}, "two draws. Received: shape \\(5, 1\\)"),
        (np.zeros(5), {}, "shape \\(5,\\)"),
        (np.zeros((2, 3, 4)), {}, "shape \\(2, 3, 4\\)"),
        (np.array([[0, np.nan], [1, 2]]), {}, "1 that are NaN"),
        (np.array([[0, np.inf], [1, 2]]), {}, "infinite"),
        ([[1, 2], [3]], {}, "samples to be a tensor or array of real numbers"),
        (np.zeros((2, 2)), {"scored": "kept"}, "'kept'"),
        (np.zeros((2, 2)), {"resamples": 0}, "resamples"),
    ],
)
def test_wrong_samples_raise_input_errors(samples, options, message):
    with pytest.raises(InputError, match=message):
        mutual_information(samples, **options)


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
        monkeypatch.setattr(sys.modules[log_kernel_sum.__module__], "_PAIRS", pairs)
        np.testing.assert_allclose(
            log_kernel_sum(points, centers), table(points, centers), rtol=1e-12
        )


def test_far_points_use_the_nearest_center():
    found = log_kernel_sum(np.array([1e100, -3e5, 0.5]), np.array([0.0, 1.0, 1e160]))
    np.testing.assert_allclose(found, [-0.5e200, -0.5 * 3e5**2, np.log(2) - 0.125], rtol=1e-12)
