"""Wrong values of every public function's arguments: calls that end in an error of ours or a value.

The functions and their arguments come from their signatures. A valid call is made of the values
below, by the argument's name, and one argument is replaced by a value of `VALUES`.
"""

import dataclasses
import functools
import importlib
import inspect
import itertools
import math
import os
import random
import tempfile
import warnings
from collections.abc import Callable
from decimal import Decimal
from fractions import Fraction
from pathlib import Path

import keras
import numpy as np

from fault_cases import FAULTS, Outcome, bound_memory, run_cases, try_call
from ls_keras import calibration, decoding, distillation, layers, losses, plots, representation
from ls_keras.inputs.registry import LOSSES, METRICS
from offered import PAIRS


class Unreadable:
    """Can't be converted to an array, as a tensor on a GPU."""

    def __array__(self, *_, **__):
        raise TypeError("no array:\ncopy it to the host")


VALUES = {
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
    "empty": [],
    "ragged": [[1], [2, 3]],
    "mapping": {"a": 1},
    "objects": np.array([[None] * 3] * 4),
    "strings": [["a"] * 3] * 4,
    "complex array": np.full((4, 3), 1j),
    "array past int64": [[2**70] * 3] * 4,
    "NaN array": np.full((4, 3), np.nan),
    "infinite array": np.full((4, 3), np.inf),
    "negative array": np.full((4, 3), -1),
    "no rows": np.zeros((0, 3)),
    "no columns": np.zeros((4, 0)),
    "one class": np.ones((4, 1)),
    "flat": np.linspace(0.1, 0.9, 4, dtype="float32"),
    "flat integers": np.array([0, -7, 2**40, 1]),
    "large": np.full((4, 3), 1e38),
    "near the largest float64": 1e308,
    "Fraction": Fraction(1, 3),
    "Decimal": Decimal("0.1"),
    "long double": np.longdouble(0.5),
    "long doubles": np.full((4, 3), 0.5, np.longdouble),
    "NumPy integer": np.int64(3),
    "0-d array": np.array(0.5),
    "five axes": np.zeros((1, 2, 1, 2, 1)),
    "bytes": b"\xff\x00",
    "lines": "a\nb\n",
    "long string": "a" * 10**6,
    "iterator": iter(range(1000)),
    "set": {1, 2, 3},
    "arrays by name": {"a": np.zeros((4, 3)), "b": np.zeros(4)},
    "dates": np.full((4, 3), np.datetime64("2020-01-01")),
    "masked array": np.ma.masked_equal(np.float32([[0, 1, 2]] * 4), 1),
    "half floats": np.full((4, 3), 0.5, "float16"),
    "a type": int,
    "a symbolic tensor": keras.KerasTensor((4, 3)),
    "unreadable": Unreadable(),
}

Y = np.array([0, 1, 2, 0])
Z = np.float32([[2, 0, 1], [0, 2, 1], [0, 1, 2], [1, 2, 0]])
P = np.float32([[0.5, 0.25, 0.25]] * 4)
LABELS = np.array([[0, 1, 1], [1, 0, 0], [1, 1, 0], [0, 0, 1]])  # of sigmoids
ACTIVATIONS = np.float32(np.eye(3)[[0, 1, 2, 0]])
TEMPLATES = np.float32(np.eye(4)[:, :3])
PLANE = representation.template_plane(TEMPLATES, (0, 1, 2))
RISK = calibration.risk_coverage(Y > 0, P[:, 0])
CURVE = calibration.reliability_curve(Y, P)
MAPS = plots.AttentionMap(P, list("abcd"), 0.1)
ROW = {"run": "a", "curve": "teacher", "alpha": 0.1, "gamma": 0.1, "temperature": 1.0, "nll": 1.0}
ROW |= {
    "num_examples": 9,
    "ece": 0.1,
    "bleu": 30.0,
    "step": 1,
    "mutual_information": 1.0,
    "low": 0.9,
    "high": 1.1,
}
LEARNED = [{"step": 1, "loss": 1.0, "val_loss": 2.0}, {"step": 2, "loss": 0.5, "val_loss": None}]


def model():
    return keras.Sequential([keras.Input((3,)), keras.layers.Dense(3, name="logits")])


def step(tokens, state, index):
    return keras.ops.take(keras.ops.convert_to_tensor(Z), tokens % 4, axis=0), state


