"""Compares run configurations, ignoring what only the seed changes."""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ls_base.errors import LsKerasError
from lsk_engine.runs.run_directory import RunDirectory
from lsk_engine.settings.parsing import flat

SEED = "training.seed"
TEACHER_RUN = "distillation.teacher"
_DISTILLATION = "distillation."
# Settings that name another run, and the prefix that its settings get.
_OTHER_RUNS = {TEACHER_RUN: "teacher.", "training.init_from": "init_from."}
_PREFIXES = tuple(_OTHER_RUNS.values())
# The schema of the file; digests and folders that differ because seeds do.
_IGNORED = (
    *("schema", SEED, "training.init_sha256"),
    *("distillation.teacher_sha256", "distillation.cache"),
)
_SEED_SUFFIX = re.compile(r"-seed\d+$")


def comparable_settings(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Returns the settings of a run that do not depend on its seed.

    A teacher, or the run that another one starts from, is represented by its folder's name without
    task and seed, and by its own settings; if it no longer exists, by the folder that it was in.

    Args:
        settings: Settings of a run by dotted key.

    Example:
    >>> run = {"task": "image", "distillation.teacher": "/runs/image-digits-alpha0.1-seed2"}
    >>> comparable_settings(run)
    {'task': 'image', 'distillation.teacher': 'digits-alpha0.1', 'teacher.folder': '/runs'}
    """
    found = _without_seed_settings(settings)
    for key, prefix in _OTHER_RUNS.items():
        if settings.get(key) is not None:
            other = _settings_of(Path(str(settings[key])))
            found |= {f"{prefix}{name}": value for name, value in other.items()}
    return found


def _without_seed_settings(settings: Mapping[str, Any]) -> dict[str, Any]:
    found = {key: value for key, value in settings.items() if key not in _IGNORED}
    for key in _OTHER_RUNS:
        if found.get(key) is not None:
            folder = Path(str(found[key])).name.removeprefix(f"{settings.get('task')}-")
            found[key] = without_seed(folder)
    return found


def _settings_of(run: Path) -> dict[str, Any]:
    try:
        return _without_seed_settings(flat(RunDirectory(run).read_config()))
    except LsKerasError:  # it was moved or deleted
        return {"folder": str(run.parent)}


def without_seed(folder: str) -> str:
    """Returns the name of a run's folder without the seed at its end.

    Example:
    >>> without_seed("image-digits-alpha0.1-seed2")
    'image-digits-alpha0.1'
    """
    return _SEED_SUFFIX.sub("", folder)


def differing_keys(settings: Sequence[Mapping[str, Any]]) -> list[str]:
    """Returns the keys whose values differ; settings of distillation only if students differ.

    Args:
        settings: The settings of each run, by dotted key.

    Example:
    >>> hard, student = {"training.alpha": 0.0}, {"distillation.beta": 1.0}
    >>> differing_keys([hard | {TEACHER_RUN: None}, hard | student | {TEACHER_RUN: "digits"}])
    ['distillation.teacher']
    """
    known = dict.fromkeys(name for one in settings for name in one)
    names = [name for name in known if len(_distinct_values(name, settings)) > 1]
    found = [name for name in names if not name.startswith(_PREFIXES)]
    for name in names:
        # A teacher's setting only if it separates runs that the teacher's name does not.
        if name.startswith(_PREFIXES) and _count_groups([*found, name], settings) > _count_groups(
            found, settings
        ):
            found.append(name)
    return found


def first_differences(one: Mapping[str, Any], other: Mapping[str, Any]) -> tuple[str, str] | None:
    """Returns the first three differences between two settings, as text for an error.

    Args:
        one: Settings by dotted key.
        other: Settings by dotted key.

    Returns:
        The values in `one` and in `other`; `None` if they are equal.

    Example:
    >>> small, large = {"model.width": 8, "model.layers": 2}, {"model.width": 16, "model.layers": 2}
    >>> first_differences(small, large)
    ('model.width=8', 'model.width=16')
    """
    keys = [key for key in {**one, **other} if one.get(key) != other.get(key)][:3]
    if not keys:
        return None
    here, there = (", ".join(f"{key}={of.get(key)}" for key in keys) for of in (one, other))
    return here, there


def _count_groups(names: Sequence[str], settings: Sequence[Mapping[str, Any]]) -> int:
    return len({repr([one.get(name) for name in names]) for one in settings})


def _distinct_values(name: str, settings: Sequence[Mapping[str, Any]]) -> set[str]:
    students_only = name.startswith((_DISTILLATION, *_PREFIXES)) and name != TEACHER_RUN
    return {repr(one.get(name)) for one in settings if name in one or not students_only}
