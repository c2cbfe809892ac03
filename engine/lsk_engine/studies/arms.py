"""The arms of a study: each combination of its axes' values, as configurations of runs."""

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
    merged,
    preset_of,
)
from lsk_engine.studies.study_folder import RUNS, STUDENTS, TEACHERS
from lsk_engine.tasks.contract import Task

_SOURCE = "data.source"
# Who the teacher is, and where its logits are kept, a study knows by itself.
_OPTIONS = {
    name: kind
    for name, kind in field_types(DistillationConfig).items()
    if name not in ("teacher", "teacher_sha256", "cache")
}


@dataclasses.dataclass(frozen=True)
class Arm:
    """One combination of the axes' values.

    Attributes:
        values: By key, as the settings have them.
        config: The configuration of its runs, with the first seed and without their teacher.
        baselines: The names of the arms that it is compared with, by the first axis of the grid
            that asks; of no grid: it is one itself.
        teacher: Whose runs teach its runs, seed by seed; `None`: labels alone do.
        distillation: How they are taught: fields of `DistillationConfig`.
        folder: The study's folder that its runs are in.
    """

    values: Mapping[str, Any]
    config: Config
    baselines: Mapping[str, str] = dataclasses.field(default_factory=dict)
    teacher: "Arm | None" = None
    distillation: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    folder: str = RUNS

    @property
    def name(self) -> str:
        """Its name in tables and, with a seed, that of its runs."""
        return _name(self.values) or "teacher"

    @property
    def baseline(self) -> str | None:
        """What the first grid that it is of compares it with; `None`: nothing, in any."""
        return next(iter(self.baselines.values()), None)

    def seeded(self, seed: int) -> Config:
        """Returns the configuration of the run with a seed."""
        return self.config.replace("training", seed=seed)


def arms_of(study: Study, task: Task) -> list[Arm]:
    """Returns the arms, each baseline before what is compared with it.

    Without mass to spread, all smoothings are the same: α = 0 is one arm. What two grids have in
    common is one arm as well.

    Args:
        study: The study.
        task: Its task.

    Raises:
        InputError: For an unknown axis or setting (with near matches), a value that can't be, or
            two arms of one name.
    """
    known = _keys(task)
    for axis in itertools.chain.from_iterable(study.all_axes()):
        for key in axis.split(","):
            if key not in known:
                _check_option(task, key, known)
    if not any(map(is_taught, study.all_axes())):
        taught = next((k for k in study.settings if k.startswith((TEACHER, DISTILLATION))), None)
        if taught is not None or study.teacher_preset is not None:
            raise InputError(
                f"Expected an axis of {TEACHER}… or {DISTILLATION}…, where there are teachers. "
                f"Received: {taught or 'teacher_preset'}, and the axes {', '.join(study.keys())}"
            )
    arms: dict[str, Arm] = {}
    for axes in study.all_axes():
        first = next(iter(axes))
        for combination in itertools.product(*axes.values()):
            values = dict(zip(axes, combination, strict=True))
            arm = _arm(study, task, values)
            of = _arm(study, task, {**values, first: axes[first][0]}).name
            other = arms.get(arm.name, arm)
            if other.values != arm.values:
                raise InputError(
                    "Expected values of axes with names that differ. "
                    f"Received: {dict(other.values)} and {dict(arm.values)}, both {arm.name!r}"
                )
            compared = {} if of == arm.name else {first: of}
            arms[arm.name] = dataclasses.replace(other, baselines={**other.baselines, **compared})
    if not study.grids and all(arm.baseline is None for arm in arms.values()):
        first = next(iter(study.axes))
        raise InputError(
            f"Expected values of the first axis that differ. Received: {study.axes[first]}"
        )
    _check_teachers(arms.values())
    return sorted(arms.values(), key=lambda arm: arm.baseline is not None)


def _check_teachers(arms: Iterable[Arm]) -> None:
    """Refuses teachers that go by one name and are not alike: students would get either."""
    teachers: dict[str, Arm] = {}
    for arm in arms:
        if arm.teacher is None:
            continue
        other = teachers.setdefault(arm.teacher.name, arm.teacher)
        if other.config != arm.teacher.config:
            here, there = (flat(one.config.to_dict()) for one in (arm.teacher, other))
            key = next(key for key in here if here[key] != there.get(key))
            raise InputError(
                f"Expected students whose teachers differ in axes of {TEACHER}… alone. Received: "
                f"teachers of {key}={there.get(key)} and {here[key]}; ask in a study for each"
            )


def student_of(arm: Arm, study: Study, task: Task) -> Arm:
    """Returns what the measure `distillation` trains: a student of an arm's runs.

    It has the arm's recipe, hard targets, and the settings that the study has for such students.

    Args:
        arm: The teacher.
        study: The study.
        task: Its task.

    Raises:
        InputError: For an unknown setting (with near matches), or a value that can't be.
    """
    own, _, options = _parted(merged(study.settings, arm.values), task)
    told, of_teacher, told_options = _parted(study.student, task)
    if of_teacher:
        raise InputError(
            f"Expected settings of students, whose teachers the study has. "
            f"Received: {TEACHER}{next(iter(of_teacher))}"
        )
    own = {key: value for key, value in own.items() if not key.startswith(LOSS)}
    settings = merged(own, {ALPHA: 0.0}, told)
    return Arm(
        values=arm.values,
        config=resolve_config(task, preset_of(study, task), settings),
        teacher=arm,
        distillation=_distillation(study, {**options, **told_options}),
        folder=STUDENTS,
    )


