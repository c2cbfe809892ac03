"""What a study is: a question, axes, seeds, what is measured and what is claimed. Data only."""

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ls_base.errors import InputError, short_repr, suggest
from lsk_engine.settings.parsing import flat
from lsk_engine.settings.resolving import merge_settings
from lsk_engine.settings.toml_files import read_toml
from lsk_engine.studies.claims import Claim
from lsk_engine.studies.settings_diff import SEED
from lsk_engine.tasks.contract import Task

ALPHA, SMOOTHING, LOSS = "training.alpha", "training.smoothing", "training.loss"
# Keys of a student's teacher, and of how it is taught (`lsk_engine.settings.distillation`).
TEACHER, DISTILLATION = "teacher.", "distillation."
TEACHER_ALPHA, TEACHER_TEMPERATURE = TEACHER + ALPHA, DISTILLATION + "teacher_temperature"
_CLAIM_KEYS = tuple(field.name for field in dataclasses.fields(Claim))


@dataclasses.dataclass(frozen=True)
class Study:
    """Many runs and one question.

    Each combination of the axes' values is an arm, trained with every seed. Claims compare an arm
    with its baseline: the arm with the first axis's first value, and the same values elsewhere.

    Where an axis is a setting of a teacher (`teacher.training.alpha`) or of the teaching
    (`distillation.teacher_temperature`), each run is a student of a teacher with the same seed.
    Students whose teachers have the same settings share one.

    Attributes:
        question: What is asked.
        task: The task's name.
        axes: Values by dotted setting; the first axis is what the question is about. Settings with
            commas between them are one axis, whose values are as many together.
        grids: Axes of further arms, a grid each.
        seeds: How many of each arm: 0, 1, …
        measures: What is measured, by the names of `lsk_engine.studies.measurements`.
        preset: The recipe of all runs; `None`: the task's for studies, or its first.
        teacher_preset: The recipe of teachers; `None`: that of the students.
        settings: Further settings of all runs, by dotted key; `teacher.…` of teachers.
        student: Settings of the students that the measure `distillation` trains of all runs.
        cache: Whether students share logits of their teacher that are computed once; they must not
            augment at random.
        claims: What is decided; `None`: what the measures suggest.
        split: The split that claims are decided on.
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
        if self.seeds < 1:
            raise InputError(f"Expected at least one seed. Received: {self.seeds}")
        for axes in self.all_axes():
            if not axes or not all(axes.values()):
                empty = next((axis for axis, values in axes.items() if not values), "no axis")
                raise InputError(f"Expected an axis with at least one value. Received: {empty}")
        if not self.grids and len(next(iter(self.axes.values()))) < 2:
            axis, (value,) = next(iter(self.axes.items()))
            raise InputError(
                "Expected two values or more of the first axis, the first to compare the others "
                f"with. Received: {axis}={value}"
            )
        if not self.measures:
            raise InputError("Expected at least one measure. Received: none")
        if self.student and "distillation" not in self.measures:
            raise InputError(
                "Expected the measure distillation, whose students the settings are of. "
                f"Received: {', '.join(self.measures)}"
            )
        for key in (SEED, f"{TEACHER}{SEED}", *self.settings):
            if key in self.keys():
                seed = key.endswith(SEED)
                why = "seeds are counted" if seed else "the settings have it"
                raise InputError(f"Expected axes without {key}: {why}. Received: {key}")
        for key in (SEED, f"{TEACHER}{SEED}"):
            if key in {*self.settings, *self.student}:
                raise InputError(
                    f"Expected settings without {key}: a study has several. Received: it"
                )

    def all_axes(self) -> tuple[Mapping[str, tuple[Any, ...]], ...]:
        """Returns the axes of each grid."""
        return (self.axes, *self.grids)

    def keys(self) -> list[str]:
        """Returns the setting of each axis, in the order in which they first come."""
        axes = (axis for axes in self.all_axes() for axis in axes)
        return list(dict.fromkeys(key for axis in axes for key in axis.split(",")))


def merged(*layers: Mapping[str, Any]) -> dict[str, Any]:
    """Returns settings, of which a later layer's take the place of an earlier one's.

    Epochs that come later than steps take their place, of runs and of their teachers
    (`lsk_engine.settings.resolving.merge_settings`).

    Args:
        *layers: Settings by dotted key, the strongest last.

    Example:
    >>> merged({"teacher.training.steps": 450}, {"teacher.training.epochs": 3})
    {'teacher.training.steps': None, 'teacher.training.epochs': 3}
    """
    taught = (
        {key.removeprefix(TEACHER): v for key, v in layer.items() if key.startswith(TEACHER)}
        for layer in layers
    )
    own = ({key: v for key, v in layer.items() if not key.startswith(TEACHER)} for layer in layers)
    of_teachers = {f"{TEACHER}{key}": value for key, value in merge_settings(*taught).items()}
    return {**merge_settings(*own), **of_teachers}


def preset_of(study: Study, task: Task) -> str:
    """Returns the recipe of a study's runs: the task's for studies is for its own data."""
    elsewhere = "data.source" in {*study.settings, *study.keys()}
    own = None if elsewhere else task.study_preset
    return study.preset or own or task.presets[0].name


def read_study(file: Path) -> Study:
    """Reads a study from a TOML file.

    Args:
        file: The file: the attributes of `Study` as keys (`measure` for `measures`), `axes`,
            `settings` and `student` as tables, `grids` and `claims` as arrays of tables.

    Raises:
        FileError: If it can't be read.
        InputError: If it is no TOML, or has an unknown key (with near matches) or a value of
            another type.
    """
    values = read_toml(file)
    known = {field.name: field.name for field in dataclasses.fields(Study)}
    known["measure"] = known.pop("measures")
    for key in values:
        if key not in known:
            raise InputError(f"Expected a key of a study in {file}. {suggest(key, known)}")
    for key in ("question", "task", "axes"):
        if key not in values:
            raise InputError(f"Expected the key {key} in {file}. Received: a file without it")
    found = {known[key]: value for key, value in values.items()}
    for key, kind in _KINDS.items():
        if key in found and type(found[key]) is not kind:
            name = next(name for name, field in known.items() if field == key)
            raise InputError(
                f"Expected {name} in {file} to be {_WORDS[kind]}. "
                f"Received: {short_repr(found[key])}"
            )
    found["axes"] = _axes(found["axes"], file)
    found["grids"] = tuple(_axes(axes, file) for axes in found.get("grids", ()))
    for part in ("settings", "student"):
        found[part] = flat(found.get(part, {}))
    if "measures" in found:
        found["measures"] = tuple(map(str, found["measures"]))
    if "claims" in found:
        found["claims"] = tuple(_claim(claim, file) for claim in found["claims"])
    return Study(**found)


_KINDS: Mapping[str, type] = {
    **dict.fromkeys(("question", "task", "preset", "teacher_preset", "split"), str),
    **dict.fromkeys(("axes", "settings", "student"), dict),
    **dict.fromkeys(("measures", "claims", "grids"), list),
    "seeds": int,
    "cache": bool,
}
_WORDS: Mapping[type, str] = {
    str: "a text",
    dict: "a table",
    list: "a list",
    int: "a whole number",
    bool: "true or false",
    float: "a number",
}


def _axes(values: Any, file: Path) -> dict[str, tuple[Any, ...]]:
    if not isinstance(values, dict):
        raise InputError(f"Expected grids in {file} to be tables. Received: {short_repr(values)}")
    axes = {}
    for key, of_axis in flat(values).items():  # unquoted dotted keys nest in TOML
        if not isinstance(of_axis, list):
            raise InputError(f"Expected a list of values of {key} in {file}. Received: {of_axis!r}")
        several = "," in key
        axes[key] = tuple(
            tuple(value) if several and isinstance(value, list) else value for value in of_axis
        )
    return axes


def _claim(values: Any, file: Path) -> Claim:
    if not isinstance(values, dict):
        raise InputError(f"Expected claims in {file} to be tables. Received: {short_repr(values)}")
    for key in values:
        if key not in _CLAIM_KEYS:
            raise InputError(f"Expected a key of a claim in {file}. {suggest(key, _CLAIM_KEYS)}")
    found = {"name": values.get("measure"), **values}
    for field in dataclasses.fields(Claim):
        if field.name not in found:
            if field.default is dataclasses.MISSING:
                raise InputError(
                    f"Expected the key {field.name} of a claim in {file}. Received: {values}"
                )
            continue
        kind: type = float if field.name in ("margin", "paper") else str
        value = found[field.name]
        kinds = (int, float) if kind is float else (str,)
        if not isinstance(value, kinds) or isinstance(value, bool):
            raise InputError(
                f"Expected {field.name} of a claim in {file} to be {_WORDS[kind]}. "
                f"Received: {short_repr(value)}"
            )
    return Claim(**found)
