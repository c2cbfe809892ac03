"""The arms of a study: the configuration of runs for each combination of the axes' values."""

import dataclasses
import itertools
import re
from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import Any

from ls_base.errors import InputError, suggest
from lsk_engine.settings.config import Config
from lsk_engine.settings.distillation import DistillationConfig
from lsk_engine.settings.parsing import field_types, flat, parse, parse_fields
from lsk_engine.settings.resolving import resolve_config, setting_keys, split_key
from lsk_engine.studies.study import (
    ALPHA,
    DISTILLATION,
    LOSS,
    SMOOTHING,
    TEACHER,
    TEACHER_TEMPERATURE,
    Study,
    merge_study_settings,
    preset_of,
)
from lsk_engine.studies.study_result import RUNS, STUDENTS, TEACHERS
from lsk_engine.tasks.contract import Task

_SOURCE = "data.source"
# A study sets the teacher, and the folder of its logits, itself.
_OPTIONS = {
    name: kind
    for name, kind in field_types(DistillationConfig).items()
    if name not in ("teacher", "teacher_sha256", "cache")
}


@dataclasses.dataclass(frozen=True)
class Arm:
    """One combination of the axes' values.

    Attributes:
        values: The value of each setting among the axes.
        config: The configuration of its runs, with the first seed and without their teacher.
        baselines: Names of the arms that it is compared with, by the first axis of the grid that
            compares them; empty if it is a baseline in all grids.
        teacher: The arm whose runs teach its runs, seed by seed; `None`: no distillation.
        distillation: The distillation: fields of `DistillationConfig`.
        folder: Folder of its runs inside the study's folder.
    """

    values: Mapping[str, Any]
    config: Config
    baselines: Mapping[str, str] = dataclasses.field(default_factory=dict)
    teacher: "Arm | None" = None
    distillation: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    folder: str = RUNS

    @property
    def name(self) -> str:
        """Its name in tables; with a seed, the name of its runs."""
        return _name(self.values) or "teacher"

    @property
    def baseline(self) -> str | None:
        """The arm that the first of its grids compares it with; `None`: it is a baseline in all."""
        return next(iter(self.baselines.values()), None)

    def seeded(self, seed: int) -> Config:
        """Returns the configuration of the run with this seed."""
        return self.config.replace("training", seed=seed)


def arms_of(study: Study, task: Task) -> list[Arm]:
    """Returns the arms, baselines first.

    With α = 0 all smoothings are the same, so they are one arm. Arms that two grids have in common
    are one arm as well.

    Args:
        study: The study.
        task: Its task.

    Raises:
        InputError: For an unknown axis or setting (with near matches), an invalid value, or two
            arms with the same name.
    """
    known = _keys(task)
    for axis in itertools.chain.from_iterable(study.all_axes()):
        for key in axis.split(","):
            if key not in known:
                _check_option(task, key, known)
    if not any(map(has_teacher, study.all_axes())):
        unused = next((k for k in study.settings if k.startswith((TEACHER, DISTILLATION))), None)
        if unused is not None or study.teacher_preset is not None:
            raise InputError(
                f"Expected an axis of {TEACHER}… or {DISTILLATION}… with settings of teachers. "
                f"Received: {unused or 'teacher_preset'}, and the axes {', '.join(study.keys())}"
            )
    arms: dict[str, Arm] = {}
    for axes in study.all_axes():
        first = next(iter(axes))
        for combination in itertools.product(*axes.values()):
            values = dict(zip(axes, combination, strict=True))
            arm = _arm(study, task, values)
            baseline = _arm(study, task, {**values, first: axes[first][0]}).name
            other = arms.get(arm.name, arm)
            if other.values != arm.values:
                raise InputError(
                    "Expected values of axes that give different names. "
                    f"Received: {dict(other.values)} and {dict(arm.values)}, both {arm.name!r}"
                )
            compared = {} if baseline == arm.name else {first: baseline}
            arms[arm.name] = dataclasses.replace(other, baselines={**other.baselines, **compared})
    if not study.grids and all(arm.baseline is None for arm in arms.values()):
        first = next(iter(study.axes))
        raise InputError(
            f"Expected values of the first axis that differ. Received: {study.axes[first]}"
        )
    _check_teachers(arms.values())
    return sorted(arms.values(), key=lambda arm: arm.baseline is not None)