def base_settings(study: Study, task: Task) -> dict[str, Any]:
    """Returns what all runs have in common, as JSON can hold it: seed and axes are at defaults.

    Args:
        study: The study.
        task: Its task.
    """
    own, of_teacher, options = _parted(study.settings, task)
    axes = {axis for axes in study.all_axes() for axis in axes}
    taught = any(map(is_taught, study.all_axes()))
    try:
        config = resolve_config(task, preset_of(study, task), own)
        teacher = _teacher_config(study, task, own, of_teacher) if taught else None
        without: Collection[str] = ()
    except InputError:  # a key without a default, such as a model of one's own, may be an axis
        first = {axis: values[0] for each in study.all_axes() for axis, values in each.items()}
        first = merged(study.settings, dict(_single(first)))
        own, of_teacher, _ = _parted(first, task)
        config = resolve_config(task, preset_of(study, task), own)
        teacher = _teacher_config(study, task, own, of_teacher) if taught else None
        without = study.keys()
    found: dict[str, Any] = {"axes": sorted(axes), "config": _less(config, without)}
    if teacher is not None:
        of_teacher_alone = [k.removeprefix(TEACHER) for k in without if k.startswith(TEACHER)]
        found |= {
            # The data are the student's.
            "teacher": _less(teacher, [*of_teacher_alone, *({_SOURCE} & {*without})]),
            "distillation": options,
        }
    return found


def _less(config: Config, keys: Collection[str]) -> dict[str, Any]:
    """Returns a configuration as JSON can hold it, less what the values of axes bring."""
    found = config.to_dict()
    for part, _, field in (key.partition(".") for key in keys):
        if part in found and field in found[part]:
            # A digest beside it, as of a model's file, is the value's, too.
            beside = [name for name in found[part] if name.endswith("sha256")]
            found[part] = found[part] | dict.fromkeys([field, *beside])
    return found


def is_taught(axes: Mapping[str, Any]) -> bool:
    """Returns whether the runs of a grid are students: an axis is of their teachers or teaching."""
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
    own, of_teacher, options = _parted(merged(study.settings, values), task)
    if is_taught(values):
        own = {ALPHA: 0.0, **own}  # hard targets
    config = resolve_config(task, preset_of(study, task), own)
    if SMOOTHING in values and config.training.alpha == 0:
        firsts = ({axis: values[0] for axis, values in axes.items()} for axes in study.all_axes())
        first = next(
            each[SMOOTHING] for each in map(dict, map(_single, firsts)) if SMOOTHING in each
        )
        config = config.replace("training", smoothing=first)
    teacher, distillation = None, {}
    if is_taught(values):
        teacher_config = _teacher_config(study, task, own, of_teacher)
        of_arm = {
            key.removeprefix(TEACHER): _value(teacher_config, key.removeprefix(TEACHER))
            for key in values
            if key.startswith(TEACHER)
        }
        teacher = Arm(of_arm, teacher_config, folder=TEACHERS)
        distillation = _distillation(study, options)
    resolved = {}
    # How students are taught comes last, whichever axis is asked about: names stay as they are.
    for key in sorted(values, key=lambda k: (k.startswith(DISTILLATION), study.keys().index(k))):
        if key.startswith(TEACHER) and teacher is not None:
            resolved[key] = teacher.values[key.removeprefix(TEACHER)]
        elif key.startswith(DISTILLATION):
            resolved[key] = distillation[key.removeprefix(DISTILLATION)]
        else:
            resolved[key] = _value(config, key)
    return Arm(resolved, config, teacher=teacher, distillation=distillation)


def _single(combination: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    """Yields a key and a value each, of axes of several keys too."""
    for axis, value in combination.items():
        names = axis.split(",")
        values = value if len(names) > 1 else (value,)
        if not isinstance(values, tuple) or len(values) != len(names):
            raise InputError(
                f"Expected {len(names)} values each of the axis {axis}. Received: {value}"
            )
        yield from zip(names, values, strict=True)


def _parted(
    settings: Mapping[str, Any], task: Task
) -> tuple[dict[str, Any], dict[str, Any], dict[str, Any]]:
    """Returns the settings of a run, of its teacher, and of its teaching."""
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
    """Returns the teacher's configuration: of the student's data, where nothing else is said."""
    shared = {_SOURCE: own[_SOURCE]} if _SOURCE in own else {}
    config = resolve_config(
        task, study.teacher_preset or preset_of(study, task), {**shared, **of_teacher}
    )
    student = resolve_config(task, preset_of(study, task), own)
    if config.data.source != student.data.source:
        raise InputError(
            "Expected a teacher and a student of the same data. "
            f"Received: {student.data.source!r} and {config.data.source!r}"
        )
    return config


def _distillation(study: Study, options: Mapping[str, Any]) -> dict[str, Any]:
    """Returns all options of a student; those that can't be are refused."""
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
