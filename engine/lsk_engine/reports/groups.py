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

    A group is called by the settings in which the groups differ, or, where these are many or there
    is one run only, by the run's folder.

    Args:
        runs: Runs whose configuration could be read.
    """
    readable = [run for run in runs if run.config is not None]
    by_key: dict[str, list[ReadRun]] = {}
    for run in readable:
        by_key.setdefault(_key(run), []).append(run)
    differing = _differing([of_group[0] for of_group in by_key.values()])
    groups: list[Group] = []
    for look, of_group in enumerate(by_key.values()):
        settings = of_group[0].settings
        label = heading({name: settings.get(name) for name in differing})
        if not label or len(label) > _LONGEST:
            label = _folder(of_group)
        if label in [group.label for group in groups]:
            label = of_group[0].name
        groups.append(Group(label, look, tuple(of_group)))
    return groups


def _settings(run: ReadRun) -> dict[str, Any]:
    return {
        name: value
        for name, value in run.settings.items()
        if name != SEED and not name.startswith(_OF_A_TEACHER)
    }


def _key(run: ReadRun) -> str:
    settings = sorted((name, repr(value)) for name, value in _settings(run).items())
    if any(name.startswith(_OF_A_TEACHER) for name in run.settings):
        settings.append(("folder", _folder([run])))
    return repr(settings)


def _differing(runs: Sequence[ReadRun]) -> list[str]:
    settings = [_settings(run) for run in runs]
    names = dict.fromkeys(name for of_run in settings for name in of_run)
    return [
        name
        for name in names
        if len({repr(of_run.get(name)) for of_run in settings}) > 1 and name != "schema"
    ]


def _folder(runs: Sequence[ReadRun]) -> str:
    name = runs[0].name
    return re.sub(r"-seed\d+$", "", name) if len(runs) > 1 or "-seed" in name else name
