"""Each number of a diagnosis against SciPy and scikit-learn, or a loop by hand."""

import keras
import numpy as np
import pytest
from keras import ops
from scipy.optimize import minimize_scalar
from scipy.special import log_softmax, softmax
from scipy.stats import binomtest, norm
from sklearn.metrics import accuracy_score, log_loss

import ls_keras
from diagnosed import predictions
from ls_base.errors import InputError
from ls_keras.calibration import logit_norm_confidence, loss_decomposition, risk_coverage
from ls_keras.diagnosis.temperature import fold_ids

Y, Z = predictions()
P = softmax(Z.astype(np.float64), -1)
CONFIDENCE, CORRECT = P.max(-1), P.argmax(-1) == Y
FOLDS = fold_ids(np.arange(len(Y)), 5, seed=0)


@pytest.fixture(scope="module")
def found():
    return ls_keras.diagnose(Y, Z, from_logits=True)


def normal_interval(values):
    error = values.std() / np.sqrt(len(values))
    return values.mean() + norm.ppf([0.025, 0.975]) * error, 0.15 * error


def best_temperature(y, z):
    def loss(t):
        return -log_softmax(z / t, -1)[np.arange(len(y)), y].mean()

    return minimize_scalar(loss, bounds=(0.2, 9), method="bounded", options={"xatol": 1e-7}).x


def held_out_probabilities():
    p = np.empty_like(P)
    for fold in range(5):
        t = best_temperature(Y[fold != FOLDS], Z[fold != FOLDS])
        p[fold == FOLDS] = softmax(Z[fold == FOLDS].astype(np.float64) / t, -1)
    return p


def binned_error(confidence, correct, bins=15):
    index = np.clip(np.ceil(confidence.astype(np.float32) * bins).astype(int) - 1, 0, bins - 1)
    gaps = np.bincount(index, correct - confidence, bins)
    return np.abs(gaps).sum() / len(confidence)


def test_accuracy_equals_scikit_learn_with_exact_binomial_interval(found):
    assert found.accuracy.value == pytest.approx(accuracy_score(Y, P.argmax(-1)))
    exact = binomtest(int(CORRECT.sum()), len(Y)).proportion_ci(0.95)
    np.testing.assert_allclose(found.accuracy[1:], exact, atol=1e-9)


def test_losses_equal_scikit_learn_and_numpy(found):
    each = ((P - np.eye(4)[Y]) ** 2).sum(-1)
    assert found.nll.value == pytest.approx(log_loss(Y, P))
    assert found.brier.value == pytest.approx(each.mean())
    for estimate, values in ((found.nll, -np.log(P[np.arange(600), Y])), (found.brier, each)):
        ends, slack = normal_interval(values)
        np.testing.assert_allclose(estimate[1:], ends, atol=slack)


def test_calibration_errors_equal_curve_and_bins(found):
    assert found.reliability.ece == pytest.approx(binned_error(CONFIDENCE, CORRECT))
    curve = ls_keras.reliability_curve(Y, Z, from_logits=True)
    smooth = ls_keras.smooth_calibration_error(Y, Z, from_logits=True)
    assert found.ece == pytest.approx((curve.ece_corrected, curve.ece_low, curve.ece_high))
    assert found.smooth_ece == pytest.approx((smooth.corrected, smooth.low, smooth.high))
    assert found.smooth.error == pytest.approx(smooth.error)
    assert found.ece.low <= found.ece.value <= found.ece.high


def test_bias_is_mean_confidence_minus_accuracy(found):
    ends, slack = normal_interval(CONFIDENCE - CORRECT)
    assert found.bias.value == pytest.approx(CONFIDENCE.mean() - CORRECT.mean(), abs=1e-6)
    np.testing.assert_allclose(found.bias[1:], ends, atol=slack)
    over, under = found.reliability.overconfidence, found.reliability.underconfidence
    assert over - under == pytest.approx(found.bias.value, abs=1e-6)


