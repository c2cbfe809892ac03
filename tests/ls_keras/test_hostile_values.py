"""Every public name with values that nobody should pass: one line that says so, or an answer.

A call is a good one, of which one argument at a time is replaced. What comes back is an
`InputError` in one line that says what was expected and what was received, or a result; where
`finite` says so, a result whose numbers are finite. Nothing else: no error of a framework or of
NumPy, no warning of NumPy's, no large memory, no waiting.

Left out are arguments that are Keras's own (`name`, `dtype`, `reduction`), and classes that only
hold what they are given.
"""

import dataclasses
import importlib
import inspect
import math
import resource
import tempfile
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest

import ls_keras
from ls_base.errors import InputError
from ls_keras import (
    calibration,
    callbacks,
    decoding,
    distillation,
    information,
    layers,
    losses,
    metrics,
    plots,
    representation,
)
from offered import PAIRS

SCALARS = {
    "None": None,
    "NaN": math.nan,
    "inf": math.inf,
    "negative": -1,
    "zero": 0,
    "fraction": 0.5,
    "huge": 10**9,
    "past int64": 2**70,
    "past float64": 10**400,
    "string": "x",
    "object": object(),
    "True": True,
    "complex": 1j,
}
ARRAYS = {
    "None": None,
    "a number": 1.5,
    "a string": "x",
    "an object": object(),
    "empty": [],
    "ragged": [[1], [2, 3]],
    "a mapping": {"a": 1},
    "objects": np.array([[None] * 3] * 4),
    "strings": [["a"] * 3] * 4,
    "complex": np.full((4, 3), 1j),
    "past int64": [[2**70] * 3] * 4,
    "NaN": np.full((4, 3), np.nan),
    "infinite": np.full((4, 3), np.inf),
    "negative": np.full((4, 3), -1),
    "no rows": np.zeros((0, 3)),
    "no columns": np.zeros((4, 0)),
    "K = 1": np.ones((4, 1)),
    "flat": np.linspace(0.1, 0.9, 4, dtype="float32"),
    "flat integers": np.array([0, -7, 2**40, 1]),
    "large": np.full((4, 3), 1e38),
}

NEW = "a path that is not there yet"
Y = np.array([0, 1, 2, 0])
Z = np.float32([[2, 0, 1], [0, 2, 1], [0, 1, 2], [1, 2, 0]])
P = np.float32([[0.5, 0.25, 0.25]] * 4)
LABELS = np.array([[0, 1, 1], [1, 0, 0], [1, 1, 0], [0, 0, 1]])  # of sigmoids
W = np.ones(4, "float32")
TEMPLATES = np.float32(np.eye(4)[:, :3])
ACTIVATIONS = np.float32(np.eye(3)[[0, 1, 2, 0]])
SAMPLES = np.arange(12.0).reshape(4, 3)
PLANE = representation.template_plane(TEMPLATES, (0, 1, 2))
LEARNED = [{"step": 1, "loss": 1.0, "val_loss": 2.0}, {"step": 2, "loss": 0.5, "val_loss": None}]
ROWS = [
    {"run": "a", "curve": "teacher", "alpha": 0.1, "gamma": 0.1}
    | {
        "temperature": 1.0,
        "nll": 1.0,
        "ece": 0.1,
        "bleu": 30.0,
        "step": 1,
        "mutual_information": 1.0,
        "low": 0.9,
        "high": 1.1,
        "num_examples": 9,
    }
]


def model(**last):
    return keras.Sequential([keras.Input((3,)), keras.layers.Dense(3, name="logits", **last)])


MODEL, TEACHER = model(), model()
FIT = calibration.fit_temperature(Y, Z, from_logits=True)
CURVE = calibration.reliability_curve(Y, P)


def step(tokens, state, index):
    return keras.ops.take(keras.ops.convert_to_tensor(Z), tokens % 4, axis=0), state


@dataclasses.dataclass(frozen=True)
class Case:
    """A good call.

    Attributes:
        call: The function.
        good: Its arguments.
        arrays: Which of them are replaced by `ARRAYS`.
        scalars: Which by `SCALARS`.
        others: Which by both.
        finite: Whether the numbers of a result must be finite.
    """

    call: Callable
    good: dict[str, Any]
    arrays: str = ""
    scalars: str = ""
    others: str = ""
    finite: bool = False

    def calls(self):
        """Yields `(argument, what, value)`."""
        for names, values in (
            (self.arrays, ARRAYS),
            (self.scalars, SCALARS),
            (self.others, SCALARS | ARRAYS),
        ):
            for name in names.split():
                assert name in self.good, name
                for what, value in values.items():
                    yield name, what, value


def updated(metric, **arguments):
    metric.update_state(**arguments)
    return float(metric.result())


