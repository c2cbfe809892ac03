"""Runs side by side: the settings that differ, the scores, and differences paired by seed."""

import dataclasses
import math
from collections.abc import Mapping, Sequence
from os.path import lexists
from typing import Any, Literal

from ls_base.errors import InputError, shell_command
from lsk_engine.runs.run_directory import RunDirectory
from lsk_engine.studies.claims import interval
from lsk_engine.studies.comparison.seed_groups import seed_groups
from lsk_engine.studies.existing_runs import splits_of

_COMMON = {"accuracy": "accuracy", "nll": "NLL (nats)", "ece": "ECE", "brier": "Brier"}
_BETTER: Mapping[str, Literal["less", "more"]] = {
    "accuracy": "more",
    "nll": "less",
    "ece": "less",
    "brier": "less",
}


@dataclasses.dataclass(frozen=True)
class Group:
    """Runs that differ in nothing but their seed.

    Attributes:
        settings: Those in which groups differ, by dotted key.
        runs: The run directories, by seed.
        scores: By name, a score's values by seed.
    """

    settings: Mapping[str, Any]
    runs: Mapping[int, str]
    scores: Mapping[str, Mapping[int, float]]


@dataclasses.dataclass(frozen=True)
class Comparison:
    """What `compare_runs` found.

    Attributes:
        split: The split of the scores.
        labels: What each score is called.
        groups: The first is what others are compared with.
        better: Whether less or more of a score is better, of those of which it is known.
    """

    split: str
    labels: Mapping[str, str]
    groups: tuple[Group, ...]
    better: Mapping[str, Literal["less", "more"]] = dataclasses.field(default_factory=dict)

    def difference(self, score: str, group: Group) -> tuple[float, float, float]:
        """Returns the mean of the differences from the first group, and its 95 % interval.

        The interval is Student's t over the seeds that both have; it is not corrected for others.
        """
        first, other = self.groups[0].scores[score], group.scores[score]
        return interval([other[seed] - first[seed] for seed in sorted(first.keys() & other.keys())])

    def to_dict(self) -> dict[str, Any]:
        """Returns the comparison as JSON can hold it; what is not a number is `null`."""
        groups = []
        for group in self.groups:
            found = dataclasses.asdict(group)
            if group is not self.groups[0]:
                found["differences"] = {
                    score: [None if math.isnan(x) else x for x in self.difference(score, group)]
                    for score in self.labels
                }
            groups.append(found)
        return {"schema": 1, "split": self.split, "labels": dict(self.labels), "groups": groups}


def compare_runs(runs: Sequence[RunDirectory], split: str = "test") -> Comparison:
    """Compares finished runs of one task.

    Args:
        runs: The runs; those that are alike but for their seed make a group.
        split: The split of the scores.

    Raises:
        InputError: If there is no run, a run is given twice, tasks differ, a run isn't finished or
            has no such split, two differ in nothing, or two of one seed have scores of different
            data that go by one name.
        FileError: If there is no run at a path.
    """
    found = seed_groups(runs)
    _refuse_other_data(runs, split)
    scores = {run.path: _scores(run, split) for run in runs}
    labels = {
        name: label
        for name, label in {**runs[0].read_metrics().labels, **_COMMON}.items()
        if all(name in values for values in scores.values())
    }
    groups = [
        Group(
            settings=group.settings,
            runs={seed: str(run.path) for seed, run in group.runs.items()},
            scores={
                name: {seed: scores[run.path][name] for seed, run in group.runs.items()}
                for name in labels
            },
        )
        for group in found
    ]
    better = {**_BETTER, **(runs[0].read_metrics().better or {})}
    return Comparison(split, labels, tuple(groups), better)


def _refuse_other_data(runs: Sequence[RunDirectory], split: str) -> None:
    """Refuses pairs whose split has changed between them: data of one name and settings."""
    known: dict[str, tuple[RunDirectory, Any]] = {}
    for run in runs:
        found = (splits_of(run) or {}).get(split)
        if found is None:
            continue
        config = run.read_config()
        training = config["training"]
        named = repr((config["data"], training.get("max_examples"), training.get("seed", 0)))
        first, of_first = known.setdefault(named, (run, found))
        if found != of_first:
            raise InputError(
                f"Expected runs whose {split} split is the same; that of "
                f"{config['data'].get('source')} has changed between them. "
                f"Received: {first.path} and {run.path}"
            )


def _scores(run: RunDirectory, split: str) -> Mapping[str, float]:
    if not lexists(run.metrics_file):
        raise InputError(
            f"Expected finished runs (`{shell_command('lsk', 'train', '--resume', run.path)}`). "
            f"Received: {run.path}, which has no scores yet"
        )
    splits = run.read_metrics().splits
    if split not in splits:
        raise InputError(
            f"Expected a split that all runs have; {run.path} has {', '.join(splits) or 'none'}. "
            f"Received: {split!r}"
        )
    return splits[split]