def test_temperature_equals_scipy(found):
    assert found.temperature.value == pytest.approx(best_temperature(Y, Z), rel=1e-4)
    assert found.temperature.low < found.temperature.value < found.temperature.high
    assert found.fit == ls_keras.fit_temperature(Y, Z, from_logits=True)


def test_temperature_gain_is_held_out(found):
    p = held_out_probabilities()
    gains = np.log(p[np.arange(600), Y] / P[np.arange(600), Y])
    one_hot = np.eye(4)[Y]
    brier = ((P - one_hot) ** 2 - (p - one_hot) ** 2).sum(-1)
    for estimate, values in ((found.nll_gain, gains), (found.brier_gain, brier)):
        ends, _ = normal_interval(values)
        assert estimate.value == pytest.approx(values.mean(), abs=1e-6)
        # Wider than the gain's own noise: the temperatures are estimates, too.
        assert 0.9 < (estimate.high - estimate.low) / (ends[1] - ends[0]) < 1.2
    confidence, correct = p.max(-1), p.argmax(-1) == Y
    assert found.scaled.ece == pytest.approx(binned_error(confidence, correct), abs=1e-3)
    parts = loss_decomposition(Y, Z, from_logits=True, folds=FOLDS)
    assert found.nll_gain.value == pytest.approx(parts.nll_calibration, abs=2e-3)
    assert found.brier_gain.value == pytest.approx(parts.brier_calibration, abs=2e-3)


def test_aurc_equals_direct_computation(found):
    ranked = np.argsort(-CONFIDENCE, kind="stable")
    risk = np.cumsum(~CORRECT[ranked]) / np.arange(1, 601)
    assert found.aurc.value == pytest.approx(risk.mean())
    assert found.risk_coverage.excess == pytest.approx(
        risk_coverage(CORRECT, CONFIDENCE).excess, abs=1e-12
    )
    drawn = np.random.default_rng(1).integers(0, 600, (400, 600))
    areas = [risk_coverage(CORRECT[at], CONFIDENCE[at]).aurc for at in drawn]
    width = found.aurc.high - found.aurc.low
    np.testing.assert_allclose(
        found.aurc[1:], np.quantile(areas, [0.025, 0.975]), atol=0.12 * width
    )


def test_normalization_gain_is_held_out(found):
    def area(at, p):
        return risk_coverage(CORRECT[at], logit_norm_confidence(Z[at], p).round(12)).aurc

    gain = 0.0
    for fold in range(5):
        held_out, others = fold == FOLDS, fold != FOLDS
        p = min(range(1, 9), key=lambda p: area(others, p))
        softmax_area = risk_coverage(CORRECT[held_out], CONFIDENCE[held_out]).aurc
        gain += held_out.mean() * (softmax_area - area(held_out, p))
    assert found.aurc_gain.value == pytest.approx(gain)
    assert found.aurc_gain.low < gain < found.aurc_gain.high
    everything = np.ones(600, bool)
    assert found.norm_p == min(range(1, 9), key=lambda p: area(everything, p))
    assert found.normalized.aurc == pytest.approx(area(everything, found.norm_p))


def test_worst_class_is_chosen_on_one_half_and_measured_on_the_other(found):
    halves = fold_ids(np.arange(600), 2, seed=0)
    first, second = halves == 0, halves == 1
    p = held_out_probabilities()
    errors = [binned_error(p[first, k], Y[first] == k) for k in range(4)]
    assert found.worst_class == np.argmax(errors) == 0
    curve = ls_keras.calibration.classwise_reliability(
        Y[second], p[second], classes=[0], resamples=1000
    )[0]
    assert found.worst_reliability.ece == pytest.approx(curve.ece, abs=1e-3)
    assert found.worst_ece == pytest.approx(
        (curve.ece_corrected, curve.ece_low, curve.ece_high), abs=2e-3
    )


