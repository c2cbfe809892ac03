import itertools
import warnings

import keras
import numpy as np
import pytest
from keras import ops

from ls_base.errors import InputError
from ls_keras.calibration import expected_calibration_error
from ls_keras.metrics import ExpectedCalibrationError


def softmax(logits):
    p = np.exp(logits - logits.max(-1, keepdims=True))
    return (p / p.sum(-1, keepdims=True)).astype("float32")


def predictions(rng, number=2000, num_classes=6):
    """Overconfident predictions, and labels drawn from the probabilities at T = 2."""
    logits = rng.normal(size=(number, num_classes)) * 3
    true = softmax(logits / 2)
    labels = (true.cumsum(-1) < rng.random((number, 1))).sum(-1).clip(0, num_classes - 1)
    return labels.astype("int32"), softmax(logits)


def plain_ece(confidence, correct, num_bins=15):
    """One plain NumPy pass over equal-width bins, in float64."""
    edges = (np.arange(num_bins + 1) / num_bins).astype(np.float32)
    error = 0.0
    for low, high in itertools.pairwise(edges):
        inside = (confidence > low) & (confidence <= high) | (low == 0) & (confidence == 0)
        if inside.any():
            gap = correct[inside].mean() - confidence[inside].mean(dtype=float)
            error += inside.mean() * abs(gap)
    return error


def dyadic(confidences):
    """Predictions with these confidences (all ≥ ½, exact in binary).

    The third class has no probability; with two, netcal measures the binary calibration of
    class 1, as it does where only two labels occur.
    """
    confidences = np.float32(confidences)
    return np.stack([confidences, 1 - confidences, 0 * confidences], axis=-1)


@pytest.mark.parametrize("num_bins", [1, 10, 15, 100])
def test_plain_numpy(rng, num_bins):
    y_true, y_pred = predictions(rng)
    expected = plain_ece(y_pred.max(-1), y_pred.argmax(-1) == y_true, num_bins)
    assert expected > 0.01
    error = expected_calibration_error(y_true, y_pred, num_bins=num_bins)
    assert error == pytest.approx(expected, abs=2e-6)


def exact_equal_mass(confidence, correct, num_bins):
    order = np.argsort(confidence, kind="stable")
    parts = np.array_split((correct.astype(float) - confidence)[order], num_bins)
    return sum(abs(part.sum()) for part in parts) / len(order)


@pytest.mark.parametrize("num_bins", [1, 5, 15])
def test_equal_mass_is_within_its_bound_of_exact_equal_mass(rng, num_bins):
    y_true, y_pred = predictions(rng, 6000)
    metric = ExpectedCalibrationError(num_bins, binning="equal_mass")
    metric.update_state(y_true, y_pred)
    exact = exact_equal_mass(y_pred.max(-1), y_pred.argmax(-1) == y_true, num_bins)
    bound = metric.equal_mass_error_bound()
    assert bound < 0.02
    assert abs(float(metric.result()) - exact) <= bound + 1e-6


def test_equal_mass_bound_holds_for_every_order_of_equal_confidences(rng):
    confidence = np.float32(rng.choice([0.625, 0.75, 0.875, 1.0], 400))
    y_true = (rng.random(400) > 0.6).astype("int32")
    metric = ExpectedCalibrationError(6, binning="equal_mass")
    metric.update_state(y_true, dyadic(confidence))
    bound = metric.equal_mass_error_bound()
    for order in (np.argsort(y_true), np.argsort(-y_true), rng.permutation(400)):
        exact = exact_equal_mass(confidence[order], y_true[order] == 0, 6)
        assert abs(float(metric.result()) - exact) <= bound + 1e-6


def test_classwise_equal_mass_is_within_its_bound(rng):
    y_true, y_pred = predictions(rng, 3000)
    metric = ExpectedCalibrationError(5, binning="equal_mass", classwise=True)
    metric.update_state(y_true, y_pred)
    exact = np.mean([exact_equal_mass(y_pred[:, k], y_true == k, 5) for k in range(6)])
    assert abs(float(metric.result()) - exact) <= metric.equal_mass_error_bound() + 1e-6


