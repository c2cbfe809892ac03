"""What tells runs from one another: settings, without what only the seed changes."""

import re
from collections.abc import Mapping, Sequence
from pathlib import PurePath
from typing import Any

SEED = "training.seed"
TAUGHT_BY = "distillation.teacher"
_TAUGHT = "distillation."
# The version of the file; digest and folder of a teacher's seed.
_NO_SETTINGS = ("schema", SEED, "distillation.teacher_sha256", "distillation.cache")
_SEEDED = re.compile(r"-seed\d+$")


def telling(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Returns the settings of a run that runs of other seeds have, too.

    A student's teacher is called by its folder, without its task and seed.

    Args:
        settings: By dotted key.

    Example:
    >>> telling({"task": "image", "distillation.teacher": "/runs/image-digits-alpha0.1-seed2"})
    {'task': 'image', 'distillation.teacher': 'digits-alpha0.1'}
    """
    found = {key: value for key, value in settings.items() if key not in _NO_SETTINGS}
    if found.get(TAUGHT_BY) is not None:
        folder = PurePath(str(found[TAUGHT_BY])).name.removeprefix(f"{settings.get('task')}-")
        found[TAUGHT_BY] = without_seed(folder)
    return found


def without_seed(folder: str) -> str:
    """Returns the name of a run's folder without the seed at its end.

    Example:
    >>> without_seed("image-digits-alpha0.1-seed2")
    'image-digits-alpha0.1'
    """
    return _SEEDED.sub("", folder)


def differing(settings: Sequence[Mapping[str, Any]]) -> list[str]:
    """Returns the keys in which settings differ; how students learn, among students.

    Args:
        settings: Of each run, by dotted key.

    Example:
    >>> hard, student = {"training.alpha": 0.0}, {"distillation.beta": 1.0}
    >>> differing([hard | {TAUGHT_BY: None}, hard | student | {TAUGHT_BY: "digits"}])
    ['distillation.teacher']
    """
    names = dict.fromkeys(name for of_run in settings for name in of_run)
    return [name for name in names if len(_values(name, settings)) > 1]


def unlike(one: Mapping[str, Any], other: Mapping[str, Any]) -> tuple[str, str] | None:
    """Returns what two have in the first three settings in which they differ, as errors tell it.

    Args:
        one: Settings by dotted key.
        other: Likewise.

    Returns:
        What either has; `None`: they are alike.

    Example:
    >>> unlike({"model.width": 8, "model.layers": 2}, {"model.width": 16, "model.layers": 2})
    ('model.width=8', 'model.width=16')
    """
    keys = [key for key in {**one, **other} if one.get(key) != other.get(key)][:3]
    if not keys:
        return None
    here, there = (", ".join(f"{key}={of.get(key)}" for key in keys) for of in (one, other))
    return here, there


def _values(name: str, settings: Sequence[Mapping[str, Any]]) -> set[str]:
    learned = name.startswith(_TAUGHT) and name != TAUGHT_BY
    return {repr(of_run.get(name)) for of_run in settings if name in of_run or not learned}
