"""What a study can measure of a finished run, and the numbers that each measurement yields.

The numbers of a measurement are stored in the run (`RUN/evaluation/measured-NAME.json`), so that it
is taken once, and an interrupted study continues with the next one.
"""

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from os.path import lexists

from ls_base.errors import InputError, suggest
from ls_base.records import Record
from lsk_engine.progress import Reporter
from lsk_engine.runs.run_directory import SCHEMA
from lsk_engine.runs.schemas import Metrics
from lsk_engine.runs.stored_run import StoredRun, model_sha256
from lsk_engine.settings.protocols import has_search
from lsk_engine.studies.distillation import (
    STUDENT_SCORE,
    TEACHER_SCORE,
    TRANSFER,
    compute_gammas,
    measure_student,
    measure_teacher,
)
from lsk_engine.studies.study_result import SCORE, Number
from lsk_engine.tasks.contract import Task

BEST_SCORE = "best_score"
BySplit = dict[str, dict[str, float]]


@dataclasses.dataclass(frozen=True)
class Measurement:
    """A measurement of finished runs.

    Attributes:
        description: What it does, in a line.
        numbers: The numbers by name; `accuracy` yields the task's own scores as well.
        take: Measures a finished run, with Keras loaded, and returns the numbers by split.
        stored: Whether the numbers are stored in the run; otherwise they are in other files.
        prepare: Computes what runs share, before any is measured.
    """

    description: str
    numbers: Mapping[str, Number]
    take: Callable[[StoredRun, Reporter], BySplit]
    stored: bool = True
    prepare: Callable[[Sequence[StoredRun], Reporter], None] | None = None


class _MeasuredFile(Record, frozen=True):
    """The file of a measurement's numbers."""

    model_sha256: str
    numbers: dict[str, dict[str, float]]


def check_measures(names: Sequence[str], task: Task) -> None:
    """Checks that measurements exist and that runs of a task can have them.

    Args:
        names: Names of `MEASUREMENTS`.
        task: The task.

    Raises:
        InputError: For an unknown name, with near matches, or `beam` for a task without search.
    """
    for name in names:
        if name not in MEASUREMENTS:
            raise InputError(f"Expected a measure. {suggest(name, MEASUREMENTS)}")
    if "beam" in names and not has_search(task.decoding_config):
        raise InputError(
            "Expected measures without beam for a task without search. "
            f"Received: beam for task '{task.name}'"
        )


def numbers_of(names: Sequence[str]) -> dict[str, Number]:
    """Returns the numbers that measurements yield, without a task's own scores.

    Args:
        names: Names of `MEASUREMENTS`.
    """
    return {key: number for name in names for key, number in MEASUREMENTS[name].numbers.items()}


def own_numbers(metrics: Metrics) -> dict[str, Number]:
    """Returns the task's own scores of a finished run, and the numbers named after the first one.

    Args:
        metrics: The run's scores.
    """
    better = metrics.better or {}
    found = {
        name: Number(label, better.get(name), bounds=(metrics.bounds or {}).get(name, (None, None)))
        for name, label in metrics.labels.items()
    }
    if not found:
        return {}
    first = next(iter(found.values()))
    named_after = {
        BEST_SCORE: f"{first.label}, best T",
        STUDENT_SCORE: f"student {first.label}",
        TEACHER_SCORE: f"teacher {first.label}",
    }
    others = {
        name: Number(label, first.better, bounds=first.bounds)
        for name, label in named_after.items()
    }
    others[TRANSFER] = Number(f"lost: {first.label}", first.better)
    return {SCORE: first, **found, **others}


def measure(name: str, run: StoredRun, reporter: Reporter) -> BySplit:
    """Returns a measurement's numbers by split, measuring the run if it has none stored.

    Args:
        name: A name of `MEASUREMENTS`.
        run: A finished run.
        reporter: Receives messages and progress.

    Raises:
        LsKerasError: If this run cannot be measured.
    """
    directory, measurement = run.directory, MEASUREMENTS[name]
    if not measurement.stored:
        return measurement.take(run, reporter)
    model = model_sha256(directory)
    file = directory.measured_file(name)
    if lexists(file):
        stored = directory.read(file, _MeasuredFile, schema=SCHEMA)
        if stored.model_sha256 == model:
            return stored.numbers
    found = measurement.take(run, reporter)
    with directory.lock():
        values = _MeasuredFile(model_sha256=model, numbers=found).to_dict()
        directory.write_json(file, {"schema": SCHEMA, **values})
    return found


def _accuracy(run: StoredRun, reporter: Reporter) -> BySplit:
    metrics = run.directory.read_metrics()
    sources = {name: name for name in (*metrics.labels, *_ACCURACY)}
    if first := next(iter(metrics.labels), None):
        sources = {SCORE: first, **sources}
    return {
        split: {name: scores[source] for name, source in sources.items() if source in scores}
        for split, scores in metrics.splits.items()
    }


def _calibration(run: StoredRun, reporter: Reporter) -> BySplit:
    from lsk_engine.scoring.calibrate import calibrate
    from lsk_engine.scoring.evaluate import evaluate

    directory, task, config = run
    fitted = calibrate(task, config, directory, reporter)
    scaled = evaluate(task, config, directory, reporter, calibrated=True)
    return {
        split: {
            **{name: scores[name] for name in ("ece", "brier")},
            **{f"{name}_calibrated": scaled[split][name] for name in ("ece", "brier", "nll")},
            "temperature": fitted["temperature"],
        }
        for split, scores in directory.read_metrics().splits.items()
    }


def _ranking(run: StoredRun, reporter: Reporter) -> BySplit:
    from lsk_engine.scoring.rank import rank

    return rank(run, reporter)