def metric_case(make, **options):
    good = {"y_true": Y, "y_pred": P, "sample_weight": W, "from_logits": False, "ignore_class": 7}

    def call(y_true, y_pred, sample_weight, **arguments):
        metric = make(**arguments)
        return updated(metric, y_true=y_true, y_pred=y_pred, sample_weight=sample_weight)

    return Case(
        call,
        good | options,
        arrays="y_true y_pred sample_weight",
        others="from_logits ignore_class" + "".join(f" {name}" for name in options),
    )


def search_case(search, **options):
    good = {
        "step": step,
        "initial_state": {"a": np.zeros((2, 3), "float32")},
        "batch_size": 2,
        "max_length": 3,
        "start_token": 0,
        "end_token": 1,
        "pad_token": 0,
        "min_length": 0,
        "forbidden_tokens": (2,),
        "unsmooth": decoding.Unsmoothing(0.1),
    }
    names = "batch_size max_length start_token end_token pad_token min_length"
    return Case(
        search,
        good | options,
        scalars=" ".join([names, *options]),
        others="initial_state forbidden_tokens step unsmooth",
    )


def accumulated(y_true, y_pred, sample_weight, groups, **options):
    accumulator = calibration.ReliabilityAccumulator(**options)
    accumulator.update(y_true, y_pred, sample_weight=sample_weight, groups=groups)
    return accumulator.curve()


def gathered(rows, labels):
    with tempfile.TemporaryDirectory() as folder:
        kept = distillation.TeacherLogits.compute(
            Path(folder) / "logits", MODEL, (ACTIVATIONS, Y), ignore_class=-1
        )
        return kept.gather(rows, labels)


def computed(directory, **arguments):
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "logits" if directory is NEW else directory
        return distillation.TeacherLogits.compute(path, **arguments)


def clusters(templates, y_true, activations, **options):
    found = representation.ClusterAccumulator(templates, in_span=options.pop("in_span"))
    found.update(y_true, activations, **options)
    return found.result().summary()


def sampled(plane, num_classes, per_class, seed, y_true, activations, **options):
    found = representation.ProjectionSampler(plane, num_classes, per_class=per_class, seed=seed)
    found.update(y_true, activations, **options)
    return found.result().coordinates


def saved(draw, data, path, **options):
    with tempfile.TemporaryDirectory() as folder:
        return plots.save_plot(draw, data, Path(folder) / "a" if path is NEW else path, **options)


NEIGHBORS = {
    losses.SmoothedBCE: {"alpha": 0.1, "prior": 0.5},
    losses.MaxSup: {"alpha": 0.1},
    losses.MarginSmoothing: {"alpha": 0.1, "margin": 1.0},
    losses.FocalCE: {"gamma": 2.0},
    losses.ConfidencePenalty: {"beta": 0.1},
    losses.NegativeSmoothing: {"rate": -0.5},
}


def neighbor_cases(make, options):
    good = options | {"from_logits": False, "ignore_class": 7, "axis": -1}
    yield "", Case(make, good, others=" ".join(good))
    y_true = LABELS if make is losses.SmoothedBCE else Y
    batch = {"y_true": y_true, "y_pred": Z, "sample_weight": W}
    yield "()", Case(make(from_logits=True), batch, arrays=" ".join(batch))


LABELED = {"y_true": Y, "mask": np.ones(4, bool), "ignore_class": 7}
FITTED = {"y_true": Y, "y_pred": Z, "from_logits": True, "sample_weight": W} | LABELED
BEAMS = [{"name": "a", "beam_size": b, "bleu": 30.0} for b in (1, 4)]
NUMBERED = {"rows": ROWS, "score": "bleu"}