MODEL, TEACHER = model(), model()
# Valid values by the name of the argument, or of the function and the argument.
# fmt: off
VALID = {
    "y_true": Y, "y_pred": P, "sample_weight": np.ones(4, "float32"), "groups": Y, "mask": Y >= 0,
    "logits": Z, "ood_logits": P, "correct": Y > 0, "confidence": P[:, 0],
    "top_confidence": P[:, 0],
    "model": MODEL, "teacher": TEACHER, "student": MODEL, "student_logits": Z, "teacher_logits": Z,
    "dataset": [(Z, Y)], "validation_data": (Z, Y), "data": (ACTIVATIONS, Y), "classes": (0, 1, 2),
    "activations": ACTIVATIONS, "templates": TEMPLATES, "plane": PLANE, "num_classes": 3,
    "class_id": 0,
    "step": step, "initial_state": {"a": np.zeros((2, 3), "float32")}, "batch_size": 2,
    "max_length": 3,
    "start_token": 0, "end_token": 1, "function": abs, "schedule": abs, "hidden": Z,
    "kernel": Z[:3],
    "counts": [1, 2, 3], "probabilities": [0.5, 0.5], "epsilon": 0.1, "samples": Z, "draws": 3,
    "embedding": keras.layers.Embedding(3, 2), "head": keras.layers.Dense(3), "knots": 2,
    "identifier": "uniform", "value": losses.Uniform(),
    "config": losses.serialize(losses.Uniform()),
    "rows": [ROW], "histories": [ROW], "score": "bleu", "scores": ["bleu"],
    "labels": {"bleu": "BLEU"},
    "curves": CURVE, "maps": MAPS, "weights": P, "tokens": list("abcd"), "seconds": 0.1,
    "title": "a",
    "panels": {"a": representation.project_classes(Y, ACTIVATIONS, PLANE, num_classes=3)},
    "fit": calibration.fit_temperature(Y, Z, from_logits=True), "scaling": layers.Temperature(2),
    "num_examples": 9, "directory": "a", "examples": (ACTIVATIONS, Y), "path": "a", "figure": None,
    "draw": plots.reliability_diagram, "source": CURVE.to_json(), "temperatures": [1.0, 2.0],
    "calibrated.from_logits": True,
    "CalibratedModel.from_logits": True,
    "Distiller.from_logits": True,
    "alpha": 0.1, "p": 2.0,
    "fit_temperature_dataset.model": lambda x: x,
    "fit_temperature_dataset.from_logits": True,
    "temperature_curve.from_logits": True,
    "equivalent_smoothing_dataset.from_logits": True,
    "smooth_labels.num_classes": 3,
    "get (ls_keras.metrics).identifier": "ece",
    "temperature_curve.model": lambda x: x,
    "equivalent_smoothing_dataset.teacher": lambda x: x,
    "with_alpha.alpha": np.float32([0.1] * 4),
    "SmoothedBCE().y_true": LABELS,
    "Neighborhood.weights": (5, 2),
    "MutualInformationProbe.augment": lambda x: x,
    "MutualInformationProbe.classes": (0, 1),
    "mean_logits.classes": (0, 1),
    "mean_logits_map.maps": representation.mean_logits(Y, Z),
    "mean_logits_rows.maps": representation.mean_logits(Y, Z),
    "learning_curves.rows": LEARNED,
    "learning_curves.labels": {"loss": "a"},
    "learning_rows.rows": LEARNED,
    "risk_coverage_diagram.curves": RISK,
    "risk_coverage_rows.curves": RISK,
    "beam_panels.rows": [{"name": "a", "beam_size": b, "bleu": 30.0} for b in (1, 4)],
    "TeacherLogits.gather.rows": [0, 1],
    "TeacherLogits.gather.labels": Y[:2],
    "save_plot.data": CURVE,
    "save.figure": plots.reliability_diagram(CURVE),
    "save.data": [],
    "TeacherLogits.open.teacher": "a",
}
# fmt: on
MULTI_LABEL = """
    expected_calibration_error reliability_curve smooth_calibration_error fit_temperature
    Accuracy() BrierScore() NegativeLogLikelihood() ExpectedCalibrationError()
"""
KERAS_OWN = {"name", "dtype", "reduction", "trainable", "cls"}


def metric_call(make, y_true, y_pred, sample_weight=None):
    metric = make()
    metric.update_state(y_true, y_pred, sample_weight)
    return float(metric.result())


def accumulate(y_true, y_pred, sample_weight=None, groups=None, ignore_class=None):
    accumulator = calibration.ReliabilityAccumulator(ignore_class=ignore_class)
    accumulator.update(y_true, y_pred, sample_weight=sample_weight, groups=groups)
    return accumulator.curve()


def cluster(templates, y_true, activations, mask=None, ignore_class=None):
    found = representation.ClusterAccumulator(templates)
    found.update(y_true, activations, mask=mask, ignore_class=ignore_class)
    return found.result().summary()


def sample(plane, num_classes, y_true, activations, mask=None, ignore_class=None):
    found = representation.ProjectionSampler(plane, num_classes)
    found.update(y_true, activations, mask=mask, ignore_class=ignore_class)
    return found.result().coordinates


