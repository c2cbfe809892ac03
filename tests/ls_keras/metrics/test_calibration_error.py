import numpy as np
import pytest
from keras import ops

from ls_keras.metrics.calibration_error import Bins, calibration_error


def bins(count, correct, gap, squares=None):
    arrays = [ops.array(np.float32(a)) for a in (count, gap, correct)]
    return Bins(*arrays, arrays[0] if squares is None else ops.array(np.float32(squares)))


BY_HAND = bins([4, 0, 6, 10], [1, 0, 3, 9], [-1, 0, 0.6, 0.5])  # gaps −1/4, –, 1/10, 1/20


@pytest.mark.parametrize(
    ("norm", "expected"),
    [
        ("l1", (1 + 0.6 + 0.5) / 20),
        ("l2", np.sqrt(0.2 * 0.25**2 + 0.3 * 0.1**2 + 0.5 * 0.05**2)),
        ("max", 0.25),
    ],
)
def test_norms_by_hand(norm, expected):
    assert float(calibration_error(BY_HAND, norm=norm)) == pytest.approx(expected, rel=1e-6)
    arrays = Bins(*(ops.convert_to_numpy(tensor) for tensor in BY_HAND))
    assert calibration_error(arrays, norm=norm) == pytest.approx(expected, rel=1e-6)


def test_debiased_by_hand():
    terms = [
        0.2 * (0.25**2 - 0.25 * 0.75 / 3),
        0.3 * (0.1**2 - 0.5 * 0.5 / 5),
        0.5 * (0.05**2 - 0.9 * 0.1 / 9),
    ]
    assert sum(terms) < 0
    assert float(calibration_error(BY_HAND, norm="l2", debias=True)) == 0
    larger = bins([4, 0, 6, 10], [4, 0, 3, 10], [3, 0, 0.6, 5])
    expected = 0.2 * 0.75**2 + 0.3 * (0.1**2 - 0.5 * 0.5 / 5) + 0.5 * 0.5**2
    assert float(calibration_error(larger, norm="l2", debias=True)) == pytest.approx(
        np.sqrt(expected), rel=1e-6
    )


def test_debiasing_takes_the_bias_of_calibrated_data_away(rng):
    confidence, count = np.linspace(0.55, 0.95, 10), np.full(10, 50.0)
    plain, debiased = [], []
    for _ in range(300):
        correct = rng.binomial(50, confidence)
        sums = bins(count, correct, correct - 50 * confidence)
        plain.append(float(calibration_error(sums, norm="l2")) ** 2)
        accuracy = correct / 50
        gap = accuracy - confidence
        debiased.append(np.mean(gap**2 - accuracy * (1 - accuracy) / 49))
        error = float(calibration_error(sums, norm="l2", debias=True))
        assert error == pytest.approx(np.sqrt(max(0, debiased[-1])), abs=2e-4)
    variance = np.mean(confidence * (1 - confidence) / 50)
    assert np.mean(plain) == pytest.approx(variance, rel=0.15)
    assert abs(np.mean(debiased)) < 0.1 * variance


def test_bins_of_one_example_add_nothing_when_debiased():
    assert float(calibration_error(bins([1, 1], [1, 0], [0.5, -0.5]), norm="l2", debias=True)) == 0


@pytest.mark.parametrize("norm", ["l1", "l2", "max"])
def test_no_example_is_no_perfect_score(norm):
    assert np.isnan(float(calibration_error(bins([0, 0], [0, 0], [0, 0]), norm=norm)))