CASES = {
    "Accuracy": metric_case(metrics.Accuracy),
    "BrierScore": metric_case(metrics.BrierScore),
    "NegativeLogLikelihood": metric_case(metrics.NegativeLogLikelihood),
    "Perplexity": metric_case(metrics.Perplexity),
    "ExpectedCalibrationError": metric_case(
        metrics.ExpectedCalibrationError,
        num_bins=5,
        norm="l2",
        binning="equal_width",
        classwise=False,
        debias=False,
    ),
    "expected_calibration_error": Case(
        calibration.expected_calibration_error,
        {"y_true": Y, "y_pred": P, "sample_weight": W, "num_bins": 5, "from_logits": False},
        arrays="y_true y_pred sample_weight",
        scalars="num_bins from_logits",
        finite=True,
    ),
    "reliability_curve": Case(
        calibration.reliability_curve,
        {
            "y_true": Y,
            "y_pred": P,
            "num_bins": 5,
            "from_logits": False,
            "ignore_class": 7,
            "sample_weight": W,
            "groups": Y,
            "confidence": 0.9,
            "resamples": 100,
            "seed": 0,
            "temperature": 1.0,
        },
        arrays="y_true y_pred sample_weight groups",
        scalars="num_bins from_logits ignore_class confidence resamples seed temperature",
        finite=True,
    ),
    "ReliabilityAccumulator": Case(
        accumulated,
        {"y_true": Y, "y_pred": P, "sample_weight": W, "groups": Y}
        | {"from_logits": False, "ignore_class": 7},
        arrays="y_true y_pred sample_weight groups",
        others="from_logits ignore_class",
        finite=True,
    ),
    "curve_of_statistics": Case(
        calibration.curve_of_statistics,
        {
            "top_confidence": W / 2,
            "correct": Y > 0,
            "sample_weight": W,
            "groups": Y,
            "num_bins": 5,
            "confidence": 0.9,
            "resamples": 100,
            "seed": 0,
            "temperature": 1.0,
            "multi_label": True,
        },
        arrays="top_confidence correct sample_weight groups",
        scalars="num_bins confidence resamples seed temperature multi_label",
        finite=True,
    ),
    "smooth_calibration_error": Case(
        calibration.smooth_calibration_error,
        {"y_true": Y, "y_pred": P, "from_logits": False, "ignore_class": 7, "sample_weight": W}
        | {"groups": Y, "bandwidth": 0.1, "mesh": "fine"}
        | {"confidence": 0.9, "resamples": 100, "seed": 0},
        arrays="y_true y_pred sample_weight groups",
        scalars="from_logits ignore_class bandwidth mesh confidence resamples seed",
    ),
    "smooth_error_of_statistics": Case(
        calibration.smooth_error_of_statistics,
        {"top_confidence": W / 2, "correct": Y > 0, "sample_weight": W, "groups": Y}
        | {"bandwidth": None, "mesh": "relplot", "resamples": 100},
        arrays="top_confidence correct sample_weight groups",
        scalars="bandwidth mesh resamples",
    ),
    "smooth_reliability_curve": Case(
        calibration.smooth_reliability_curve,
        {"y_true": Y, "y_pred": P, "from_logits": False, "ignore_class": 7, "sample_weight": W}
        | {"bandwidth": 0.1},
        arrays="y_true y_pred sample_weight",
        scalars="from_logits ignore_class bandwidth",
    ),
    "smooth_curve_of_statistics": Case(
        calibration.smooth_curve_of_statistics,
        {"top_confidence": W / 2, "correct": Y > 0, "sample_weight": W, "bandwidth": 0.1},
        arrays="top_confidence correct sample_weight",
        scalars="bandwidth",
    ),
    "diagnose": Case(
        ls_keras.diagnose,
        {"y_true": Y, "y_pred": P, "from_logits": False, "ignore_class": 7, "sample_weight": W}
        | {"mask": Y > 0, "groups": Y, "class_names": ["a", "b", "c"], "num_bins": 4, "folds": 2}
        | {"confidence": 0.9, "resamples": 100, "seed": 0},
        arrays="y_true y_pred sample_weight mask groups",
        scalars="from_logits ignore_class num_bins folds confidence resamples seed",
        others="class_names",
    ),
    "risk_coverage": Case(
        calibration.risk_coverage,
        {"correct": Y > 0, "confidence": W / 2, "sample_weight": W},
        arrays="correct confidence sample_weight",
        finite=True,
    ),
    "confidence_auroc": Case(
        calibration.confidence_auroc,
        {"correct": Y > 0, "confidence": W / 2},
        arrays="correct confidence",
    ),
    "ood_detection": Case(
        calibration.ood_detection,
        {"logits": Z, "ood_logits": P, "temperature": 1.0, "recall": 0.95},
        arrays="logits ood_logits",
        scalars="temperature recall",
        finite=True,
    ),
    "detection_score": Case(
        calibration.detection_score,
        {"logits": Z, "score": "energy", "temperature": 1.0},
        arrays="logits",
        scalars="score temperature",
        finite=True,
    ),
    "logit_norm_confidence": Case(
        calibration.logit_norm_confidence,
        {"logits": Z, "p": 2.0},
        arrays="logits",
        scalars="p",
        finite=True,
    ),
    "ReliabilityCurve.from_json": Case(
        calibration.ReliabilityCurve.from_json, {"source": CURVE.to_json()}, others="source"
    ),
    "ReliabilityCurve.from_csv": Case(
        calibration.ReliabilityCurve.from_csv, {"source": CURVE.to_csv()}, others="source"
    ),
    "fit_temperature": Case(
        calibration.fit_temperature,
        FITTED | {"objective": "ece", "bounds": (0.1, 10.0), "tolerance": 1e-4, "num_bins": 5},
        arrays="y_true y_pred sample_weight mask",
        others="from_logits ignore_class objective bounds tolerance num_bins",
        finite=True,
    ),
    "fit_vector_scaling": Case(
        calibration.fit_vector_scaling,
        FITTED | {"max_iterations": 3, "tolerance": 1e-4, "num_bins": 5},
        arrays="y_true y_pred sample_weight mask",
        others="from_logits ignore_class max_iterations tolerance num_bins",
        finite=True,
    ),
    "fit_mixed_temperature": Case(
        calibration.fit_mixed_temperature,
        FITTED | {"bounds": (0.1, 10.0), "tolerance": 1e-4, "num_bins": 5},
        arrays="y_true y_pred sample_weight mask",
        others="from_logits ignore_class bounds tolerance num_bins",
        finite=True,
    ),
    "fit_matrix_scaling": Case(
        calibration.fit_matrix_scaling,
        FITTED | {"strength": 1.0, "max_iterations": 3, "tolerance": 1e-4, "num_bins": 5},
        arrays="y_true y_pred sample_weight mask",
        others="from_logits ignore_class strength max_iterations tolerance num_bins",
        finite=True,
    ),
    "fit_isotonic": Case(
        calibration.fit_isotonic,
        FITTED | {"num_bins": 5},
        arrays="y_true y_pred sample_weight mask",
        others="from_logits ignore_class num_bins",
        finite=True,
    ),
    "fit_histogram": Case(
        calibration.fit_histogram,
        FITTED | {"num_bins": 5},
        arrays="y_true y_pred sample_weight mask",
        others="from_logits ignore_class num_bins",
        finite=True,
    ),
    "loss_decomposition": Case(
        calibration.loss_decomposition,
        FITTED | {"recalibration": "isotonic", "folds": [0, 1, 0, 1]},
        arrays="y_true y_pred sample_weight mask folds",
        others="from_logits ignore_class recalibration",
        finite=True,
    ),
    "classwise_reliability": Case(
        calibration.classwise_reliability,
        {"y_true": Y, "y_pred": P, "from_logits": False, "ignore_class": 7, "sample_weight": W}
        | {"groups": Y, "classes": [0, 2], "num_bins": 5, "resamples": 100, "multi_label": False},
        arrays="y_true y_pred sample_weight groups",
        others="from_logits multi_label ignore_class classes num_bins resamples",
    ),
    "fit_temperature_dataset": Case(
        calibration.fit_temperature_dataset,
        {
            "model": lambda x: x,
            "dataset": [(Z, Y)],
            "from_logits": True,
            "ignore_class": 7,
            "objective": "nll",
            "reservoir": 3,
            "bounds": (0.1, 10.0),
            "tolerance": 1e-4,
            "num_bins": 5,
            "batch_size": 2,
            "seed": 0,
        },
        scalars="from_logits objective reservoir tolerance num_bins batch_size seed",
        others="model dataset ignore_class bounds",
        finite=True,
    ),
    "temperature_curve": Case(
        calibration.temperature_curve,
        {
            "model": lambda x: x,
            "dataset": [(Z, Y)],
            "temperatures": [1.0, 2.0],
            "from_logits": True,
            "ignore_class": 7,
            "num_bins": 5,
            "batch_size": 2,
        },
        scalars="from_logits num_bins batch_size",
        others="model dataset temperatures ignore_class",
        finite=True,
    ),
    "calibrated": Case(
        calibration.calibrated,
        {"model": MODEL, "fit": FIT, "from_logits": True},
        others="model fit from_logits",
    ),
    "CalibratedModel": Case(
        calibration.CalibratedModel,
        {"model": MODEL, "scaling": layers.Temperature(2.0), "from_logits": True}
        | {"multi_label": False},
        others="model scaling from_logits multi_label",
    ),
    "AlphaSchedule": Case(
        callbacks.AlphaSchedule, {"schedule": abs, "output": None}, others="schedule output"
    ),
    "TemperatureScaling": Case(
        callbacks.TemperatureScaling,
        {
            "validation_data": (Z, Y),
            "every": 1,
            "from_logits": True,
            "ignore_class": 7,
            "objective": "nll",
            "num_bins": 5,
            "batch_size": 2,
            "prefix": "val_",
        },
        scalars="every from_logits objective num_bins batch_size prefix",
        others="validation_data ignore_class",
    ),
    "ProjectionPlotter": Case(
        callbacks.ProjectionPlotter,
        {
            "data": (ACTIVATIONS, Y),
            "classes": (0, 1, 2),
            "every": 1,
            "directory": "a",
            "per_class": 3,
            "class_names": ["a", "b", "c"],
            "ignore_class": 7,
            "batch_size": 2,
            "seed": 0,
        },
        scalars="every directory per_class batch_size seed",
        others="data classes class_names ignore_class",
    ),
    "MutualInformationProbe": Case(
        callbacks.MutualInformationProbe,
        {
            "data": (ACTIVATIONS, Y),
            "classes": (0, 1),
            "augment": lambda x: x,
            "draws": 2,
            "every": 1,
            "every_steps": 1,
            "scored": "reused",
            "batch_size": 2,
            "seed": 0,
            "file": "a.csv",
        },
        scalars="draws every every_steps scored batch_size seed file",
        others="data classes augment",
    ),
    "greedy_search": search_case(decoding.greedy_search),
    "beam_search": search_case(
        decoding.beam_search,
        beam_size=2,
        length_penalty=0.6,
        temperature=1.0,
        num_return=1,
        stop="bound",
        unfinished="compete",
        scorer=None,
    ),
    "compiled": Case(
        decoding.compiled,
        {"function": lambda x: x, "variables": (), "jit_compile": False},
        others="function variables jit_compile",
    ),
    "LengthPenalty": Case(decoding.LengthPenalty, {"exponent": 0.6}, others="exponent"),
    "Unsmoothing": Case(
        decoding.Unsmoothing, {"alpha": 0.1, "smoothing": "uniform"}, others="alpha smoothing"
    ),
    "unsmoothed_log_probs": Case(
        decoding.unsmoothed_log_probs,
        {"logits": Z, "alpha": 0.1, "smoothing": "uniform"},
        arrays="logits",
        others="alpha smoothing",
    ),
    "distillation_loss": Case(
        distillation.distillation_loss,
        {
            "y_true": Y,
            "student_logits": Z,
            "teacher_logits": Z,
            "beta": 0.5,
            "teacher_temperature": 1.0,
            "student_temperature": 1.0,
            "alpha": 0.1,
            "smoothing": "uniform",
            "loss": "cross-entropy",
            "scale_by_temperature": False,
            "ignore_class": 7,
        },
        arrays="y_true student_logits teacher_logits",
        scalars="beta teacher_temperature student_temperature alpha loss scale_by_temperature",
        others="smoothing ignore_class",
    ),
    "equivalent_smoothing": Case(
        distillation.equivalent_smoothing,
        FITTED | {"temperature": 1.0},
        arrays="y_true y_pred sample_weight mask",
        others="temperature from_logits ignore_class",
        finite=True,
    ),
    "equivalent_smoothing_dataset": Case(
        distillation.equivalent_smoothing_dataset,
        {
            "teacher": lambda x: x,
            "dataset": [(Z, Y)],
            "temperature": 1.0,
            "from_logits": True,
            "ignore_class": 7,
            "batch_size": 2,
        },
        scalars="batch_size",
        others="teacher dataset temperature from_logits ignore_class",
        finite=True,
    ),
    "EquivalentSmoothing": Case(
        distillation.EquivalentSmoothing,
        {"temperature": 1.0, "from_logits": True, "ignore_class": 7},
        others="temperature from_logits ignore_class",
    ),
    "Distiller": Case(
        distillation.Distiller,
        {
            "student": MODEL,
            "teacher": TEACHER,
            "beta": 0.5,
            "teacher_temperature": 1.0,
            "student_temperature": 1.0,
            "alpha": 0.1,
            "smoothing": "uniform",
            "loss": "cross-entropy",
            "scale_by_temperature": False,
            "ignore_class": 7,
            "from_logits": True,
            "teacher_view": None,
        },
        scalars="beta teacher_temperature student_temperature alpha loss scale_by_temperature",
        others="student teacher smoothing ignore_class from_logits teacher_view",
    ),
    "TeacherLogits.compute": Case(
        computed,
        {
            "directory": NEW,
            "teacher": MODEL,
            "examples": (ACTIVATIONS, Y),
            "ignore_class": 7,
            "top_k": 1,
            "dtype": "float16",
            "batch_size": 2,
            "teacher_id": "a",
            "progress": None,
        },
        scalars="ignore_class top_k dtype batch_size teacher_id",
        others="directory teacher examples progress",
    ),
    "TeacherLogits.open": Case(
        distillation.TeacherLogits.open,
        {"directory": "a", "examples": (ACTIVATIONS, Y), "teacher": "a"},
        others="directory examples teacher",
    ),
    "TeacherLogits.gather": Case(gathered, {"rows": [0, 1], "labels": Y[:2]}, others="rows labels"),
    "mutual_information": Case(
        information.mutual_information,
        {"samples": SAMPLES, "scored": "reused", "resamples": 10, "seed": 0},
        others="samples scored resamples seed",
        finite=True,
    ),
    "estimator_bias": Case(
        information.estimator_bias,
        {"draws": 3, "scored": "reused"},
        others="draws scored",
        finite=True,
    ),
    "Temperature": Case(layers.Temperature, {"temperature": 1.0}, others="temperature"),
    "VectorScaling": Case(layers.VectorScaling, {}),
    "MixedTemperature": Case(
        layers.MixedTemperature,
        {"temperature": 1.0, "mixing": 0.1},
        others="temperature mixing",
    ),
    "MatrixScaling": Case(
        layers.MatrixScaling, {"temperature": 1.0, "mixing": 0.1}, others="temperature mixing"
    ),
    "ClasswiseMap": Case(
        layers.ClasswiseMap,
        {"knots": 2, "kind": "step", "mixing": 0.1},
        others="knots kind mixing",
    ),
    "LogOdds": Case(layers.LogOdds, {}),
    "LogProbabilities": Case(layers.LogProbabilities, {}),
    "TiedLogits": Case(
        layers.TiedLogits,
        {"embedding": keras.layers.Embedding(3, 2), "use_bias": True},
        others="embedding use_bias",
    ),
    "FusedLogits": Case(
        layers.FusedLogits,
        {
            "head": keras.layers.Dense(3),
            "alpha": 0.1,
            "smoothing": "uniform",
            "ignore_class": 7,
            "reduction": "sum",
            "chunk_size": 2,
        },
        others="head alpha smoothing ignore_class reduction chunk_size",
    ),
    "linear_smoothed_ce": Case(
        losses.linear_smoothed_ce,
        {
            "y_true": Y,
            "hidden": Z,
            "kernel": Z[:3],
            "bias": Z[0],
            "alpha": 0.1,
            "smoothing": "uniform",
            "sample_weight": W,
            "mask": W > 0,
            "ignore_class": 7,
            "reduction": "sum",
            "transposed": False,
            "chunk_size": 2,
        },
        arrays="y_true hidden kernel bias sample_weight mask",
        others="alpha smoothing ignore_class reduction transposed chunk_size",
    ),
    "smoothed_cross_entropy": Case(
        losses.smoothed_cross_entropy,
        {
            "y_true": Y,
            "y_pred": P,
            "alpha": 0.1,
            "smoothing": "uniform",
            "from_logits": False,
            "ignore_class": 7,
            "axis": -1,
        },
        arrays="y_true y_pred",
        scalars="alpha axis",
        others="smoothing from_logits ignore_class",
    ),
    "SmoothedCE": Case(
        losses.SmoothedCE,
        {"alpha": 0.1, "smoothing": "uniform", "from_logits": False, "ignore_class": 7, "axis": -1},
        others="alpha smoothing from_logits ignore_class axis",
    ),
    "SmoothedCE()": Case(
        losses.SmoothedCE(from_logits=True),
        {"y_true": Y, "y_pred": Z, "sample_weight": W},
        arrays="y_true y_pred sample_weight",
    ),
    **{
        f"{make.__name__}{called}": case
        for make, options in NEIGHBORS.items()
        for called, case in neighbor_cases(make, options)
    },
    "with_alpha": Case(
        losses.with_alpha, {"y_true": Y, "alpha": np.float32([0.1] * len(Y))}, arrays="y_true alpha"
    ),
    "smooth_labels": Case(
        losses.smooth_labels,
        {"y_true": Y, "alpha": 0.1, "num_classes": 3, "smoothing": "uniform", "ignore_class": 7},
        arrays="y_true",
        others="alpha num_classes smoothing ignore_class",
    ),
    "alpha_from_off_target": Case(
        losses.alpha_from_off_target,
        {"epsilon": 0.1, "num_classes": 3},
        others="epsilon num_classes",
        finite=True,
    ),
    "off_target_from_alpha": Case(
        losses.off_target_from_alpha,
        {"alpha": 0.1, "num_classes": 3},
        others="alpha num_classes",
        finite=True,
    ),
    "Uniform": Case(losses.Uniform, {"exclude": (0,)}, others="exclude"),
    "Unigram": Case(
        losses.Unigram,
        {"counts": [1, 2, 3], "pseudo_count": 1, "exclude": (0,)},
        others="counts pseudo_count exclude",
    ),
    "Prior": Case(losses.Prior, {"probabilities": [0.5, 0.5]}, others="probabilities"),
    "Neighborhood": Case(losses.Neighborhood, {"weights": (5, 2)}, others="weights"),
    "get": Case(losses.get, {"identifier": "uniform"}, others="identifier"),
    "get(options)": Case(
        losses.get,
        {"identifier": "smoothed_ce", "alpha": 0.1, "from_logits": True},
        others="identifier alpha from_logits",
    ),
    "get(metric)": Case(
        metrics.get, {"identifier": "ece", "num_bins": 5}, others="identifier num_bins"
    ),
    "serialize": Case(losses.serialize, {"value": losses.Uniform()}, others="value"),
    "deserialize": Case(
        losses.deserialize,
        {"config": losses.serialize(losses.Uniform()), "custom_objects": None},
        others="config custom_objects",
    ),
    "AttentionMap": Case(
        plots.AttentionMap,
        {"weights": P, "tokens": list("abcd"), "seconds": 0.1},
        others="weights tokens seconds",
    ),
    "attention_map": Case(
        plots.attention_map,
        {"maps": plots.AttentionMap(P, list("abcd"), 0.1), "axes": None, "title": "a"},
        others="maps axes title",
    ),
    "attention_rows": Case(
        plots.attention_rows,
        {"maps": plots.AttentionMap(P, list("abcd"), 0.1)},
        others="maps",
    ),
    "distillation_points": Case(plots.distillation_points, NUMBERED, others="rows score"),
    "distillation_curves": Case(
        plots.distillation_curves, NUMBERED | {"label": "a", "title": "a"}, others="rows score"
    ),
    "information_curve": Case(
        plots.information_curve,
        {"histories": ROWS, "num_examples": 9, "ax": None, "title": "a"},
        others="histories num_examples ax title",
    ),
    "information_rows": Case(plots.information_rows, {"histories": ROWS}, others="histories"),
    "learning_curves": Case(
        plots.learning_curves,
        {"rows": LEARNED, "labels": {"loss": "a"}, "title": "a"},
        others="rows labels title",
    ),
    "learning_rows": Case(plots.learning_rows, {"rows": LEARNED}, others="rows"),
    "mean_logits_map": Case(
        plots.mean_logits_map,
        {
            "maps": representation.mean_logits(Y, Z),
            "class_names": None,
            "axes": None,
            "title": "a",
        },
        others="maps class_names axes title",
    ),
    "mean_logits_rows": Case(
        plots.mean_logits_rows,
        {"maps": representation.mean_logits(Y, Z), "class_names": None},
        others="maps class_names",
    ),
    "projection_panels": Case(
        plots.projection_panels,
        {
            "panels": {"a": representation.project_classes(Y, ACTIVATIONS, PLANE, num_classes=3)},
            "axes": None,
            "title": "a",
            "common_axes": True,
        },
        others="panels axes title common_axes",
    ),
    "projection_rows": Case(
        plots.projection_rows,
        {"panels": {"a": representation.project_classes(Y, ACTIVATIONS, PLANE, num_classes=3)}},
        others="panels",
    ),
    "reliability_diagram": Case(
        plots.reliability_diagram,
        {"curves": CURVE, "ax": None, "counts_ax": None, "title": "a", "intervals": True}
        | {"smooth": None},
        others="curves ax counts_ax title intervals smooth",
    ),
    "reliability_rows": Case(
        plots.reliability_rows, {"curves": CURVE, "smooth": None}, others="curves smooth"
    ),
    "risk_coverage_diagram": Case(
        plots.risk_coverage_diagram,
        {"curves": calibration.risk_coverage(Y > 0, W / 2), "ax": None, "title": "a"},
        others="curves ax title",
    ),
    "risk_coverage_rows": Case(
        plots.risk_coverage_rows,
        {"curves": calibration.risk_coverage(Y > 0, W / 2)},
        others="curves",
    ),
    "beam_panels": Case(
        plots.beam_panels,
        {"rows": BEAMS, "scores": ["bleu"], "labels": {"bleu": "BLEU"}, "title": "a"},
        others="rows scores labels title",
    ),
    "temperature_panels": Case(
        plots.temperature_panels,
        NUMBERED | {"labels": {"bleu": "BLEU"}, "title": "a"},
        others="rows score labels title",
    ),
    "save_plot": Case(
        saved,
        {"draw": plots.reliability_diagram, "data": CURVE, "path": NEW},
        others="draw data path",
    ),
    "save": Case(
        lambda figure, path, data, dpi: plots.save(figure, path, data, dpi=dpi),
        {"figure": plots.reliability_diagram(CURVE), "path": None, "data": [], "dpi": 20},
        others="figure data path dpi",
    ),
    "cluster_statistics": Case(
        representation.cluster_statistics,
        LABELED | {"activations": ACTIVATIONS, "templates": TEMPLATES, "in_span": True},
        arrays="y_true activations templates mask",
        others="in_span ignore_class",
    ),
    "ClusterAccumulator": Case(
        clusters,
        LABELED | {"activations": ACTIVATIONS, "templates": TEMPLATES, "in_span": True},
        arrays="y_true activations templates mask",
        others="in_span ignore_class",
    ),
    "confidence_spread": Case(
        representation.confidence_spread,
        LABELED | {"y_pred": P, "from_logits": False},
        arrays="y_true y_pred mask",
        others="from_logits ignore_class",
    ),
    "mean_logits": Case(
        representation.mean_logits,
        LABELED | {"logits": Z, "classes": (0, 1)},
        arrays="y_true logits mask",
        others="classes ignore_class",
    ),
    "nearest_classes": Case(
        representation.nearest_classes,
        {"templates": TEMPLATES, "class_id": 0, "count": 1},
        others="templates class_id count",
    ),
    "penultimate": Case(representation.penultimate, {"model": MODEL}, others="model"),
    "templates": Case(representation.templates, {"model": MODEL}, others="model"),
    "project": Case(
        representation.project,
        {"activations": ACTIVATIONS, "plane": PLANE},
        others="activations plane",
    ),
    "project_classes": Case(
        representation.project_classes,
        LABELED
        | {
            "activations": ACTIVATIONS,
            "plane": PLANE,
            "num_classes": 3,
            "per_class": 2,
            "seed": 0,
            "class_names": ["a", "b", "c"],
        },
        arrays="y_true activations mask",
        others="plane num_classes per_class seed class_names ignore_class",
    ),
    "ProjectionSampler": Case(
        sampled,
        LABELED
        | {
            "activations": ACTIVATIONS,
            "plane": PLANE,
            "num_classes": 3,
            "per_class": 2,
            "seed": 0,
        },
        arrays="y_true activations mask",
        others="plane num_classes per_class seed ignore_class",
    ),
    "template_distances": Case(
        representation.template_distances,
        {"activations": ACTIVATIONS, "templates": TEMPLATES, "squared": False},
        others="activations templates squared",
    ),
    "template_plane": Case(
        representation.template_plane,
        {"templates": TEMPLATES, "classes": (0, 1, 2), "tolerance": 1e-5},
        others="templates classes tolerance",
    ),
}

