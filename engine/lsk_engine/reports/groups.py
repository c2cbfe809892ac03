"""Groups of runs that differ only in their seed: one color and one name each."""

import dataclasses
from collections.abc import Iterable, Sequence

from lsk_engine.reports.run_files import ReadRun
from lsk_engine.studies.settings_diff import comparable_settings, name_settings, without_seed

_MAX_LABEL = 40  # characters


@dataclasses.dataclass(frozen=True)
class Group:
    """Runs that differ only in their seed.

    Attributes:
        label: The name in legends.
        look: The number of the color, dash pattern and marker.
        runs: The runs.
    """

    label: str
    look: int
    runs: tuple[ReadRun, ...]


def group_runs(runs: Iterable[ReadRun]) -> list[Group]:
    """Returns the groups, in the order of their first runs.

    The label of a group are the settings in which the groups differ, or the run's folder if there
    are many such settings or only one run.

    Args:
        runs: The runs; those without a readable configuration are left out.
    """
    by_settings: dict[str, list[ReadRun]] = {}
    for run in runs:
        if run.config is not None:
            settings = sorted(
                (key, repr(value)) for key, value in comparable_settings(run.settings).items()
            )
            by_settings.setdefault(repr(settings), []).append(run)
    groups = list(by_settings.values())
    labels = _labels([group[0] for group in groups])
    return [
        Group(label, look, tuple(group))
        for look, (label, group) in enumerate(zip(labels, groups, strict=True))
    ]


def _labels(runs: Sequence[ReadRun]) -> list[str]:
    """Returns the labels of groups, given a run of each."""
    labels = name_settings([run.settings for run in runs])
    short = all(label and len(label) <= _MAX_LABEL for label in labels)
    if short and len(set(labels)) == len(labels):
        return labels
    folders = [without_seed(run.name) for run in runs]
    return folders if len(set(folders)) == len(folders) else [run.name for run in runs]
