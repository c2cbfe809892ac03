"""The definition of a study: question, axes, seeds, measures and claims. Data only."""

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ls_base.errors import InputError, short_repr, suggest
from ls_base.records import Record, convert_record
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
_CLAIM_KEYS = tuple(field.name for field in dataclasses.fields(Claim))


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
        for key in (SEED, f"{TEACHER}{SEED}", *self.settings):
            if key in self.keys():
                seed = key.endswith(SEED)
                why = "a study sets the seeds itself" if seed else "it is among the settings"
                raise InputError(f"Expected axes without {key}: {why}. Received: {key}")
        for key in (SEED, f"{TEACHER}{SEED}"):
            if key in {*self.settings, *self.student}:
                raise InputError(
                    f"Expected settings without {key}: a study sets the seeds itself. "
                    f"Received: {key}"
                )
        names = [claim.name for claim in self.claims or ()]
        for claim in self.claims or ():
            if names.count(claim.name) > 1:
                raise InputError(f"Expected claims with different names. Received: {claim.name!r}")

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


class _StudyFile(Record, frozen=True):
    """The types of the keys of a study's file; `axes` and the like are checked further below."""

    question: str
    task: str
    axes: dict[str, Any]
    grids: list[dict[str, Any]] = []  # noqa: RUF012 - msgspec copies defaults
    seeds: int = 3
    measure: tuple[str, ...] = ("accuracy", "calibration")
    preset: str | None = None
    teacher_preset: str | None = None
    settings: dict[str, Any] = {}  # noqa: RUF012
    student: dict[str, Any] = {}  # noqa: RUF012
    cache: bool = False
    claims: list["_ClaimTable"] | None = None
    split: str = "test"


class _ClaimTable(Record, frozen=True):
    """The types of the keys of a claim in a study's file."""

    statement: str
    measure: str
    direction: str
    margin: float
    name: str | None = None
    against: str | None = None
    paper: float | None = None
    source: str = ""
    axis: str | None = None


def read_study(file: Path) -> Study:
    """Reads a study from a TOML file.

    Args:
        file: The file: the attributes of `Study` as keys (`measure` for `measures`), with `axes`,
            `settings` and `student` as tables, `grids` and `claims` as arrays of tables.

    Raises:
        FileError: If it cannot be read.
        InputError: If it is not TOML, or has an unknown key (with near matches) or a value of
            another type.
    """
    values = read_toml(file)
    known = _StudyFile.__struct_fields__
    for key in values:
        if key not in known:
            raise InputError(f"Expected a key of a study in {file}. {suggest(key, known)}")
    claims = values.get("claims")
    for claim in claims if isinstance(claims, list) else ():
        for key in claim if isinstance(claim, dict) else ():
            if key not in _CLAIM_KEYS:
                raise InputError(
                    f"Expected a key of a claim in {file}. {suggest(key, _CLAIM_KEYS)}"
                )
    found = convert_record(values, _StudyFile, str(file), error=InputError)
    if found.claims == []:
        raise InputError(f"Expected at least one claim in {file}, or no claims. Received: []")
    tables = None if found.claims is None else [claim.to_dict() for claim in found.claims]
    return Study(
        question=found.question,
        task=found.task,
        axes=_parse_axes(found.axes, file),
        grids=tuple(_parse_axes(axes, file) for axes in found.grids),
        seeds=found.seeds,
        measures=found.measure,
        preset=found.preset,
        teacher_preset=found.teacher_preset,
        settings=flat(found.settings),
        student=flat(found.student),
        cache=found.cache,
        claims=None
        if tables is None
        else tuple(
            Claim(**{**table, "name": table["measure"] if table["name"] is None else table["name"]})
            for table in tables
        ),
        split=found.split,
    )


def _parse_axes(values: Mapping[str, Any], file: Path) -> dict[str, tuple[Any, ...]]:
    axes = {}
    for key, axis in flat(values).items():  # unquoted dotted keys nest in TOML
        if not isinstance(axis, list):
            raise InputError(
                f"Expected a list of values of {key} in {file}. Received: {short_repr(axis)}"
            )
        several = "," in key
        axes[key] = tuple(
            tuple(value) if several and isinstance(value, list) else value for value in axis
        )
    return axes
