"""Sentences follow from intervals, each in its cases."""

import dataclasses
import math

import numpy as np
import pytest

import ls_keras
from diagnosed import predictions
from ls_keras.diagnosis import Estimate

UP, DOWN, NONE = Estimate(0.1, 0.05, 0.2), Estimate(-0.1, -0.2, -0.05), Estimate(0.1, -0.1, 0.2)


@pytest.fixture(scope="module")
def found():
    y, z = predictions()
    return ls_keras.diagnose(y, z, from_logits=True, resamples=100, class_names=list("abcd"))


def of_curve(curve, value, low, high):
    return dataclasses.replace(curve, ece_corrected=value, ece_low=low, ece_high=high)


def changed(found, **changes):
    for name in ("reliability", "scaled", "worst_reliability"):
        if name in changes:
            changes[name] = of_curve(getattr(found, name), *changes[name])
    if "at_bound" in changes:
        changes["fit"] = dataclasses.replace(found.fit, at_bound=changes.pop("at_bound"))
    return dataclasses.replace(found, **changes)


@pytest.mark.parametrize(
    ("changes", "which", "expected"),
    [
        ({"bias": UP}, 0, "Overconfident: divide logits by T = "),
        ({"bias": DOWN}, 0, "Underconfident: divide logits by T = "),
        ({"bias": NONE}, 0, "Neither over- nor underconfident on average: divide"),
        ({"nll_gain": NONE}, 0, "held-out NLL falls by 0.1000 [−0.1000, 0.2000])."),
        ({"nll_gain": DOWN}, 0, "no evidence that a temperature helps (T = "),
        ({"nll_gain": UP}, 0, "NLL falls by 0.1000 [0.0500, 0.2000]"),
        (
            {"reliability": (0.2, 0.15, 0.25), "scaled": (0.02, 0, 0.03)},
            0,
            "bias-corrected ECE falls from 0.2000 to 0.0200 [0.0000, 0.0300].",
        ),
        (
            {"reliability": (0.02, 0, 0.03), "scaled": (0.2, 0.15, 0.25)},
            0,
            "bias-corrected ECE rises from 0.0200 to 0.2000 [0.1500, 0.2500].",
        ),
        (
            {"reliability": (0.2, 0.1, 0.25), "scaled": (0.1, 0.05, 0.12)},
            0,
            "the change in ECE may be zero.",
        ),
        ({"at_bound": "lower", "nll_gain": UP}, 0, "no prediction is wrong, so no temperature can"),
        ({"at_bound": "upper", "nll_gain": UP}, 0, "no better than chance, so no temperature can"),
        ({"from_logits": False, "nll_gain": UP}, 0, "divide log-probabilities by T"),
        (
            {"nll_gain": UP, "scaled": (0.02, 0.01, 0.03)},
            1,
            "With T, confidences are still off (bias-corrected ECE 0.0200 [0.0100, 0.0300]): try",
        ),
        ({"nll_gain": UP, "scaled": (0, 0, 0.03)}, 1, "With T, these examples show no"),
        ({"nll_gain": NONE, "reliability": (0, 0, 0.03)}, 1, "Without scaling, these examples"),
        ({"nll_gain": NONE, "reliability": (0.1, 0.01, 0.2)}, 1, "Without scaling, confidences"),
        ({"aurc_gain": UP, "norm_p": 3}, 2, "rank by logit_norm_confidence with p = 3; held-out"),
        ({"aurc_gain": DOWN}, 2, "keep the largest probability"),
        ({"aurc_gain": NONE}, 2, "no difference between the largest probability and logit norm"),
        ({"norm_p": None}, 2, "logit normalization was not tried."),
        ({"worst_reliability": (0.1, 0, 0.2), "worst_class": 2}, 3, "the worst is class 'c' (ECE"),
        ({"worst_reliability": (0.1, 0.05, 0.2), "class_names": None}, 3, "class 0 is the worst"),
    ],
)  # fmt: skip
def test_advice_follows_from_intervals(found, changes, which, expected):
    sentences = changed(found, **changes).advice
    assert len(sentences) == 4
    assert expected in sentences[which]


def test_advice_names_direction_of_miscalibrated_class(found):
    clear = {"worst_reliability": (0.1, 0.05, 0.2)}
    curve = found.worst_reliability
    for shift, word in ((0.1, "high"), (-0.1, "low")):
        accuracy = tuple(c if math.isnan(c) else c - shift for c in curve.confidence)
        of_class = changed(found, **clear)
        of_class = dataclasses.replace(
            of_class,
            worst_reliability=dataclasses.replace(of_class.worst_reliability, accuracy=accuracy),
        )
        assert f"mostly too {word}" in of_class.advice[3]


def test_advice_without_wrong_predictions_is_consistent():
    z = np.float32([[2, 0], [0, 2]] * 20)
    found = ls_keras.diagnose(z.argmax(-1), z, from_logits=True, resamples=100)
    assert "no prediction is wrong, so no temperature can be fitted" in found.advice[0]
    assert not any("With T" in sentence or "with T" in sentence for sentence in found.advice)


@pytest.mark.parametrize("number", [1, 5, 29])
def test_few_examples_get_no_advice(number):
    y, z = predictions(number)
    (sentence,) = ls_keras.diagnose(y, z, from_logits=True, resamples=100).advice
    assert sentence.startswith(f"Too little data for advice: {number} independent example")
    assert len(ls_keras.diagnose(*predictions(30), from_logits=True, resamples=100).advice) == 4


def simulate(temperature, seeds):
    """Yields diagnoses of models that are calibrated at a temperature."""
    for seed in range(seeds):
        rng = np.random.default_rng(seed)
        z = 1.5 * rng.normal(size=(300, 3))
        y = (z + rng.gumbel(size=z.shape)).argmax(-1)
        yield ls_keras.diagnose(y, z * temperature, from_logits=True, resamples=100, seed=seed)


def test_calibrated_models_get_few_false_alarms():
    """95 % intervals: each sentence may be wrong for 1 of 20 models, and one more by chance."""
    alarms, below = np.zeros(3, int), 0
    for found in simulate(1.0, 40):
        expected = ("no evidence that a temperature", "show no miscalibration", "none is clearly")
        sentences = [found.advice[i] for i in (0, 1, 3)]
        alarms += [text not in got for text, got in zip(expected, sentences, strict=True)]
        below += found.brier_gain.below
    assert max(alarms) <= 4
    # Without the noise of T in its interval: 8 of these 40.
    assert below <= 2


@pytest.mark.parametrize("temperature", [2.0, 0.5])
def test_model_fixed_by_temperature_gets_no_advice_for_vector_scaling(temperature):
    alarms = sum("try" in " ".join(found.advice[1:4:2]) for found in simulate(temperature, 20))
    assert alarms <= 4  # measured without the temperature: 16
