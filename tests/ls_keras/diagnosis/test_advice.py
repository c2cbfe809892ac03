"""Sentences follow from intervals, each in its cases."""

import dataclasses
import math

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
        ({"bias": NONE}, 0, "Neither over- nor underconfident on the whole: divide"),
        ({"nll_gain": NONE}, 0, "held out, NLL falls by 0.1000 [−0.1000, 0.2000])."),
        ({"nll_gain": DOWN}, 0, "no temperature is shown to gain anything (T = "),
        ({"nll_gain": UP}, 0, "NLL falls by 0.1000 [0.0500, 0.2000]"),
        (
            {"reliability": (0.2, 0.15, 0.25), "scaled": (0.02, 0, 0.03)},
            0,
            "ECE less its bias falls from 0.2000 to 0.0200 [0.0000, 0.0300].",
        ),
        (
            {"reliability": (0.02, 0, 0.03), "scaled": (0.2, 0.15, 0.25)},
            0,
            "ECE less its bias rises from 0.0200 to 0.2000 [0.1500, 0.2500].",
        ),
        (
            {"reliability": (0.2, 0.1, 0.25), "scaled": (0.1, 0.05, 0.12)},
            0,
            "the change of ECE may be none.",
        ),
        (
            {"at_bound": "lower", "accuracy": Estimate(1.0, 0.9, 1.0)},
            0,
            "no prediction is wrong, so no temperature can be found",
        ),
        ({"at_bound": "lower", "nll_gain": UP}, 0, ", the smallest tried; held out, NLL falls by"),
        ({"at_bound": "upper", "nll_gain": UP}, 0, ", the largest tried; held out, NLL falls by"),
        ({"from_logits": False, "nll_gain": UP}, 0, "divide log-probabilities by T"),
        (
            {"nll_gain": UP, "scaled": (0.02, 0.01, 0.03)},
            1,
            "With T, confidences are still off (ECE less its bias 0.0200 [0.0100, 0.0300]): try",
        ),
        ({"nll_gain": UP, "scaled": (0, 0, 0.03)}, 1, "With T, no miscalibration is left that"),
        ({"nll_gain": NONE, "reliability": (0, 0, 0.03)}, 1, "As they are, no miscalibration"),
        ({"nll_gain": NONE, "reliability": (0.02, 0.01, 0.03)}, 1, "As they are, confidences are"),
        ({"aurc_gain": UP, "norm_p": 3}, 2, "rank by logit_norm_confidence with p = 3; held out"),
        ({"aurc_gain": DOWN}, 2, "stay with the largest probability"),
        ({"aurc_gain": NONE}, 2, "no difference between largest probability and logit norm"),
        ({"norm_p": None}, 2, "logit normalization was not tried."),
        ({"worst_reliability": (0.1, 0, 0.2), "worst_class": 2}, 3, "the worst is class 'c' (ECE"),
        ({"worst_reliability": (0.1, 0.05, 0.2), "class_names": None}, 3, "class 0 is the worst"),
    ],
)  # fmt: skip
def test_a_sentence_says_what_the_interval_does(found, changes, which, expected):
    sentences = changed(found, **changes).advice
    assert len(sentences) == 4
    assert expected in sentences[which]


def test_which_way_a_class_is_off(found):
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


def test_what_is_calibrated_is_left_alone():
    """Intervals of 95 %: of 20 models without fault, one may be told to change."""
    told = 0
    for seed in range(20):
        y, z = predictions(300, classes=3, seed=seed)
        z = z / 2
        z[:, 0] += 0.5  # as the labels were drawn
        found = ls_keras.diagnose(y, z, from_logits=True, resamples=100, seed=seed)
        told += "no temperature is shown to gain anything" not in found.advice[0]
    assert told <= 1