def compute(directory, teacher, examples, **options):
    return distillation.TeacherLogits.compute(directory, teacher, examples, **options)


def gather(rows, labels):
    with tempfile.TemporaryDirectory() as folder:
        kept = compute(Path(folder) / "logits", MODEL, (ACTIVATIONS, Y), ignore_class=-1)
        return kept.gather(rows, labels)


compute.__signature__ = inspect.signature(distillation.TeacherLogits.compute)  # type: ignore[attr-defined]
RESULTS = {"TeacherLogits", "ModelSearch", "Scorer", "Smoothing"}  # and interfaces
VALIDATED = {"AttentionMap", "LengthPenalty", "Unsmoothing"}  # dataclasses that users construct


def public_functions():
    functions = {}
    for package, name in PAIRS:
        value = getattr(importlib.import_module(package), name)
        is_result = dataclasses.is_dataclass(value) and name not in VALIDATED
        is_error = isinstance(value, type) and issubclass(value, Exception | tuple)
        if callable(value) and not is_result and not is_error and name not in RESULTS:
            functions[f"{name} ({package})" if name == "get" else name] = value
    for cls in LOSSES.entries.values():
        if isinstance(cls, type) and issubclass(cls, keras.Loss):
            functions[f"{cls.__name__}()"] = cls()
    for cls in METRICS.entries.values():
        functions[f"{cls.__name__}()"] = functools.partial(metric_call, cls)
    for name in MULTI_LABEL.split():
        base = functions[name]
        if name.endswith("()"):
            base = functools.partial(metric_call, functools.partial(base.args[0], multi_label=True))
        else:
            base = functools.partial(base, multi_label=True)
        functions[f"{name}(multi_label)"] = functools.partial(base, y_true=LABELS)
    return functions | {
        "ReliabilityAccumulator.update": accumulate,
        "ClusterAccumulator.update": cluster,
        "ProjectionSampler.update": sample,
        "TeacherLogits.compute": compute,
        "TeacherLogits.open": distillation.TeacherLogits.open,
        "TeacherLogits.gather": gather,
        "ReliabilityCurve.from_json": calibration.ReliabilityCurve.from_json,
        "greedy_search(unsmooth)": functools.partial(
            decoding.greedy_search, unsmooth=decoding.Unsmoothing(0.1)
        ),
    }


FUNCTIONS = public_functions()


def arguments_of(name: str) -> tuple[dict, list[str]]:
    """Returns the arguments of a valid call, and the names of all that may be replaced."""
    valid, names = {}, []
    for parameter in inspect.signature(FUNCTIONS[name]).parameters.values():
        if parameter.kind in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD):
            continue
        if parameter.name in KERAS_OWN:
            continue
        names.append(parameter.name)
        key = f"{name}.{parameter.name}"
        if key in VALID:
            valid[parameter.name] = VALID[key]
        elif parameter.default is parameter.empty:
            valid[parameter.name] = VALID[parameter.name]
    return valid, names


def all_cases() -> list[tuple[str, str, str]]:
    """Returns every function, argument and value."""
    return [
        (name, argument, value)
        for name in FUNCTIONS
        for argument, value in itertools.product(arguments_of(name)[1], VALUES)
    ]


def try_calls(
    count: int, seed: int = 0, say: Callable[[str], None] = lambda text: None
) -> list[Outcome]:
    """Tries calls drawn at random from all cases, each at most once."""
    outcomes = []
    cases = all_cases()
    drawn = random.Random(seed).sample(cases, min(count, len(cases)))
    with tempfile.TemporaryDirectory() as folder:
        for outcome in run_cases("hostile_calls", drawn, Path(folder)):
            outcomes.append(outcome)
            if outcome.result in FAULTS:
                say(str(outcome))
    return outcomes


def try_case(case: tuple[str, str, str], folder: Path | None = None) -> Outcome:
    """Calls a function with a wrong argument.

    Args:
        case: The function, the argument, and the name of its value.
        folder: The folder to work in; `None`: the current one.
    """
    name, argument, value = case
    if folder is not None:
        _enter(folder)
    arguments = {**arguments_of(name)[0], argument: VALUES[value]}
    result, said, _ = try_call(lambda: call(name, arguments))
    return Outcome(f"{name}, {argument} = {value}", result, said)


@functools.cache
def _enter(folder: Path) -> None:
    """Makes the folder the current one, and bounds the memory beyond what is mapped now."""
    os.chdir(folder)
    bound_memory()


def call(name: str, arguments: dict) -> object:
    """Calls a function of the table, warnings left out."""
    if name == "TeacherLogits.open" and not Path("a").exists():
        compute("a", MODEL, (ACTIVATIONS, Y), teacher_id="a")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return FUNCTIONS[name](**arguments)
