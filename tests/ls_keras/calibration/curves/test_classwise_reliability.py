import numpy as np
import pytest
from keras import ops

import ls_keras
from ls_base.errors import InputError
from ls_keras.calibration import classwise_reliability, curve_of_statistics

QUICK = {"resamples": 100}


def sample(rng, shape=(60, 5)):
    z = rng.normal(size=(*shape, 4)).astype(np.float32) * 2
    return (z / 2 + rng.gumbel(size=z.shape)).argmax(-1), z


def test_each_class_is_a_curve_of_its_own_probability(rng):
    y, z = sample(rng)
    curves = classwise_reliability(
        ops.convert_to_tensor(y), ops.convert_to_tensor(z), from_logits=True, **QUICK
    )
    p = np.exp(z) / np.exp(z).sum(-1, keepdims=True)
    assert list(curves) == [0, 1, 2, 3]
    for k, curve in curves.items():
        expected = curve_of_statistics(
            p[..., k].ravel(),
            (y == k).ravel(),
            groups=np.arange(60).repeat(5),  # sentences
            **QUICK,
        )
        assert curve.ece == pytest.approx(expected.ece, abs=5e-3)  # an edge is a rounding away
        assert curve.groups == 60
        assert curve.ece_high == pytest.approx(expected.ece_high, abs=2e-2)


def test_the_mean_of_the_errors_is_the_metric_s(rng):
    y, z = sample(rng)
    p = ops.convert_to_numpy(ops.softmax(z))
    weights = rng.integers(0, 3, (60, 5)).astype(np.float32)
    options = {"num_bins": 10, "ignore_class": 3}
    curves = classwise_reliability(y, p, sample_weight=weights, **options, **QUICK)
    expected = ls_keras.expected_calibration_error(
        y, p, sample_weight=weights, classwise=True, **options
    )
    assert np.mean([curve.ece for curve in curves.values()]) == pytest.approx(expected, rel=1e-5)
    assert all(curve.examples == ((weights > 0) & (y != 3)).sum() for curve in curves.values())


def test_some_classes_are_as_among_all(rng):
    y, z = sample(rng)
    every = classwise_reliability(y, z, from_logits=True, **QUICK)
    some = classwise_reliability(y, z, from_logits=True, classes=[2, 0], **QUICK)
    assert list(some) == [2, 0]
    assert some[2] == every[2]


@pytest.mark.parametrize("classes", [[4], [], [-1], "ab"])
def test_a_class_that_is_none_is_refused(rng, classes):
    y, z = sample(rng)
    with pytest.raises(InputError, match="Expected classes"):
        classwise_reliability(y, z, from_logits=True, classes=classes, **QUICK)


def test_of_sigmoids_each_label_is_a_binary_problem_of_its_own(rng):
    z = rng.normal(size=(80, 3)).astype(np.float32)
    y = (rng.uniform(size=z.shape) < 1 / (1 + np.exp(-z))).astype(int)
    y[::7, 1] = -1
    weights = rng.integers(0, 3, 80).astype(np.float32)
    options = {"from_logits": True, "multi_label": True, "ignore_class": -1, **QUICK}
    curves = classwise_reliability(y, z, sample_weight=weights, **options)
    assert list(curves) == [0, 1, 2]
    assert all(curve.multi_label for curve in curves.values())
    for k, curve in curves.items():
        alone = ls_keras.reliability_curve(y[:, [k]], z[:, [k]], sample_weight=weights, **options)
        assert curve.ece == pytest.approx(alone.ece, abs=1e-6)
        assert curve.ece_high == pytest.approx(alone.ece_high, abs=2e-2)