def test_equal_mass_bound_leaves_out_labels_that_do_not_count(rng):
    p = rng.random((60, 2)).astype("float32")
    y = (rng.random((60, 2)) < p).astype("float32")
    options = {"binning": "equal_mass", "classwise": True, "multi_label": True}
    both, first = (ExpectedCalibrationError(5, **options) for _ in range(2))
    both.update_state(y, p, sample_weight=np.float32([[1, 0]] * 60))
    first.update_state(y[:, :1], p[:, :1])
    assert first.equal_mass_error_bound() > 0
    assert both.equal_mass_error_bound() == pytest.approx(first.equal_mass_error_bound())


def test_confidence_zero_is_in_the_first_bin_and_one_in_the_last():
    # Class 0 never has probability, class 1 always has all of it, and is right half the time.
    y_pred = np.float32([[0, 1]] * 4)
    metric = ExpectedCalibrationError(10, classwise=True)
    metric.update_state([0, 0, 1, 1], y_pred)
    assert float(metric.result()) == pytest.approx(0.5, abs=1e-7)


def test_debiased_error_of_calibrated_predictions_is_near_zero(rng):
    confidence = rng.uniform(0.5, 1, 4000)
    y_true = (rng.random(4000) > confidence).astype("int32")
    options = {"norm": "l2", "num_bins": 15}
    plain = expected_calibration_error(y_true, dyadic(confidence), **options)
    debiased = expected_calibration_error(y_true, dyadic(confidence), debias=True, **options)
    assert debiased < plain
    assert plain > 0.01


def evaluate_with_nan(rng, *, jit_compile):
    y_true, y_pred = predictions(rng, 64)
    y_pred[5:8, 2] = np.nan
    clean = np.delete(np.arange(64), np.arange(5, 8))
    expected = expected_calibration_error(y_true[clean], y_pred[clean])
    inputs = keras.Input((6,))
    model = keras.Model(inputs, keras.layers.Identity()(inputs))
    metric = ExpectedCalibrationError()
    model.compile(loss="sparse_categorical_crossentropy", metrics=[metric], jit_compile=jit_compile)
    scores = model.evaluate(y_pred, y_true, verbose=0, return_dict=True)
    return metric, scores["ece"], expected


def test_nan_is_refused_in_eager_use_and_otherwise_left_out_counted_and_reported(rng):
    if keras.backend.backend() == "torch":  # always eager
        with pytest.raises(InputError, match="NaN"):
            evaluate_with_nan(rng, jit_compile=False)
        return
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # TensorFlow reads the result in evaluate, JAX does not
        metric, error, expected = evaluate_with_nan(rng, jit_compile=True)
    assert error == pytest.approx(expected, abs=1e-6)
    assert metric.nan_count == 3
    with pytest.warns(UserWarning, match="ece: 3 examples with NaN"):
        metric.result()
    with pytest.warns(UserWarning, match="ece: 3 examples with NaN"):
        metric.reset_state()
    assert metric.nan_count == 0


@pytest.mark.tensorflow
def test_nan_is_counted_in_an_uncompiled_graph(rng):
    with pytest.warns(UserWarning, match="ece: 3 examples with NaN"):
        metric, error, expected = evaluate_with_nan(rng, jit_compile=False)
    assert error == pytest.approx(expected, abs=1e-6)
    assert metric.nan_count == 3


def test_counts_stay_exact_past_what_float32_counts():
    metric = ExpectedCalibrationError(2)
    y_pred = dyadic([0.75])
    metric.update_state([0], y_pred)
    state = metric.variables[1]
    words = np.zeros(state.shape, np.float32)
    words[0, :, 1] = [16, 12, 12]  # 2^24 examples in the upper bin, three quarters of them right
    state.assign(words)
    for _ in range(4):
        metric.update_state([1], y_pred)
    high, low, _ = ops.convert_to_numpy(state)
    assert high[:, 1].tolist() == [16, 12, 12]
    assert low[:, 1].tolist() == [4, 3, 0]
    assert float(metric.result()) == pytest.approx(3 / (2**24 + 4), rel=1e-6)


@pytest.mark.peers
def test_netcal_and_torchmetrics_agree_away_from_the_edges(rng):
    import torch
    from netcal.metrics import ECE
    from torchmetrics.functional.classification import multiclass_calibration_error

    y_true, y_pred = predictions(rng)
    error = expected_calibration_error(y_true, y_pred, num_bins=15)
    assert error == pytest.approx(ECE(15).measure(y_pred, y_true), abs=1e-5)
    for norm in ("l1", "l2", "max"):
        expected = multiclass_calibration_error(
            torch.tensor(y_pred), torch.tensor(y_true).long(), 6, n_bins=15, norm=norm
        )
        error = expected_calibration_error(y_true, y_pred, num_bins=15, norm=norm)
        assert error == pytest.approx(float(expected), abs=1e-5)


