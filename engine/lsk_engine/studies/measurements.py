"""What a study measures of a finished run: the stages that exist, each with the numbers it yields.

A measurement's numbers are kept in the run (`RUN/evaluation/measured-NAME.json`): it is taken once,
and a study that was stopped goes on with the next.
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
from lsk_engine.studies.claims import Better
from lsk_engine.studies.distillation_measures import (
    STUDENT_SCORE,
    TEACHER_SCORE,
    TRANSFER,
    compute_gammas,
    student_numbers,
    teacher_numbers,
)
from lsk_engine.tasks.contract import Task

SCORE = "score"
BEST_SCORE = "best_score"
BySplit = dict[str, dict[str, float]]


@dataclasses.dataclass(frozen=True)
class Number:
    """A number that a measurement yields.

    Attributes:
        label: What it is called in a table.
        better: Whether less or more is better; `None`: neither, or nobody has said.
        split: The split that it is of, where that is not the study's.
    """

    label: str
    better: Better | None
    split: str | None = None


@dataclasses.dataclass(frozen=True)
class Measurement:
    """A stage that yields numbers.

    Attributes:
        what: What it does, in a line.
        numbers: By name; `accuracy` has the task's own scores as well.
        take: Runs the stage on a finished run, Keras loaded, and returns the numbers by split.
        kept: Whether the numbers are kept in the run; else files hold them already.
        before: Does once what runs share, before it is taken of any.
    """

    what: str
    numbers: Mapping[str, Number]
    take: Callable[[StoredRun, Reporter], BySplit]
    kept: bool = True
    before: Callable[[Sequence[StoredRun], Reporter], None] | None = None


class Measured(Record, frozen=True):
    """The file of a measurement."""

    model_sha256: str
    numbers: dict[str, dict[str, float]]


def check_measures(names: Sequence[str], task: Task) -> None:
    """Refuses what is no measurement, or can't be taken of any run of a task.

    Args:
        names: Names of `MEASUREMENTS`.
        task: The task.

    Raises:
        InputError: For another name, with near matches, or `beam` of a task that doesn't search.
    """
    for name in names:
        if name not in MEASUREMENTS:
            raise InputError(f"Expected a measure. {suggest(name, MEASUREMENTS)}")
    if "beam" in names and not has_search(task.decoding_config):
        raise InputError(
            "Expected measures without beam, of a task that doesn't search. "
            f"Received: beam, of task '{task.name}'"
        )


def numbers_of(names: Sequence[str]) -> dict[str, Number]:
    """Returns the numbers that measurements yield, a task's own scores apart.

    Args:
        names: Names of `MEASUREMENTS`.
    """
    return {key: number for name in names for key, number in MEASUREMENTS[name].numbers.items()}


def own_numbers(metrics: Metrics) -> dict[str, Number]:
    """Returns the task's own scores of a finished run, and what is called by the first of them.

    Args:
        metrics: The run's.
    """
    better = metrics.better or {}
    found = {name: Number(label, better.get(name)) for name, label in metrics.labels.items()}
    if not found:
        return {}
    first = next(iter(found.values()))
    of_others = {
        BEST_SCORE: f"{first.label}, best T",
        STUDENT_SCORE: f"student {first.label}",
        TEACHER_SCORE: f"teacher {first.label}",
        TRANSFER: f"lost: {first.label}",
    }
    called = {name: Number(label, first.better) for name, label in of_others.items()}
    return {SCORE: first, **found, **called}


def measure(name: str, run: StoredRun, reporter: Reporter) -> BySplit:
    """Returns a measurement's numbers by split; it is taken if the run has none.

    Args:
        name: A name of `MEASUREMENTS`.
        run: A finished run.
        reporter: Who is told.

    Raises:
        LsKerasError: If it can't be taken of this run.
    """
    directory, measurement = run.directory, MEASUREMENTS[name]
    if not measurement.kept:
        return measurement.take(run, reporter)
    model = model_sha256(directory)
    file = directory.measured_file(name)
    if lexists(file):
        kept = directory.read(file, Measured, schema=SCHEMA)
        if kept.model_sha256 == model:
            return kept.numbers
    found = measurement.take(run, reporter)
    with directory.lock():
        values = Measured(model_sha256=model, numbers=found).to_dict()
        directory.write_json(file, {"schema": SCHEMA, **values})
    return found


def _accuracy(run: StoredRun, reporter: Reporter) -> BySplit:
    metrics = run.directory.read_metrics()
    kept = {name: name for name in (*metrics.labels, *_ACCURACY)}
    if first := next(iter(metrics.labels), None):
        kept = {SCORE: first, **kept}
    return {
        split: {name: scores[of] for name, of in kept.items() if of in scores}
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
    classes = _likeliest_classes(run, 3)
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
    classes = _likeliest_classes(run, 2)
    with directory.lock():
        results = probe(
            task, config, directory, reporter, directory.information_file, classes=classes
        )
    last = results["history"][-1]["mutual_information"]
    return {results["split"]: {"mutual_information": last}}


def _likeliest_classes(run: StoredRun, count: int) -> list[str]:
    """Returns the names of the classes with the most training labels, alike in all arms."""
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
    from lsk_engine.scoring.temperature_sweep import sweep_temperature

    directory, task, _ = run
    metrics = directory.read_metrics()
    first = own_numbers(metrics)[SCORE]
    score = next(iter(metrics.labels))
    if first.better is None:
        raise InputError(
            f"Expected a task that says whether less or more {score} is better. "
            f"Received: task '{task.name}'"
        )
    # The best T is chosen on validation, as a fitted one is; the other splits have its score.
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
_ACCURACY = {
    "accuracy": Number("accuracy", "more"),
    "nll": Number("NLL (nats)", "less"),
}
_CALIBRATION = {
    "ece": Number("ECE", "less"),
    "ece_calibrated": Number("ECE, fitted T", "less"),
    "brier": Number("Brier", "less"),
    "brier_calibrated": Number("Brier, fitted T", "less"),
    "nll_calibrated": Number("NLL, fitted T", "less"),
    "temperature": Number("fitted T", None),
}
MEASUREMENTS: dict[str, Measurement] = {
    "accuracy": Measurement("the scores that training ends with", _ACCURACY, _accuracy),
    "calibration": Measurement(
        "a temperature, fitted on validation, and the scores with it", _CALIBRATION, _calibration
    ),
    "ranking": Measurement(
        "how well confidence ranks errors last, as it is and with normalized logits",
        {
            "aurc": Number("AURC", "less"),
            "eaurc": Number("E-AURC", "less"),
            "auroc": Number("AUROC of confidence", "more"),
            "aurc_normalized": Number("AURC, logit norm", "less"),
            "auroc_normalized": Number("AUROC, logit norm", "more"),
            "norm_p": Number("p of the norm", None),
        },
        _ranking,
    ),
    "representation": Measurement(
        "how closely each class's activations lie together",
        {
            "relative_spread": Number("spread in classes", "less"),
            "confidence_spread": Number("spread of p(y)", None),
        },
        _representation,
    ),
    "information": Measurement(
        "what logits tell of which example it was, at the last checkpoint",
        {"mutual_information": Number("information (nats)", "less")},
        _information,
    ),
    "beam": Measurement(
        "decoding at several T, the best one chosen on validation",
        {
            BEST_SCORE: Number("score at its best T", None),
            "best_temperature": Number("best T", None),
        },
        _beam,
    ),
    "distillation": Measurement(
        "the score of a student that the run teaches",
        {STUDENT_SCORE: Number("student's score", None)},
        student_numbers,
        kept=False,
    ),
    "teacher": Measurement(
        "of a student: its teacher's score, and γ, how much smoothing the teacher is",
        {
            TEACHER_SCORE: Number("teacher's score", None),
            TRANSFER: Number("score less teacher's", None),
            "gamma": Number("equivalent smoothing γ", None),
        },
        teacher_numbers,
        kept=False,
        before=compute_gammas,
    ),
}
