"""Against the formula's derivative by differences, and resampled AURCs."""

import numpy as np
import pytest
from scipy.integrate import quad

from ls_keras.calibration import risk_coverage
from ls_keras.calibration.risk_influence import aurc_influence


def limit(correct, confidence, weights):
    """Returns the AURC of so much weight at each confidence, by quadrature of risk."""
    area, before, errors = 0.0, 0.0, 0.0
    for value in np.unique(confidence)[::-1]:
        here = confidence == value
        size, wrong = weights[here].sum(), weights[here & ~correct].sum()
        area += quad(
            lambda x, e=errors, b=before, r=wrong / size: (e + (x - b) * r) / x,
            before,
            before + size,
            epsabs=1e-12,
        )[0]
        before, errors = before + size, errors + wrong
    return area / weights.sum()


@pytest.mark.parametrize("weighted", [False, True])
def test_it_is_the_derivative_by_an_example_s_weight(rng, weighted):
    correct = rng.random(12) < 0.6
    confidence = rng.integers(0, 6, 12) / 6
    weights = rng.uniform(0.5, 2, 12) if weighted else np.ones(12)
    found = aurc_influence(correct, confidence, sample_weight=weights if weighted else None)
    assert weights @ found == pytest.approx(0, abs=1e-12)
    for i in range(12):
        more, less = (weights + sign * 1e-4 * np.eye(12)[i] for sign in (1, -1))
        slope = (limit(correct, confidence, more) - limit(correct, confidence, less)) / 2e-4
        assert found[i] == pytest.approx(slope * weights.sum(), abs=1e-5)


def test_its_spread_is_that_of_resampled_areas(rng):
    confidence = rng.beta(4, 1, 2000)
    correct = rng.random(2000) < confidence
    drawn = rng.integers(0, 2000, (400, 2000))
    areas = [risk_coverage(correct[at], confidence[at]).aurc for at in drawn]
    influence = aurc_influence(correct, confidence)
    means = influence[drawn].mean(1)
    assert np.corrcoef(areas, means)[0, 1] > 0.98
    assert influence.std() / np.sqrt(2000) == pytest.approx(np.std(areas), rel=0.1)
