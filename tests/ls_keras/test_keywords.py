"""Keywords that nothing takes: told by everything public, with what was meant."""

import importlib
import inspect

import keras
import numpy as np
import pytest

import ls_keras
from ls_base.errors import InputError
from offered import PAIRS

RESULTS = {
    *("AttentionMap", "ClasswiseFit", "ClusterStatistics", "ConfidenceSpread", "Detection"),
    *("Diagnosis", "Estimate", "ForeignDetection", "Hypotheses", "LossParts", "MatrixFit"),
    *("MeanLogits", "MixedTemperatureFit", "MutualInformation", "Projection", "Recalibration"),
    *("ReliabilityCurve", "RiskCoverage", "SmoothError", "TemperatureCurve", "TemperatureFit"),
    *("TemplatePlane", "Unsmoothing", "VectorFit", "TeacherLogits", "SmoothReliability"),
}  # which functions return, and nobody makes
OTHERS = ["InputError", "LsKerasError", "Scorer", "Smoothing"]  # errors and interfaces
# Keywords that are somebody else's; and an abstract class.
HANDING_ON = ["expected_calibration_error", "get", "save", "save_plot", "ModelSearch"]


def takers():
    found = {}
    for package, name in PAIRS:
        value = getattr(importlib.import_module(package), name)
        if callable(value) and name not in {*RESULTS, *OTHERS, *HANDING_ON}:
            found[f"{package}.{name}"] = value
    return found


TAKERS = takers()


@pytest.mark.parametrize("name", TAKERS)
def test_an_unknown_keyword_is_told(name):
    with pytest.raises(InputError, match=r"^Expected an argument that .* has.* Received: blurb=3$"):
        TAKERS[name](blurb=3)


@pytest.mark.parametrize("name", TAKERS)
def test_a_slip_is_told_with_what_was_meant(name):
    value = TAKERS[name]
    taken = inspect.signature(value).parameters
    known = [p for p, kind in taken.items() if len(p) > 4 and kind.kind is not kind.VAR_KEYWORD]
    for parameter in known[-1:]:
        with pytest.raises(InputError, match=f"did you mean .*{parameter}"):
            value(**{f"{parameter}s_": 3})


MODEL = keras.Sequential([keras.Input((2,)), keras.layers.Dense(2)])


@pytest.mark.parametrize(
    ("call", "meant"),
    [
        (lambda: ls_keras.Distiller(MODEL, temperature=2), "teacher_temperature or student_temp"),
        (lambda: ls_keras.SmoothedCE(label_smoothing=0.1), "alpha"),
        (lambda: ls_keras.SmoothedCE(ignore_index=-100), "ignore_class"),
        (lambda: ls_keras.smoothed_cross_entropy([0], [[1.0, 0]], epsilon=0.1), "alpha"),
        (lambda: ls_keras.smoothed_cross_entropy(targets=[0], y_pred=[[1.0, 0]]), "y_true"),
        (lambda: ls_keras.expected_calibration_error([0], [[1.0, 0]], n_bins=3), "num_bins"),
        (lambda: ls_keras.ExpectedCalibrationError(n_bins=3), "num_bins"),
        (lambda: ls_keras.equivalent_smoothing([0], [[1.0, 0]], T=2), "temperature"),
        (lambda: ls_keras.fit_temperature([0], logits=[[1.0, 0]]), "y_pred or from_logits"),
        (lambda: ls_keras.layers.Temperature(T=2.0), "temperature"),
        (lambda: ls_keras.TemperatureScaling(data=None), "validation_data"),
        (lambda: ls_keras.MutualInformationProbe(images=None), "data"),
        (lambda: ls_keras.MutualInformationProbe(every_n_epochs=None), "every"),
    ],
)
def test_the_words_of_others_are_told_by_ours(call, meant):
    with pytest.raises(InputError, match=f"did you mean {meant}") as told:
        call()
    assert "\n" not in str(told.value)


def test_keras_s_own_keywords_stay():
    layer = ls_keras.layers.Temperature(2.0, name="scaled", dtype="float32", trainable=False)
    assert layer.name == "scaled"
    assert ls_keras.Distiller(MODEL, name="mine", trainable=False).name == "mine"
    assert keras.losses.deserialize(keras.losses.serialize(ls_keras.SmoothedCE(0.2))).alpha == 0.2


def test_a_subclass_tells_its_own():
    class Mine(ls_keras.SmoothedCE):
        def __init__(self, strength=0.1, **options):
            super().__init__(strength, **options)

    assert Mine(0.3, from_logits=True).alpha == 0.3
    with pytest.raises(InputError, match="alpha"):
        Mine(label_smoothing=0.3)


def test_what_is_taken_is_handed_on_as_it_is():
    np.testing.assert_array_equal(ls_keras.smooth_labels([0], alpha=0.0, num_classes=2), [[1, 0]])