def _representation(run: StoredRun, reporter: Reporter) -> BySplit:
    from lsk_engine.scoring.project import project_runs

    directory = run.directory
    classes = _most_frequent_classes(run, 3)
    with directory.lock():
        results = project_runs([run], reporter, directory.projection_file, classes=classes)
    (found,) = results["runs"]
    return {
        split: {
            "relative_spread": found[split]["in_span"]["relative_spread"],
            "confidence_spread": found[split]["confidence_spread"],
        }
        for split in ("train", results["split"])
    }


def _information(run: StoredRun, reporter: Reporter) -> BySplit:
    from lsk_engine.scoring.mutual_information import probe

    directory, task, config = run
    classes = _most_frequent_classes(run, 2)
    with directory.lock():
        results = probe(
            task, config, directory, reporter, directory.information_file, classes=classes
        )
    last = results["history"][-1]["mutual_information"]
    return {results["split"]: {"mutual_information": last}}


def _most_frequent_classes(run: StoredRun, count: int) -> list[str]:
    """Returns the names of the classes with the most training labels, the same in all arms."""
    import numpy as np

    from lsk_engine.runs.run_data import reload_data

    directory, task, config = run
    data = reload_data(task, config, directory)
    counts = np.array(data.class_counts, np.float64)
    counts[list(data.unused_classes)] = 0
    most = [int(i) for i in np.argsort(-counts, kind="stable")[:count] if counts[i] > 0]
    if len(most) < count:
        raise InputError(f"Expected {count} classes with examples. Received: {len(most)}")
    return [str(data.class_names[i]) for i in most]


def _beam(run: StoredRun, reporter: Reporter) -> BySplit:
    from lsk_engine.scoring.sweeps import sweep_temperature

    directory, task, _ = run
    metrics = directory.read_metrics()
    first = own_numbers(metrics)[SCORE]
    score = next(iter(metrics.labels))
    if first.better is None:
        raise InputError(
            f"Expected a task that declares whether less or more {score} is better. "
            f"Received: task '{task.name}'"
        )
    # The best T is chosen on validation, like a fitted one; other splits are scored with it.
    sign = 1 if first.better == "more" else -1
    output = directory.evaluation / "temperature-sweep.png"
    rows = sweep_temperature([run], TEMPERATURES, output, reporter, split="validation")
    best = max(rows, key=lambda row: sign * row[score])["temperature"]
    found: BySplit = {}
    for split in metrics.splits:
        (row,) = sweep_temperature([run], [best], None, reporter, split=split)
        found[split] = {BEST_SCORE: row[score], "best_temperature": best}
    return found


TEMPERATURES = (0.8, 0.9, 1.0, 1.1, 1.2, 1.4)
_SHARE, _POSITIVE = (0.0, 1.0), (0.0, None)  # bounds
_ACCURACY = {
    "accuracy": Number("accuracy", "more", bounds=_SHARE),
    "nll": Number("NLL (nats)", "less", bounds=_POSITIVE),
}
_CALIBRATION = {
    "ece": Number("ECE", "less", bounds=_SHARE),
    "ece_calibrated": Number("ECE, fitted T", "less", bounds=_SHARE),
    "brier": Number("Brier", "less", bounds=(0.0, 2.0)),
    "brier_calibrated": Number("Brier, fitted T", "less", bounds=(0.0, 2.0)),
    "nll_calibrated": Number("NLL, fitted T", "less", bounds=_POSITIVE),
    "temperature": Number("fitted T", None, bounds=_POSITIVE),
}
MEASUREMENTS: dict[str, Measurement] = {
    "accuracy": Measurement("the scores at the end of training", _ACCURACY, _accuracy),
    "calibration": Measurement(
        "the scores with a temperature that is fitted on validation", _CALIBRATION, _calibration
    ),
    "ranking": Measurement(
        "how well confidence ranks errors last, with plain and with normalized logits",
        {
            "aurc": Number("AURC", "less", bounds=_SHARE),
            "eaurc": Number("E-AURC", "less", bounds=_SHARE),
            "auroc": Number("AUROC of confidence", "more", bounds=_SHARE),
            "aurc_normalized": Number("AURC, logit norm", "less", bounds=_SHARE),
            "auroc_normalized": Number("AUROC, logit norm", "more", bounds=_SHARE),
            "norm_p": Number("p of the norm", None, bounds=_POSITIVE),
        },
        _ranking,
    ),
    "representation": Measurement(
        "the spread of each class's activations",
        {
            "relative_spread": Number("spread in classes", "less", bounds=_POSITIVE),
            "confidence_spread": Number("spread of p(y)", None, bounds=_POSITIVE),
        },
        _representation,
    ),
    "information": Measurement(
        "mutual information of logits and examples, at the last checkpoint",
        {"mutual_information": Number("information (nats)", "less", bounds=_POSITIVE)},
        _information,
    ),
    "beam": Measurement(
        "the score at the best of several temperatures, chosen on validation",
        {
            BEST_SCORE: Number("score at its best T", None),
            "best_temperature": Number("best T", None, bounds=_POSITIVE),
        },
        _beam,
    ),
    "distillation": Measurement(
        "the score of a student of the run",
        {STUDENT_SCORE: Number("student's score", None)},
        measure_student,
        stored=False,
    ),
    "teacher": Measurement(
        "of a student: its teacher's score and equivalent smoothing γ",
        {
            TEACHER_SCORE: Number("teacher's score", None),
            TRANSFER: Number("score less teacher's", None),
            "gamma": Number("equivalent smoothing γ", None, bounds=_POSITIVE),
        },
        measure_teacher,
        stored=False,
        prepare=compute_gammas,
    ),
}
