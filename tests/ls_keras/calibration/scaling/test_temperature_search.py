import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ls_base.errors import InputError
from ls_keras.calibration.scaling.temperature_search import check_bounds, search_nll
from ls_keras.calibration.scaling.temperature_sums import TemperedSums


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
def test_an_optimum_outside_is_told(slope, bound):
    found = search_nll(lambda b, _: sums(slope, 1e-9), start=1.0, bounds=(0.1, 10.0))
    assert (found.at_bound, found.converged) == (bound, True)
    assert found.beta == pytest.approx(0.1 if bound == "upper" else 10.0)
    assert found.passes <= 4


@pytest.mark.parametrize(
    "bounds", [(1.0, 1.0), (2.0, 1.0), (-1.0, 1.0), (1.0, math.inf), (math.nan, 1.0)]
)
def test_crossed_bounds(bounds):
    with pytest.raises(InputError, match="bounds"):
        check_bounds(bounds)