# Of sigmoids.
CASES |= {
    f"{name}(multi_label)": dataclasses.replace(
        CASES[name],
        good=CASES[name].good | {"y_true": LABELS, "multi_label": True},
        scalars=f"{CASES[name].scalars} multi_label",
    )
    for name in (
        "Accuracy",
        "BrierScore",
        "NegativeLogLikelihood",
        "ExpectedCalibrationError",
        "expected_calibration_error",
        "reliability_curve",
        "ReliabilityAccumulator",
        "smooth_calibration_error",
        "fit_temperature",
    )
}
CASES |= {
    f"{name}(multi_label)": dataclasses.replace(
        CASES[name],
        good=CASES[name].good | {data: value, "multi_label": True},
        scalars=f"{CASES[name].scalars} multi_label",
    )
    for name, data, value in (
        ("fit_temperature_dataset", "dataset", [(Z, LABELS)]),
        ("temperature_curve", "dataset", [(Z, LABELS)]),
        ("TemperatureScaling", "validation_data", (Z, LABELS)),
    )
}

# Results, which hold what they are given, errors, interfaces and modules.
NO_DOORS = """
    ClasswiseFit ClusterStatistics ConfidenceSpread Detection Diagnosis Estimate OODDetection
    Hypotheses InputError LossDecomposition LsKerasError MatrixFit MeanLogits MixedTemperatureFit
    ModelSearch MutualInformation Projection Recalibration ReliabilityCurve RiskCoverage Scorer
    SmoothError SmoothReliability Smoothing TeacherLogits TemperatureCurve TemperatureFit
    TemplatePlane VectorFit
"""