@pytest.mark.peers
def test_netcal_and_torchmetrics_close_bins_on_the_left():
    """0.75 is an edge: right-closed bins put it with 0.625, left-closed ones with 0.875."""
    import torch
    from netcal.metrics import ECE
    from torchmetrics.functional.classification import multiclass_calibration_error

    y_pred = dyadic([0.625, 0.75, 0.875, 0.625])
    y_true = np.int32([2, 0, 0, 1])  # wrong, right, right, wrong
    ours = (abs(1 - 0.625 - 0.75 - 0.625) + abs(1 - 0.875)) / 4
    theirs = (abs(0 - 0.625 - 0.625) + abs(2 - 0.75 - 0.875)) / 4
    assert ours != theirs
    assert expected_calibration_error(y_true, y_pred, num_bins=4) == pytest.approx(ours)
    assert ECE(4).measure(y_pred, y_true) == pytest.approx(theirs)
    measured = multiclass_calibration_error(
        torch.tensor(y_pred), torch.tensor(y_true).long(), 3, n_bins=4
    )
    assert float(measured) == pytest.approx(theirs)


@pytest.mark.peers
def test_torchmetrics_puts_confidence_one_into_a_bin_of_its_own():
    import torch
    from netcal.metrics import ECE
    from torchmetrics.functional.classification import multiclass_calibration_error

    y_pred = dyadic([0.875, 1.0, 0.625])
    y_true = np.int32([0, 2, 1])  # right, wrong, wrong
    together = (abs(1 - 0.875 - 1.0) + abs(0 - 0.625)) / 3
    apart = (abs(1 - 0.875) + abs(0 - 1.0) + abs(0 - 0.625)) / 3
    assert expected_calibration_error(y_true, y_pred, num_bins=4) == pytest.approx(together)
    assert ECE(4).measure(y_pred, y_true) == pytest.approx(together)
    measured = multiclass_calibration_error(
        torch.tensor(y_pred), torch.tensor(y_true).long(), 3, n_bins=4
    )
    assert float(measured) == pytest.approx(apart)


@pytest.mark.parametrize("from_logits", [False, True])
def test_numpy_arrays_and_tensors_give_the_same(rng, from_logits):
    y_true, y_pred = predictions(rng, 3000, 101)
    y_true, y_pred = y_true.reshape(100, 30), y_pred.reshape(100, 30, 101)
    if from_logits:
        y_pred = np.log(y_pred)
    weight = rng.random(100).astype("float32")
    options = {"from_logits": from_logits, "sample_weight": weight, "ignore_class": 3}
    of_tensor = expected_calibration_error(y_true, ops.convert_to_tensor(y_pred), **options)
    assert expected_calibration_error(y_true, y_pred, **options) == pytest.approx(
        of_tensor, rel=1e-5
    )
    y_pred[y_true == 3] = np.nan  # ignored, so it does not matter
    assert expected_calibration_error(y_true, y_pred, **options) == pytest.approx(
        of_tensor, rel=1e-5
    )
    y_pred[y_true == 4] = np.nan
    with pytest.raises(InputError, match="NaN"):
        expected_calibration_error(y_true, y_pred, **options)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"num_bins": 0}, "num_bins"),
        ({"norm": "l3"}, "norm"),
        ({"binning": "uniform"}, "binning"),
        ({"debias": True}, 'norm="l2"'),
        ({"ignore_class": 1.5}, "ignore_class"),
    ],
)
def test_wrong_arguments_are_refused(options, message):
    with pytest.raises(InputError, match=message):
        ExpectedCalibrationError(**options)


@pytest.mark.parametrize(
    ("y_true", "options"),
    [([], {}), ([1, 1], {"ignore_class": 1}), ([0, 1], {"sample_weight": [0.0, 0.0]})],
    ids=["none", "ignored", "weightless"],
)
def test_no_example_is_an_error_of_the_function(y_true, options):
    y_pred = np.full((len(y_true), 2), 0.5, np.float32)
    with pytest.raises(InputError, match="at least one example"):
        expected_calibration_error(np.int32(y_true), y_pred, **options)
