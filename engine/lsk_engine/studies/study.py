"""The definition of a study: question, axes, seeds, measures and claims. Data only."""

import dataclasses
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

from ls_base.errors import InputError, suggest
from ls_base.records import convert_record
from lsk_engine.settings.parsing import flat
from lsk_engine.settings.resolving import merge_settings
from lsk_engine.settings.toml_files import read_toml
from lsk_engine.studies.claims import MAX_SEEDS, Claim
from lsk_engine.studies.settings_diff import SEED
from lsk_engine.tasks.contract import Task

ALPHA, SMOOTHING, LOSS = "training.alpha", "training.smoothing", "training.loss"
# Beginnings of the settings of a student's teacher, and of the distillation
# (`lsk_engine.settings.distillation`).
TEACHER, DISTILLATION = "teacher.", "distillation."
TEACHER_ALPHA, TEACHER_TEMPERATURE = TEACHER + ALPHA, DISTILLATION + "teacher_temperature"


@dataclasses.dataclass(frozen=True)
class Study:
    """A question that many runs answer.

    Each combination of the axes' values is an arm, which is trained with every seed. Claims compare
    an arm with its baseline: the arm with the first axis's first value, and the same values of the
    other axes.

    If an axis is a setting of a teacher (`teacher.training.alpha`) or of the distillation
    (`distillation.teacher_temperature`), each run is a student of a teacher with the same seed.
    Students whose teachers have the same settings share one.

    Attributes:
        question: The question.
        task: Name of the task.
        axes: Values by dotted setting; the question is about the first axis. Settings joined by
            commas are one axis, whose values are tuples.
        grids: Axes of further arms, each a grid of its own.
        seeds: Number of runs of each arm; the seeds are 0, 1, …
        measures: What is measured: names of `lsk_engine.studies.measurements.MEASUREMENTS`.
        preset: Preset of all runs; `None`: the task's preset for studies, or its first.
        teacher_preset: Preset of teachers; `None`: that of the students.
        settings: Further settings of all runs, by dotted key; `teacher.…` for teachers.
        student: Settings of the students that the measure `distillation` trains.
        cache: Whether students share logits of their teacher that are computed once; only without
            random augmentation.
        claims: What is decided; `None`: claims that suit the measures.
        split: The split that claims are decided on.

    Raises:
        InputError: If the study makes no sense, such as a first axis with a single value.
    """

    question: str
    task: str
    axes: Mapping[str, tuple[Any, ...]]
    grids: tuple[Mapping[str, tuple[Any, ...]], ...] = ()
    seeds: int = 3
    measures: tuple[str, ...] = ("accuracy", "calibration")
    preset: str | None = None
    teacher_preset: str | None = None
    settings: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    student: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    cache: bool = False
    claims: tuple[Claim, ...] | None = None
    split: str = "test"

    def __post_init__(self):
        if not 1 <= self.seeds <= MAX_SEEDS:
            raise InputError(f"Expected 1 to {MAX_SEEDS:,} seeds. Received: {self.seeds}")
        for axes in self.all_axes():
            if not axes or not all(axes.values()):
                empty = next((axis for axis, values in axes.items() if not values), "no axis")
                raise InputError(f"Expected an axis with at least one value. Received: {empty}")
        if not self.grids and len(next(iter(self.axes.values()))) < 2:
            axis, (value,) = next(iter(self.axes.items()))
            raise InputError(
                "Expected at least two values of the first axis: the others are compared with the "
                f"first. Received: {axis}={value}"
            )
        if not self.measures:
            raise InputError("Expected at least one measure. Received: none")
        if self.student and "distillation" not in self.measures:
            raise InputError(
                "Expected the measure distillation with settings of its students. "
                f"Received: {', '.join(self.measures)}"
            )
        for key in self.keys():
            if key in self.settings:
                raise InputError(f"Expected axes other than the settings. Received: {key} in both")
        for key in (*self.keys(), *self.settings, *self.student):
            if key.removeprefix(TEACHER) == SEED:
                raise InputError(
                    f"Expected axes and settings without {SEED}: a study sets the seeds itself. "
                    f"Received: {key}"
                )
        names = [claim.name for claim in self.claims or ()]
        if len(set(names)) < len(names):
            raise InputError(f"Expected claims with different names. Received: {', '.join(names)}")

    def all_axes(self) -> tuple[Mapping[str, tuple[Any, ...]], ...]:
        """Returns the axes of each grid."""
        return (self.axes, *self.grids)

    def keys(self) -> list[str]:
        """Returns the settings of all axes, in the order of their first appearance."""
        axes = (axis for axes in self.all_axes() for axis in axes)
        return list(dict.fromkeys(key for axis in axes for key in axis.split(",")))


def merge_study_settings(*layers: Mapping[str, Any]) -> dict[str, Any]:
    """Merges settings; later layers override earlier ones.

    Later epochs override earlier steps, of runs and of their teachers
    (`lsk_engine.settings.resolving.merge_settings`).

    Args:
        *layers: Settings by dotted key.

    Example:
    >>> merge_study_settings({"teacher.training.steps": 450}, {"teacher.training.epochs": 3})
    {'teacher.training.steps': None, 'teacher.training.epochs': 3}
    """
    teachers = (
        {key.removeprefix(TEACHER): v for key, v in layer.items() if key.startswith(TEACHER)}
        for layer in layers
    )
    own = ({key: v for key, v in layer.items() if not key.startswith(TEACHER)} for layer in layers)
    merged = {f"{TEACHER}{key}": value for key, value in merge_settings(*teachers).items()}
    return {**merge_settings(*own), **merged}


def preset_of(study: Study, task: Task) -> str:
    """Returns the preset of a study's runs; the task's preset for studies needs its own data."""
    other_data = "data.source" in {*study.settings, *study.keys()}
    own = None if other_data else task.study_preset
    return study.preset or own or task.presets[0].name


def read_study(file: Path) -> Study:
    """Reads a study from a TOML file.

    Args:
        file: The file: the attributes of `Study` as keys (`measure` for `measures`), with `axes`,
            `settings` and `student` as tables, `grids` and `claims` as arrays of tables. The name
            of a claim is its measure by default.

    Raises:
        FileError: If it cannot be read.
        InputError: If it is not TOML, or has an unknown key (with near matches) or a value of
            another type.
    """
    values = read_toml(file)
    _check_keys(values, sorted({*_names(Study), "measure"} - {"measures"}), f"a study in {file}")
    for name in ("axes", "settings", "student"):
        if name in values:
            values[name] = _flat(values[name])  # unquoted dotted keys nest in TOML
    if isinstance(values.get("grids"), list):
        values["grids"] = [_flat(axes) for axes in values["grids"]]
    if "measure" in values:
        values["measures"] = values.pop("measure")
    claims = values.get("claims")
    for claim in claims if isinstance(claims, list) else ():
        if isinstance(claim, dict):
            _check_keys(claim, _names(Claim), f"a claim in {file}")
            if "measure" in claim:
                claim.setdefault("name", claim["measure"])
    return convert_record(values, Study, str(file), error=InputError)


def _names(kind: type) -> list[str]:
    return [field.name for field in dataclasses.fields(kind)]


def _check_keys(values: Mapping[str, Any], known: Collection[str], where: str) -> None:
    for key in values:
        if key not in known:
            raise InputError(f"Expected a key of {where}. {suggest(key, known)}")


def _flat(value: Any) -> Any:
    return flat(value) if isinstance(value, dict) else value
