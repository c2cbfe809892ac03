"""Runs that differ in nothing but their seed are one group: one color, one name."""

import dataclasses
from collections.abc import Iterable, Sequence

from lsk_engine.reports.run_files import ReadRun
from lsk_engine.studies.settings_diff import comparable_settings, differing_keys, without_seed
from lsk_engine.studies.text_tables import heading

_LONGEST = 40


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
    settings = [comparable_settings(run.settings) for run in runs]
    names = differing_keys(settings)
    labels = [heading({name: of_run.get(name) for name in names}) for of_run in settings]
    short = all(label and len(label) <= _LONGEST for label in labels)
    return labels if short and len(set(labels)) == len(labels) else folders


def _key(run: ReadRun) -> str:
    return repr(
        sorted((name, repr(value)) for name, value in comparable_settings(run.settings).items())
    )


def _folder(run: ReadRun) -> str:
    return without_seed(run.name)