def _check_teachers(arms: Iterable[Arm]) -> None:
    """Raises an error if teachers with the same name have different configurations."""
    teachers: dict[str, Arm] = {}
    for arm in arms:
        if arm.teacher is None:
            continue
        other = teachers.setdefault(arm.teacher.name, arm.teacher)
        if other.config != arm.teacher.config:
            here, there = (flat(one.config.to_dict()) for one in (arm.teacher, other))
            key = next(key for key in here if here[key] != there.get(key))
            raise InputError(
                f"Expected students whose teachers differ only in axes of {TEACHER}…. Received: "
                f"teachers with {key}={there.get(key)} and {here[key]}; use a study for each"
            )


def student_of(arm: Arm, study: Study, task: Task) -> Arm:
    """Returns the arm of the students that the measure `distillation` trains for an arm.

    They have the arm's recipe, hard targets, and the study's settings of students.

    Args:
        arm: The teacher.
        study: The study.
        task: Its task.

    Raises:
        InputError: For an unknown setting (with near matches), or an invalid value.
    """
    own, _, options = _split_settings(merge_study_settings(study.settings, arm.values), task)
    student, of_teacher, student_options = _split_settings(study.student, task)
    if of_teacher:
        raise InputError(
            f"Expected settings of students only: the study has their teachers. "
            f"Received: {TEACHER}{next(iter(of_teacher))}"
        )
    own = {key: value for key, value in own.items() if not key.startswith(LOSS)}
    settings = merge_study_settings(own, {ALPHA: 0.0}, student)
    return Arm(
        values=arm.values,
        config=resolve_config(task, preset_of(study, task), settings),
        teacher=arm,
        distillation=_distillation(study, {**options, **student_options}),
        folder=STUDENTS,
    )


def base_settings(study: Study, task: Task) -> dict[str, Any]:
    """Returns the settings that all runs of a study share, as its folder stores them.

    The values of the axes, the seeds and the measures may change in the same folder.

    Args:
        study: The study.
        task: Its task.
    """
    return {
        "task": task.name,
        "preset": preset_of(study, task),
        "teacher_preset": study.teacher_preset,
        "axes": sorted({axis for axes in study.all_axes() for axis in axes}),
        "settings": {key: str(value) for key, value in sorted(study.settings.items())},
    }


def has_teacher(axes: Mapping[str, Any]) -> bool:
    """Returns whether the runs of a grid are students, by the settings among its axes."""
    return any(key.startswith((TEACHER, DISTILLATION)) for axis in axes for key in axis.split(","))


def _check_option(task: Task, key: str, known: Collection[str]) -> None:
    """Refuses an axis that is no option of a setting, such as `training.loss_options.gamma`."""
    try:
        split_key(task, key.removeprefix(TEACHER))
    except InputError:
        raise InputError(f"Expected an axis that is a setting. {suggest(key, known)}") from None


def _keys(task: Task) -> list[str]:
    own = setting_keys(task)
    return [*own, *(TEACHER + key for key in own), *(DISTILLATION + name for name in _OPTIONS)]


