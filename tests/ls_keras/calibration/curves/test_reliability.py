import numpy as np
import pytest
from keras import ops

import ls_keras
from ls_base.errors import InputError
from ls_keras.calibration import (
    ReliabilityAccumulator,
    classwise_reliability,
    curve_of_statistics,
    expected_calibration_error,
    reliability_curve,
    smooth_calibration_error,
    smooth_reliability_curve,
)
from masked import masked


def test_values_computed_by_hand():
    y_pred = np.float32([[0.75, 0.25]] * 8 + [[0.5, 0.5]] * 2)
    y_true = [0, 0, 0, 0, 1, 1, 1, 1, 0, 0]
    curve = reliability_curve(y_true, y_pred, num_bins=4)
    assert curve.edges == (0, 0.25, 0.5, 0.75, 1)
    assert curve.counts == (0, 2, 8, 0)
    assert curve.confidence[1:3] == (0.5, 0.75)
    assert curve.accuracy[1:3] == (1, 0.5)
    assert np.isnan([curve.accuracy[0], curve.confidence[3], curve.accuracy_low[0]]).all()
    assert curve.ece == pytest.approx(0.2 * 0.5 + 0.8 * 0.25)
    assert (curve.examples, curve.groups) == (10, 10)


def test_probabilities_slightly_above_one_are_accepted():
    sure = sum(np.float32([[0.1, 0], [0.05, 0.05]]) for _ in range(10))
    assert sure.max() > 1
    assert reliability_curve([0, 1], sure).ece == pytest.approx(0.25, abs=1e-6)
    accumulator = ReliabilityAccumulator()
    accumulator.update([0, 1], sure)
    assert accumulator.curve().ece == pytest.approx(0.25, abs=1e-6)
    assert smooth_calibration_error([0, 1], sure).error >= 0


def test_ece_equals_metric(rng):
    logits = rng.normal(size=(7, 9, 5)).astype("float32") * 2
    labels = rng.integers(0, 5, (7, 9))
    weight = rng.random((7, 9)).astype("float32")
    options = {"from_logits": True, "ignore_class": 4, "sample_weight": weight}
    curve = reliability_curve(labels, logits, **options)
    assert curve.ece == pytest.approx(
        expected_calibration_error(labels, logits, **options), abs=1e-6
    )
    assert curve.examples == (labels != 4).sum()
    assert curve.groups == 7


def test_scikit_learn_calibration_curve(rng):
    from sklearn.calibration import calibration_curve

    p = rng.random(500)
    y = (rng.random(500) < p).astype(int)
    mean_true, mean_predicted = calibration_curve(y, p, n_bins=10)
    curve = curve_of_statistics(p, y, num_bins=10)
    np.testing.assert_allclose(curve.accuracy, mean_true, rtol=1e-6)
    np.testing.assert_allclose(curve.confidence, mean_predicted, rtol=1e-6)


def test_scalar_label_is_one_example():
    """Labels `()` and probabilities `(K,)`, as metrics take them."""
    alone, batch = reliability_curve(0, [0.7, 0.3]), reliability_curve([0], [[0.7, 0.3]])
    assert alone.counts == batch.counts
    assert alone.ece == batch.ece
    assert classwise_reliability(0, [0.7, 0.3])[1].counts == batch.counts[::-1]


def test_streamed_batches_equal_one_call(rng):
    logits = rng.normal(size=(30, 4, 5)).astype("float32")
    labels = rng.integers(0, 5, (30, 4))
    accumulator = ReliabilityAccumulator(from_logits=True, ignore_class=0)
    for start in (0, 10, 20):
        accumulator.update(labels[start : start + 10], logits[start : start + 10])
    whole = reliability_curve(labels, logits, from_logits=True, ignore_class=0)
    assert accumulator.curve() == whole
    assert whole.groups == len([row for row in labels if (row != 0).any()])