def test_every_public_name_is_in_the_table():
    public = {
        name
        for package, name in PAIRS
        if not inspect.ismodule(getattr(importlib.import_module(package), name))
    }
    assert public == {name.partition(".")[0].partition("(")[0] for name in CASES} | set(
        NO_DOORS.split()
    )


def numbers_of(result):
    """Returns the numbers of a result, those that are `None` or NaN by its contract apart."""
    if dataclasses.is_dataclass(result):
        # Bins without examples, and intervals of a single group, are NaN.
        fields = {
            k: v
            for k, v in vars(result).items()
            if k not in ("confidence", "accuracy", "accuracy_low", "accuracy_high")
            and k not in ("ece_low", "ece_high")
        }
        return numbers_of(list(fields.values()))
    if isinstance(result, list | tuple):
        return [number for entry in result for number in numbers_of(entry)]
    if isinstance(result, np.ndarray):
        return result.ravel().tolist()
    return [result] if isinstance(result, float) else []


def fault(case: Case, name: str, value) -> str | None:
    """Returns what is wrong with a call, `None` if nothing is."""
    start = time.monotonic()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        try:
            result = case.call(**{**case.good, name: value})
        except InputError as error:
            text = str(error)
            if "\n" in text or not text.startswith("Expected ") or "Received: " not in text:
                return f"a message {text!r}"
        except BaseException as error:
            return f"{type(error).__name__}: {error!s:.200}"
        else:
            if case.finite and not np.isfinite(numbers_of(result)).all():
                return f"a result that is not finite: {result!r:.200}"
    seconds = time.monotonic() - start
    return f"{seconds:.1f} s" if seconds > 60 else None


@pytest.mark.parametrize("name", CASES)
def test_values_that_nobody_should_pass(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    case = CASES[name]
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    faults = [
        f"{argument} = {what}: {found}"
        for argument, what, value in case.calls()
        if (found := fault(case, argument, value))
    ]
    assert not faults, "\n".join(faults)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 2**20  # KiB


@pytest.mark.parametrize("name", CASES)
def test_the_calls_that_are_changed_are_good(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    if name == "TeacherLogits.open":  # which needs a folder that is whole
        computed(tmp_path / "a", teacher=MODEL, examples=(ACTIVATIONS, Y), teacher_id="a")
    good = dict(CASES[name].good)
    if name == "save":
        good["path"] = "a"
    CASES[name].call(**good)
