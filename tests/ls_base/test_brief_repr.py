"""How what the library makes shows itself: in one line, without arrays."""

import dataclasses
import importlib

import keras
import numpy as np
import pytest

import ls_keras
from ls_base.brief_repr import brief_repr, brief_value
from ls_keras import calibration, callbacks, decoding, distillation, layers, losses, representation
from offered import PAIRS

RNG = np.random.default_rng(0)
K, N = 6, 60
Z = RNG.normal(size=(N, K)).astype("float32") * 2
Y = (Z / 2 + RNG.gumbel(size=Z.shape)).argmax(-1)
P = np.exp(Z) / np.exp(Z).sum(-1, keepdims=True)
W = RNG.normal(size=(5, K)).astype("float32")
A = RNG.normal(size=(N, 4)).astype("float32")
MODEL = keras.Sequential([keras.Input((K,)), keras.layers.Dense(K, name="logits")])
QUICK = {"resamples": 100}
LOGITS = {"from_logits": True}

THINGS = {
    "reliability": lambda: ls_keras.reliability_curve(Y, P, **QUICK),
    "accumulator": ls_keras.ReliabilityAccumulator,
    "temperature fit": lambda: ls_keras.fit_temperature(Y, Z, **LOGITS),
    "vector fit": lambda: ls_keras.fit_vector_scaling(Y, Z, **LOGITS),
    "matrix fit": lambda: calibration.fit_matrix_scaling(Y, Z, **LOGITS),
    "mixed fit": lambda: calibration.fit_mixed_temperature(Y, Z, **LOGITS),
    "isotonic": lambda: calibration.fit_isotonic(Y, Z, **LOGITS),
    "histogram": lambda: calibration.fit_histogram(Y, Z, **LOGITS),
    "curve": lambda: calibration.temperature_curve(lambda x: x, (Z, Y), range(1, 30), **LOGITS),
    "smooth curve": lambda: calibration.smooth_reliability_curve(Y, P),
    "risk": lambda: calibration.risk_coverage(P.argmax(-1) == Y, P.max(-1)),
    "smooth error": lambda: ls_keras.smooth_calibration_error(Y, P),
    "loss parts": lambda: calibration.loss_decomposition(Y, Z, **LOGITS),
    "metric": lambda: ls_keras.ExpectedCalibrationError(num_bins=20, from_logits=True),
    "diagnosis": lambda: ls_keras.diagnose(Y, Z, **LOGITS, **QUICK),
    "clusters": lambda: ls_keras.cluster_statistics(Y, A, W),
    "cluster accumulator": lambda: representation.ClusterAccumulator(W),
    "plane": lambda: ls_keras.template_plane(W, (0, 1, 2)),
    "projection": lambda: ls_keras.project_classes(
        Y, A, ls_keras.template_plane(W, (0, 1, 2)), num_classes=K
    ),
    "mean logits": lambda: ls_keras.mean_logits(Y, Z),
    "information": lambda: ls_keras.mutual_information(RNG.normal(size=(8, 3)), **QUICK),
    "loss": lambda: ls_keras.SmoothedCE(np.full(1000, 0.1), from_logits=True),
    "sigmoids' loss": lambda: ls_keras.SmoothedBCE(0.2, prior=[0.1] * 1000),
    "prior": lambda: losses.Prior(np.full(1000, 1e-3)),
    "gamma": lambda: distillation.EquivalentSmoothing(np.arange(1, 50)),
    "distiller": lambda: ls_keras.Distiller(MODEL),
    "penalty": decoding.LengthPenalty,
    "hypotheses": lambda: decoding.Hypotheses(Y, Z, Y),
    "layer": lambda: layers.Temperature(2.0),
    "schedule": lambda: callbacks.AlphaSchedule(lambda step: 0.1),
    "scaling": lambda: callbacks.TemperatureScaling((Z, Y)),
    "plotter": lambda: callbacks.ProjectionPlotter((Z, Y), (0, 1, 2)),
    "probe": lambda: callbacks.MutualInformationProbe((Z, Y), (0, 1), lambda x: x),
}


@pytest.mark.parametrize("name", THINGS)
def test_one_line_without_arrays(name):
    thing = THINGS[name]()
    line = repr(thing)
    assert "\n" not in line
    assert len(line) < 700
    assert type(thing).__name__ in line
    assert "array([" not in line
    assert " object at 0x" not in line.replace("<function", "")


@pytest.mark.parametrize(("package", "name"), PAIRS)
def test_no_dataclass_shows_its_arrays(package, name):
    value = getattr(importlib.import_module(package), name)
    if dataclasses.is_dataclass(value):
        shows = next(owner for owner in value.__mro__ if "__repr__" in vars(owner))
        assert not hasattr(vars(shows)["__repr__"], "__wrapped__")  # as what dataclass makes has


def test_what_matters_is_there():
    assert repr(ls_keras.SmoothedCE()) == "SmoothedCE(smoothing=Uniform())"
    loss = ls_keras.SmoothedCE(0.2, from_logits=True, ignore_class=0)
    assert repr(loss) == (
        "SmoothedCE(alpha=0.2, smoothing=Uniform(), from_logits=True, ignore_class=0)"
    )
    assert repr(losses.Unigram([1.0, 2.0])) == "Unigram(counts=[1.0, 2.0], pseudo_count=1.0)"
    assert "temperature=" in repr(ls_keras.fit_temperature(Y, Z, from_logits=True))
    metric = ls_keras.Accuracy(from_logits=True, name="right")
    assert repr(metric) == "Accuracy(from_logits=True, name='right')"


def test_a_rate_that_moves_is_not_read():
    model = keras.Sequential([keras.Input((K,)), keras.layers.Dense(K)])
    model.compile("sgd", ls_keras.SmoothedCE(0.2, from_logits=True))
    callbacks.AlphaSchedule(lambda step: 0.1).set_model(model)
    assert repr(model.loss).startswith("SmoothedCE(alpha=<variable ()>")


def test_values_are_short():
    assert brief_value(np.zeros((2, 3))) == "<array (2, 3)>"
    assert brief_value(list(range(9))) == "<9 in a list>"
    assert brief_value((1.5,)) == "(1.5,)"
    assert brief_value({"a": np.zeros(2)}) == "{'a': <array (2,)>}"
    assert brief_repr(1, low=0.5, high=None) == "int(low=0.5)"