def test_masks_and_given_groups(rng):
    logits = rng.normal(size=(4, 3, 5)).astype("float32")
    labels = rng.integers(0, 5, (4, 3))
    keep = np.array([[1, 1, 0], [1, 0, 0], [1, 1, 1], [1, 1, 0]], bool)
    curve = reliability_curve(labels, masked(logits, keep), from_logits=True, groups=[5, 5, 6, 6])
    assert (curve.examples, curve.groups) == (8, 2)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (([], np.zeros((0, 2), np.float32)), "at least one example"),
        (([0, 1], [[2.0, -1.0], [0.5, 0.5]]), "from_logits=True"),
        (([0, 1], [[np.nan, 0.5], [0.5, 0.5]]), "NaN"),
        (([0, 1], [[1.0], [1.0]]), "K ≥ 2"),
    ],
)
def test_wrong_examples_raise_input_errors(arguments, message):
    y_true, y_pred = arguments
    with pytest.raises(InputError, match=message):
        reliability_curve(np.int32(y_true), np.float32(y_pred))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"ignore_class": 1}, "at least one example"),
        ({"sample_weight": [0.0, 0.0]}, "at least one example"),
        ({"sample_weight": [-1.0, 2.0]}, "weights"),
        ({"groups": [1, 2, 3]}, "groups"),
        ({"num_bins": 0}, "num_bins"),
        ({"confidence": 1.0}, "level"),
        ({"resamples": 1}, "resamples"),
    ],
)
def test_wrong_options_raise_input_errors(options, message):
    with pytest.raises(InputError, match=message):
        reliability_curve([1, 1], np.full((2, 2), 0.5, np.float32), **options)


def test_wrong_statistics_raise_input_errors():
    with pytest.raises(InputError, match="one length"):
        curve_of_statistics([0.5, 0.5], [1])
    with pytest.raises(InputError, match=r"confidences in \[0, 1\]"):
        curve_of_statistics([0.5, 1.5], [1, 0])
    with pytest.raises(InputError, match="at least one batch"):
        ReliabilityAccumulator().curve()


@pytest.mark.parametrize("multi_label", [False, True])
def test_masked_positions_do_not_count_in_any_curve(rng, multi_label):
    z = rng.normal(size=(40, 3)).astype(np.float32)
    y = rng.integers(0, 2, (40, 3)) if multi_label else rng.integers(0, 3, 40)
    keep, weights = rng.random(40) < 0.7, rng.random(40)
    dirty = np.where(keep[:, None], z, np.nan)
    options = {"from_logits": True, "multi_label": multi_label}
    for function, more in (
        (reliability_curve, {"resamples": 100}),
        (smooth_calibration_error, {"resamples": 100}),
        (smooth_reliability_curve, {}),
        (classwise_reliability, {"resamples": 100, "classes": [1]}),
    ):
        for weight in (None, weights):
            some = None if weight is None else weight[keep]
            expected = function(y[keep], z[keep], sample_weight=some, **options, **more)
            found = function(y, dirty, sample_weight=weight, mask=keep, **options, **more)
            if isinstance(found, dict):
                found, expected = found[1], expected[1]
            name = "ece" if hasattr(found, "ece") else "error"
            assert getattr(found, name) == pytest.approx(getattr(expected, name), rel=1e-6)
    with pytest.raises(InputError, match="mask of shape"):
        reliability_curve(y, z, mask=keep[:5], **options)


QUICK = {"resamples": 100}


def sample(rng, shape=(60, 5)):
    z = rng.normal(size=(*shape, 4)).astype(np.float32) * 2
    return (z / 2 + rng.gumbel(size=z.shape)).argmax(-1), z


def test_each_class_has_curve_of_its_probability(rng):
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


def test_mean_of_class_errors_equals_metric(rng):
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


@pytest.mark.parametrize("classes", [[4], [], [-1], "ab"])
def test_unknown_classes_raise_input_errors(rng, classes):
    y, z = sample(rng)
    with pytest.raises(InputError, match="Expected classes"):
        classwise_reliability(y, z, from_logits=True, classes=classes, **QUICK)


def test_each_sigmoid_label_is_a_binary_problem(rng):
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
