"""Runs that differ in nothing but their seed are one group: one color, one name."""

import dataclasses
import re
from collections.abc import Iterable, Sequence
from typing import Any

from lsk_engine.reports.run_files import ReadRun
from lsk_engine.studies.tables import heading

SEED = "training.seed"
_LONGEST = 40
# What a student's settings say of its teacher: paths and digests differ by the seed alone.
_OF_A_TEACHER = "distillation."


@dataclasses.dataclass(frozen=True)
class Group:
    """Runs that are alike but for their seed.

    Attributes:
        label: What they are called in legends.
        look: Their color, dash and marker.
        runs: The runs.
    """

    label: str
    look: int
    runs: tuple[ReadRun, ...]


def groups_of(runs: Iterable[ReadRun]) -> list[Group]:
    """Returns the groups, in the order of their first runs.

    A group is called by the settings in which the groups differ, or, where these are many, are
    those of teachers, or there is one run only, by the run's folder.

    Args:
        runs: Runs whose configuration could be read.
    """
    readable = [run for run in runs if run.config is not None]
    by_key: dict[str, list[ReadRun]] = {}
    for run in readable:
        by_key.setdefault(_key(run), []).append(run)
    labels = _labels([of_group[0] for of_group in by_key.values()])
    return [
        Group(label, look, tuple(of_group))
        for look, (label, of_group) in enumerate(zip(labels, by_key.values(), strict=True))
    ]


def _labels(runs: Sequence[ReadRun]) -> list[str]:
    """Returns what groups are called, given a run of each."""
    folders = [_folder(run) for run in runs]
    if len(set(folders)) < len(folders):
        folders = [run.name for run in runs]
    differing = _differing(runs)
    labels = [heading({name: run.settings.get(name) for name in differing}) for run in runs]
    short = all(label and len(label) <= _LONGEST for label in labels)
    return labels if short and len(set(labels)) == len(labels) else folders


def _settings(run: ReadRun) -> dict[str, Any]:
    return {
        name: value
        for name, value in run.settings.items()
        if name != SEED and not name.startswith(_OF_A_TEACHER)
    }


def _key(run: ReadRun) -> str:
    settings = sorted((name, repr(value)) for name, value in _settings(run).items())
    if any(name.startswith(_OF_A_TEACHER) for name in run.settings):
        settings.append(("folder", _folder(run)))
    return repr(settings)


def _differing(runs: Sequence[ReadRun]) -> list[str]:
    settings = [_settings(run) for run in runs]
    names = dict.fromkeys(name for of_run in settings for name in of_run)
    return [
        name
        for name in names
        if len({repr(of_run.get(name)) for of_run in settings}) > 1 and name != "schema"
    ]


def _folder(run: ReadRun) -> str:
    return re.sub(r"-seed\d+$", "", run.name)