def _arm(study: Study, task: Task, combination: Mapping[str, Any]) -> Arm:
    values = dict(_single(combination))
    own, of_teacher, options = _split_settings(merge_study_settings(study.settings, values), task)
    if has_teacher(values):
        own = {ALPHA: 0.0, **own}  # hard targets
    config = resolve_config(task, preset_of(study, task), own)
    if SMOOTHING in values and config.training.alpha == 0:
        firsts = ({axis: values[0] for axis, values in axes.items()} for axes in study.all_axes())
        first = next(
            each[SMOOTHING] for each in map(dict, map(_single, firsts)) if SMOOTHING in each
        )
        config = config.replace("training", smoothing=first)
    teacher, distillation = None, {}
    if has_teacher(values):
        teacher_config = _teacher_config(study, task, own, of_teacher)
        teacher_values = {
            key.removeprefix(TEACHER): _value(teacher_config, key.removeprefix(TEACHER))
            for key in values
            if key.startswith(TEACHER)
        }
        teacher = Arm(teacher_values, teacher_config, folder=TEACHERS)
        distillation = _distillation(study, options)
    resolved = {}
    # Settings of distillation come last, so that names do not depend on the order of axes.
    for key in sorted(values, key=lambda k: (k.startswith(DISTILLATION), study.keys().index(k))):
        if key.startswith(TEACHER) and teacher is not None:
            resolved[key] = teacher.values[key.removeprefix(TEACHER)]
        elif key.startswith(DISTILLATION):
            resolved[key] = distillation[key.removeprefix(DISTILLATION)]
        else:
            resolved[key] = _value(config, key)
    return Arm(resolved, config, teacher=teacher, distillation=distillation)


def _single(combination: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    """Yields each key with its value, also for axes with several keys."""
    for axis, value in combination.items():
        names = axis.split(",")
        values = value if len(names) > 1 else (value,)
        if not isinstance(values, tuple | list) or len(values) != len(names):
            raise InputError(
                f"Expected tuples of {len(names)} values of the axis {axis}. Received: {value}"
            )
        yield from zip(names, values, strict=True)


def _split_settings(
    settings: Mapping[str, Any], task: Task
) -> tuple[dict[str, Any], dict[str, Any], dict[str, Any]]:
    """Returns the settings of a run, of its teacher, and of the distillation."""
    own: dict[str, Any] = {}
    of_teacher: dict[str, Any] = {}
    options: dict[str, Any] = {}
    for key, value in settings.items():
        if key.startswith(TEACHER):
            of_teacher[key.removeprefix(TEACHER)] = value
        elif key.startswith(DISTILLATION):
            name = key.removeprefix(DISTILLATION)
            if name not in _OPTIONS:
                raise InputError(f"Expected a configuration key. {suggest(key, _keys(task))}")
            options[name] = parse(key, value, _OPTIONS[name])
        else:
            own[key] = value
    return own, of_teacher, options


def _teacher_config(
    study: Study, task: Task, own: Mapping[str, Any], of_teacher: Mapping[str, Any]
) -> Config:
    """Returns the teacher's configuration, by default with the student's data."""
    shared = {_SOURCE: own[_SOURCE]} if _SOURCE in own else {}
    config = resolve_config(
        task, study.teacher_preset or preset_of(study, task), {**shared, **of_teacher}
    )
    student = resolve_config(task, preset_of(study, task), own)
    if config.data.source != student.data.source:
        raise InputError(
            "Expected a teacher and a student with the same data. "
            f"Received: {student.data.source!r} and {config.data.source!r}"
        )
    return config


def _distillation(study: Study, options: Mapping[str, Any]) -> dict[str, Any]:
    """Returns all options of the distillation, after checking them."""
    cache = "logits" if study.cache else None
    values = {"teacher": "", "teacher_sha256": "", "cache": cache, **options}
    checked = parse_fields("distillation", DistillationConfig, values)
    return {name: getattr(checked, name) for name in _OPTIONS}


def _value(config: Config, key: str) -> Any:
    part, field, *option = key.split(".")
    value = getattr(getattr(config, part), field)
    return value[option[0]] if option else value


def _name(values: Mapping[str, Any]) -> str:
    labels = [_label(key) for key in values]
    parts = []
    for (key, value), label in zip(values.items(), labels, strict=True):
        label = label if labels.count(label) == 1 else key
        number = isinstance(value, int | float) and not isinstance(value, bool)
        text = f"{label}{value:g}" if number else f"{label}-{value}"
        parts.append(re.sub(r"[^\w.+-]+", "_", text))
    return "-".join(parts)


def _label(key: str) -> str:
    end = key.rpartition(".")[2]
    if key == TEACHER_TEMPERATURE:
        return "T"
    return f"teacher_{end}" if key.startswith(TEACHER) else end
