"""Compares and names the settings of runs, apart from what only their seeds change."""

import math
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


def name_settings(settings: Sequence[Mapping[str, Any]]) -> list[str]:
    """Returns a name for each run: the settings in which runs differ, apart from their seeds.

    Args:
        settings: The settings of each run, by dotted key.

    Example:
    >>> name_settings([{"training.alpha": a, "training.seed": s} for s, a in enumerate((0, 0.1))])
    ['hard', 'α 0.1']
    """
    comparable = [comparable_settings(one) for one in settings]
    keys = differing_keys(comparable)
    return [heading({key: one.get(key) for key in keys}) for one in comparable]


def heading(settings: Mapping[str, Any]) -> str:
    """Returns the name of a combination of settings in a table.

    Args:
        settings: Settings by dotted key.

    Example:
    >>> heading({"training.alpha": 0.1}), heading({"training.alpha": 0.0, "data.size": 100})
    ('α 0.1', 'hard, size 100')
    >>> [heading({"training.alpha": a, "training.smoothing": "unigram"}) for a in (0.0, 0.1)]
    ['hard', 'α 0.1, unigram']
    >>> heading({"teacher.training.alpha": 0.1, "distillation.teacher_temperature": 2.0})
    'α 0.1 teacher, T 2'
    >>> [heading({"distillation.teacher": t}) for t in (None, "digits-alpha0.1")]
    ['no teacher', 'student of digits-alpha0.1']
    """
    parts = []
    for key, value in settings.items():
        end = key.rpartition(".")[2]
        number = isinstance(value, int | float) and not isinstance(value, bool)
        # Larger integers cannot be formatted as floats.
        text = f"{value:g}" if number and abs(value) <= 1e300 else str(value)
        if key.endswith("training.alpha"):
            smoothed = "hard" if value == 0 else f"α {text}"
            parts.append(f"{smoothed} teacher" if key.startswith("teacher.") else smoothed)
        elif key == TEACHER_RUN:
            parts.append("no teacher" if value is None else f"student of {value}")
        elif key.startswith("distillation.") and value is None:
            continue  # a run without a teacher
        elif key == "distillation.teacher_temperature":
            parts.append(f"T {text}")
        elif key == "training.loss":
            parts.append(text)
        elif key == "training.smoothing":
            if settings.get("training.alpha") != 0:
                parts.append(text)
        else:
            parts.append(f"{end} {text}")
    return ", ".join(parts)


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


def signed(value: float) -> str:
    """Returns a difference with its sign; a dash for NaN.

    Example:
    >>> signed(-0.0123), signed(0.1 + 0.2 - 0.3), signed(float("nan"))
    ('-0.0123', '+0', '–')
    """
    # Rounded, so that numbers that cancel give 0.
    return "–" if math.isnan(value) else f"{round(value, 12) + 0.0:+.3g}"


def _count_groups(names: Sequence[str], settings: Sequence[Mapping[str, Any]]) -> int:
    return len({repr([one.get(name) for name in names]) for one in settings})


def _distinct_values(name: str, settings: Sequence[Mapping[str, Any]]) -> set[str]:
    students_only = name.startswith((_DISTILLATION, *_PREFIXES)) and name != TEACHER_RUN
    return {repr(one.get(name)) for one in settings if name in one or not students_only}
