import math
import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import log_softmax, softmax

from ls_base.errors import InputError
from ls_keras.calibration.scaling.temperature_search import (
    TemperedSums,
    check_bounds,
    search_nll,
    tempered_sums,
)
from ls_keras.inputs.numpy_examples import read_host_examples


def sums(slope, curvature):
    return TemperedSums(
        1, 1.0, -1.0, False, np.zeros(1), np.array([slope]), np.array([curvature]),
        np.ones(1), np.zeros((1, 3, 15)),
    )  # fmt: skip


@settings(max_examples=200, deadline=None)
@given(
    st.floats(-4.5, 4.5),
    st.sampled_from([0.01, 0.1, 1.0, 8.0, 60.0]),
    st.floats(0.02, 50),
)
def test_monotone_slopes_however_shaped(log_optimum, steepness, start):
    # tanh saturates on both sides: Newton alone diverges from afar.
    def evaluate(betas, _):
        u = steepness * (math.log(betas[0]) - log_optimum)
        return sums(math.tanh(u), steepness / betas[0] / math.cosh(min(abs(u), 300)) ** 2)

    found = search_nll(evaluate, start=start, bounds=(1e-2, 1e2))
    assert found.converged
    assert found.passes <= 45
    assert math.log(found.beta) == pytest.approx(log_optimum, abs=3e-5)


@pytest.mark.parametrize(("slope", "bound"), [(1.0, "upper"), (-1.0, "lower")])
def test_optimum_outside_bounds_is_reported(slope, bound):
    found = search_nll(lambda b, _: sums(slope, 1e-9), start=1.0, bounds=(0.1, 10.0))
    assert (found.at_bound, found.converged) == (bound, True)
    assert found.beta == pytest.approx(0.1 if bound == "upper" else 10.0)
    assert found.passes <= 4


@pytest.mark.parametrize(
    "bounds", [(1.0, 1.0), (2.0, 1.0), (-1.0, 1.0), (1.0, math.inf), (math.nan, 1.0)]
)
def test_wrong_bounds_raise_input_errors(bounds):
    with pytest.raises(InputError, match="bounds"):
        check_bounds(bounds)


MODULES = ("inputs.numpy_examples", "calibration.scaling.temperature_search")
PIECES = (("_BLOCK", 97 * 11), ("CHUNK", 640 * 11))


def test_derivatives_equal_analytic_values():
    rng = np.random.default_rng(0)
    z = rng.standard_normal((300, 7)) * 4
    y, w = rng.integers(0, 7, 300), rng.random(300)
    examples = read_host_examples(y, z, sample_weight=w, from_logits=True)
    w = w.astype(np.float32).astype(np.float64)  # as weights are read
    betas = np.array([0.05, 0.7, 3.0])
    sums = tempered_sums(examples, betas)
    for b, beta in enumerate(betas):
        p = softmax(beta * z, -1)
        at = z[np.arange(300), y]
        mean = (p * z).sum(-1)
        variance = (p * z**2).sum(-1) - mean**2
        loss = -(w * log_softmax(beta * z, -1)[np.arange(300), y]).sum()
        assert sums.loss[b] == pytest.approx(loss, rel=1e-12)
        assert sums.slope[b] == pytest.approx((w * (mean - at)).sum(), rel=1e-10)
        assert sums.curvature[b] == pytest.approx((w * variance).sum(), rel=1e-9)
    assert sums.weight == pytest.approx(w.sum())


def test_results_do_not_depend_on_chunks_and_number_of_temperatures(monkeypatch):
    rng = np.random.default_rng(0)
    z = rng.standard_normal((5_000, 11)).astype(np.float32)
    y = rng.integers(0, 11, 5_000)
    examples = read_host_examples(y, z, mask=rng.random(5_000) < 0.9, from_logits=True)
    whole = tempered_sums(examples, [0.3, 1.0, 5.0])
    modules = (sys.modules[f"ls_keras.{name}"] for name in MODULES)
    for module, (name, value) in zip(modules, PIECES, strict=True):
        monkeypatch.setattr(module, name, value)
    for b, beta in enumerate([0.3, 1.0, 5.0]):
        one = tempered_sums(examples, [beta])
        for name in ("loss", "slope", "curvature", "bins"):
            np.testing.assert_allclose(
                getattr(one, name)[0], getattr(whole, name)[b], rtol=1e-6, atol=1e-9
            )


def test_bins_are_right_closed():
    # Four equal logits: confidence 1/4, the edge of bins 1 and 2 of four.
    examples = read_host_examples(np.array([0, 1]), np.zeros((2, 4), np.float32), from_logits=True)
    bins = tempered_sums(examples, [1.0], num_bins=4).bins[0]
    np.testing.assert_array_equal(bins[0], [2, 0, 0, 0])
    np.testing.assert_array_equal(bins[2], [1, 0, 0, 0])
