import numpy as np
import pytest
from scipy.special import softmax

from ls_base.errors import InputError
from ls_keras.calibration import fit_mixed_temperature, fit_temperature

WIDE = (np.exp(-16.0), np.exp(16.0))  # where probmetrics looks for a temperature


def sample(rng, number=500):
    z = rng.normal(size=(number, 5)) * 3
    return (z / 2 + rng.gumbel(size=z.shape)).argmax(-1), z


def test_it_is_a_temperature_and_one_example_of_doubt(rng):
    y, z = sample(rng)
    fit = fit_mixed_temperature(y, z, from_logits=True)
    plain = fit_temperature(y, z, from_logits=True)
    assert fit.temperature == plain.temperature
    assert fit.mixing == pytest.approx(1 / 501)
    expected = 500 / 501 * softmax(z / plain.temperature, -1) + 1 / (501 * 5)
    np.testing.assert_allclose(fit.probabilities(z, from_logits=True), expected, atol=1e-12)
    assert fit.nll_after == pytest.approx(plain.nll_after, abs=1 / 500)


def test_where_all_are_right_the_loss_stays_finite():
    z = np.float32([[3, 0, 0], [0, 3, 0]])
    fit = fit_mixed_temperature([0, 1], z, from_logits=True)
    assert fit.at_bound == "lower"
    p = fit.probabilities(z, from_logits=True)
    np.testing.assert_allclose(p[0], [1 - 2 / 9, 1 / 9, 1 / 9])
    assert fit.nll_after == pytest.approx(-np.log(7 / 9))


@pytest.mark.peers
@pytest.mark.parametrize("right", [False, True])
def test_it_is_probmetrics_s(rng, right):
    calibrators = pytest.importorskip("probmetrics.calibrators")
    y, z = sample(rng)
    if right:
        y = z.argmax(-1)
    p = softmax(z, -1)
    theirs = calibrators.get_calibrator("ts-mix").fit(p, y).predict_proba(p)
    fit = fit_mixed_temperature(y, p, bounds=WIDE)
    np.testing.assert_allclose(fit.probabilities(p), theirs, atol=1e-6)


@pytest.mark.parametrize(
    ("options", "message"), [({"bounds": (2, 1)}, "0 < lower"), ({"tolerance": 0}, "tolerance")]
)
def test_bad_options_are_told(rng, options, message):
    with pytest.raises(InputError, match=message):
        fit_mixed_temperature(*sample(rng), from_logits=True, **options)
