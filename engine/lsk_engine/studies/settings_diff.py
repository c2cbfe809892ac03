"""What tells runs from one another: settings, without what only the seed changes."""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ls_base.errors import LsKerasError
from lsk_engine.runs.run_directory import RunDirectory
from lsk_engine.settings.parsing import flat

SEED = "training.seed"
TAUGHT_BY = "distillation.teacher"
_TAUGHT = "distillation."
# Other runs that a run is made of, and what their settings begin with among its own.
_OF_RUNS = {TAUGHT_BY: "teacher.", "training.init_from": "init_from."}
_BEYOND = tuple(_OF_RUNS.values())
# The version of the file; digests and folder of what another run's seed brings.
_NO_SETTINGS = (
    *("schema", SEED, "training.init_sha256"),
    *("distillation.teacher_sha256", "distillation.cache"),
)
_SEEDED = re.compile(r"-seed\d+$")


def telling(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Returns the settings of a run that runs of other seeds have, too.

    A student's teacher, and the run that another starts from, is called by its folder, without its
    task and seed; its own settings are among them, or else the folder that it is in.

    Args:
        settings: By dotted key.

    Example:
    >>> telling({"task": "image", "distillation.teacher": "/runs/image-digits-alpha0.1-seed2"})
    {'task': 'image', 'distillation.teacher': 'digits-alpha0.1', 'teacher.folder': '/runs'}
    """
    found = _less(settings)
    for key, beyond in _OF_RUNS.items():
        if settings.get(key) is not None:
            of_run = _settings_of(Path(str(settings[key])))
            found |= {f"{beyond}{name}": value for name, value in of_run.items()}
    return found


def _less(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Returns the settings that do not depend on the seed."""
    found = {key: value for key, value in settings.items() if key not in _NO_SETTINGS}
    for key in _OF_RUNS:
        if found.get(key) is not None:
            folder = Path(str(found[key])).name.removeprefix(f"{settings.get('task')}-")
            found[key] = without_seed(folder)
    return found


def _settings_of(run: Path) -> dict[str, Any]:
    """Returns what tells a run from others that are called alike."""
    try:
        return _less(flat(RunDirectory(run).read_config()))
    except LsKerasError:  # it is elsewhere now
        return {"folder": str(run.parent)}


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
    known = dict.fromkeys(name for of_run in settings for name in of_run)
    names = [name for name in known if len(_values(name, settings)) > 1]
    found = [name for name in names if not name.startswith(_BEYOND)]
    for name in names:
        # Of a teacher no more than what its name does not tell.
        if name.startswith(_BEYOND) and _kinds([*found, name], settings) > _kinds(found, settings):
            found.append(name)
    return found


def _kinds(names: Sequence[str], settings: Sequence[Mapping[str, Any]]) -> int:
    return len({repr([of_run.get(name) for name in names]) for of_run in settings})


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
    learned = name.startswith((_TAUGHT, *_BEYOND)) and name != TAUGHT_BY
    return {repr(of_run.get(name)) for of_run in settings if name in of_run or not learned}
