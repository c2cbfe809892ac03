import keras
import numpy as np
import pytest
from scipy.special import log_softmax, softmax
from sklearn.metrics import log_loss

from ls_base.errors import InputError
from ls_keras.calibration import expected_calibration_error, temperature_curve

TEMPERATURES = (0.5, 1.0, 3.0)


@pytest.fixture
def data(rng):
    return rng.integers(0, 5, 60), (2 * rng.normal(size=(60, 5))).astype("float32")


def test_values_are_those_of_scaled_probabilities(data):
    y, z = data
    curve = temperature_curve(
        lambda x: x, [(z[:25], y[:25]), (z[25:], y[25:])], TEMPERATURES, from_logits=True
    )
    assert curve.num_examples == 60
    for t, nll, ece in zip(TEMPERATURES, curve.nll, curve.ece, strict=True):
        p = softmax(z / t, axis=-1)
        assert nll == pytest.approx(log_loss(y, p, labels=range(5)), rel=1e-5)
        expected = keras.ops.convert_to_numpy(expected_calibration_error(y, p))
        assert ece == pytest.approx(float(expected), abs=1e-6)


def test_padding_and_weights_of_zero_do_not_count(data):
    y, z = data
    weights = np.ones(60)
    weights[:10] = 0
    padded = np.where(np.arange(60) < 20, -1, y)
    curve = temperature_curve(
        lambda x: x, [(z, padded, weights)], (2.0,), ignore_class=-1, from_logits=True
    )
    expected = -log_softmax(z[20:] / 2, axis=-1)[np.arange(40), y[20:]].mean()
    assert curve.nll[0] == pytest.approx(expected, rel=1e-5)
    assert curve.num_examples == 40


@pytest.mark.parametrize("temperatures", [(), (0.0,), (1.0, float("nan")), (-1.0,)])
def test_temperatures_out_of_range_are_refused(data, temperatures):
    with pytest.raises(InputError, match="Expected one or more temperatures"):
        temperature_curve(lambda x: x, [data[::-1]], temperatures, from_logits=True)


def test_a_data_set_without_examples_is_refused():
    with pytest.raises(InputError, match="at least one example"):
        temperature_curve(lambda x: x, [], (1.0,), from_logits=True)