def test_least_recognized_class_is_chosen_on_one_half(found):
    halves = fold_ids(np.arange(600), 2, seed=0)
    at = [(halves == 0) & (k == Y) for k in range(4)]
    least = np.argmin([(CORRECT[k].sum() + 1) / (k.sum() + 2) for k in at])
    assert found.least_class == least
    its = (halves == 1) & (least == Y)
    hits = int(CORRECT[its].sum())
    assert found.least_recall.value == pytest.approx(hits / its.sum())
    exact = binomtest(hits, int(its.sum())).proportion_ci(0.95)
    np.testing.assert_allclose(found.least_recall[1:], exact, atol=1e-9)


def numbers(found):
    return {k: v for k, v in found.to_dict().items() if k not in ("from_logits", "advice")}


def flat(found, prefix=""):
    for name, value in found.items():
        if isinstance(value, dict):
            yield from flat(value, f"{name}.")
        else:
            yield prefix + name, value


def assert_same(found, expected, atol):
    for (name, value), (other, number) in zip(
        flat(numbers(found)), flat(numbers(expected)), strict=True
    ):
        assert name == other
        assert value == pytest.approx(number, abs=atol), name


@pytest.fixture(scope="module")
def quick():
    return ls_keras.diagnose(Y, Z, from_logits=True, resamples=100)


MORE_Z = np.concatenate([Z, np.full((6, 4), np.nan, np.float32)])
CHANGED = {
    "tensors": (ops.convert_to_tensor(Y), ops.convert_to_tensor(Z), {}),
    "one-hot targets": (np.eye(4, dtype=np.float32)[Y], Z, {}),
    "labels (..., 1)": (Y[:, None], Z, {}),
    "equal weights": (Y, Z, {"sample_weight": np.full(600, 3.0)}),
    "ignored": (np.concatenate([Y, np.full(6, 255)]), MORE_Z, {"ignore_class": 255}),
    "masked": (np.concatenate([Y, np.zeros(6, int)]), MORE_Z, {"mask": np.arange(606) < 600}),
    "weight 0": (
        np.concatenate([Y, np.zeros(6, int)]),
        MORE_Z,
        {"sample_weight": (np.arange(606) < 600).astype(np.float32)},
    ),
    "other logits of the same softmax": (Y, Z.astype(np.float64) + 5, {}),
}


@pytest.mark.parametrize("case", CHANGED)
def test_equivalent_inputs_give_same_diagnosis(quick, case):
    y, z, options = CHANGED[case]
    found = ls_keras.diagnose(y, z, from_logits=True, resamples=100, **options)
    assert_same(found, quick, atol=2e-4)


def test_model_and_data_set_give_same_diagnosis_as_predictions(quick):
    model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(4)])
    model.set_weights([np.eye(4), np.zeros(4)])
    for data in ((Z, Y), [(Z[:400], Y[:400]), (Z[400:], Y[400:])]):
        found = ls_keras.diagnose(model, data, from_logits=True, resamples=100)
        assert_same(found, quick, atol=1e-4)


def test_probabilities_are_read_as_their_logarithms(quick):
    found = ls_keras.diagnose(Y, P, resamples=100)
    assert_same(found, quick, atol=2e-4)
    assert "divide log-probabilities by" in found.advice[0]


def test_pixels_of_an_image_are_one_group():
    rng = np.random.default_rng(0)
    y, z = predictions(24 * 5 * 6)
    z[:360] /= 30  # twelve images that it knows nothing of
    y[rng.random(len(y)) < 0.1] = 255
    options = {"from_logits": True, "ignore_class": 255, "resamples": 100}
    images = ls_keras.diagnose(y.reshape(24, 5, 6), z.reshape(24, 5, 6, 4), **options)
    named = ls_keras.diagnose(y, z, groups=np.repeat(np.arange(24), 30), **options)
    assert_same(images, named, atol=1e-9)
    assert images.num_groups == 24
    assert images.num_examples == (y != 255).sum()
    assert str(images).startswith(f"{images.num_examples} examples in 24 groups, 4 classes")
    alone = ls_keras.diagnose(y, z, **options)
    assert alone.num_groups == images.num_examples
    assert alone.nll.value == pytest.approx(images.nll.value)
    assert alone.nll.high - alone.nll.low < images.nll.high - images.nll.low


def test_weights_are_used():
    weights = np.random.default_rng(0).uniform(0.1, 3, 600)
    found = ls_keras.diagnose(Y, Z, from_logits=True, sample_weight=weights, resamples=100)
    weights = weights.astype(np.float32).astype(float)
    assert found.accuracy.value == pytest.approx(
        accuracy_score(Y, P.argmax(-1), sample_weight=weights)
    )
    assert found.nll.value == pytest.approx(log_loss(Y, P, sample_weight=weights))
    assert found.bias.value == pytest.approx(
        np.average(CONFIDENCE - CORRECT, weights=weights), abs=1e-6
    )
    order = np.argsort(-CONFIDENCE)
    kept = np.cumsum(weights[order])
    risk = np.cumsum((weights * ~CORRECT)[order]) / kept
    assert found.aurc.value == pytest.approx(np.average(risk, weights=weights[order]))
    whole = ls_keras.diagnose(Y, Z, from_logits=True, sample_weight=1 + (Y == 1), resamples=100)
    twice = np.concatenate([np.arange(600), np.flatnonzero(Y == 1)])
    assert whole.brier.value == pytest.approx(((P - np.eye(4)[Y]) ** 2).sum(-1)[twice].mean())


@pytest.mark.tensorflow
def test_keras_mask_of_predictions_is_used(quick):
    ids = np.concatenate([np.arange(1, 601), np.zeros(6, int)])
    embedding = keras.layers.Embedding(601, 4, mask_zero=True)
    embedding.build()
    embedding.set_weights([np.concatenate([np.zeros((1, 4)), Z])])
    y_pred = embedding(ids)
    found = ls_keras.diagnose(
        np.concatenate([Y, np.zeros(6, int)]), y_pred, from_logits=True, resamples=100
    )
    assert_same(found, quick, atol=1e-6)


def test_forbidden_classes_disable_logit_normalization():
    z = Z.copy()
    z[:, 3] = np.where(Y == 3, z[:, 3], -np.inf)
    found = ls_keras.diagnose(Y, z, from_logits=True, resamples=100)
    assert found.norm_p is None
    assert np.isnan(found.aurc_gain.value)
    assert "logit normalization was not tried" in found.advice[2]
    assert np.isfinite(found.nll.value)


def test_single_group_has_values_without_intervals_and_gains():
    found = ls_keras.diagnose(Y, Z, from_logits=True, groups=np.zeros(600, int), resamples=100)
    assert found.folds == 0
    assert found.scaled is None
    assert found.nll.value == pytest.approx(log_loss(Y, P))
    for name in ("nll_gain", "aurc_gain", "scaled_ece"):
        assert np.isnan(getattr(found, name).value)
    assert np.isnan(found.nll.low)
    assert "1 independent example." in found.advice[0]


def test_results_depend_on_seed_only():
    options = {"from_logits": True, "resamples": 100}
    one, same, other = (ls_keras.diagnose(Y, Z, seed=s, **options) for s in (1, 1, 2))
    assert one.to_dict() == same.to_dict()
    assert one.nll_gain != other.nll_gain


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"folds": 1}, "folds to be an integer ≥ 2"),
        ({"confidence": 1}, "confidence level between 0 and 1"),
        ({"resamples": 99}, "resamples to be an integer ≥ 100"),
        ({"num_bins": 0}, "num_bins"),
        ({"class_names": ["a"]}, "class_names for 4 classes. Received: 1"),
        ({"groups": [0, 1]}, r"groups of shape \(600,\)"),
        ({"sample_weight": np.zeros(600)}, "at least one example that counts"),
        ({"from_logits": False}, "Expected probabilities in"),
        ({"ignore_class": "pad"}, "ignore_class to be an integer"),
    ],
)
def test_wrong_arguments_raise_input_errors(options, message):
    with pytest.raises(InputError, match=message):
        ls_keras.diagnose(Y, Z, **{"from_logits": True, **options})
