"""Compares finished runs: settings that differ, scores, and differences paired by seed."""

import dataclasses
import math
from collections.abc import Collection, Mapping, Sequence
from os.path import lexists
from typing import Any, Literal

from ls_base.errors import InputError, shell_command
from lsk_engine.runs.run_directory import RunDirectory
from lsk_engine.settings.parsing import flat
from lsk_engine.studies.claims import interval
from lsk_engine.studies.jobs import read_split_fingerprints
from lsk_engine.studies.settings_diff import SEED, comparable_settings, differing_keys

_COMMON = {"accuracy": "accuracy", "nll": "NLL (nats)", "ece": "ECE", "brier": "Brier"}
_BETTER: Mapping[str, Literal["less", "more"]] = {
    "accuracy": "more",
    "nll": "less",
    "ece": "less",
    "brier": "less",
}


@dataclasses.dataclass(frozen=True)
class SeedGroup:
    """Runs that differ only in their seed.

    Attributes:
        settings: The settings in which groups differ, by dotted key.
        runs: The runs by seed, in the order of the seeds.
    """

    settings: Mapping[str, Any]
    runs: Mapping[int, RunDirectory]


@dataclasses.dataclass(frozen=True)
class ScoredGroup:
    """Scores of runs that differ only in their seed.

    Attributes:
        settings: The settings in which groups differ, by dotted key.
        runs: The run directories, by seed.
        scores: By name, the values of a score by seed.
    """

    settings: Mapping[str, Any]
    runs: Mapping[int, str]
    scores: Mapping[str, Mapping[int, float]]


@dataclasses.dataclass(frozen=True)
class Comparison:
    """The result of `compare_runs`.

    Attributes:
        split: The split of the scores.
        labels: The label of each score.
        groups: The groups; the others are compared with the first.
        better: Whether less or more of a score is better, as far as it is known.
    """

    split: str
    labels: Mapping[str, str]
    groups: tuple[ScoredGroup, ...]
    better: Mapping[str, Literal["less", "more"]] = dataclasses.field(default_factory=dict)

    def difference(self, score: str, group: ScoredGroup) -> tuple[float, float, float]:
        """Returns the mean difference from the first group, and its 95 % interval.

        The interval is Student's t over the seeds that both groups have, without correction for
        multiple comparisons.
        """
        first, other = self.groups[0].scores[score], group.scores[score]
        return interval([other[seed] - first[seed] for seed in sorted(first.keys() & other.keys())])

    def to_dict(self) -> dict[str, Any]:
        """Returns the comparison as a dictionary for JSON; NaN becomes `None`."""
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
        runs: The runs; those that differ only in their seed form a group.
        split: The split of the scores.

    Raises:
        InputError: If there is no run, a run is given twice, tasks differ, a run is not finished or
            has no such split, two runs do not differ, or the data of a split have changed between
            two runs.
        FileError: If there is no run at a path.
    """
    found = group_by_seed(runs)
    _check_same_data(runs, split)
    scores = {run.path: _scores(run, split) for run in runs}
    labels = {
        name: label
        for name, label in {**runs[0].read_metrics().labels, **_COMMON}.items()
        if all(name in values for values in scores.values())
    }
    groups = [
        ScoredGroup(
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


def _check_same_data(runs: Sequence[RunDirectory], split: str) -> None:
    """Raises an error if a split has changed between two runs with the same data settings."""
    known: dict[str, tuple[RunDirectory, Any]] = {}
    for run in runs:
        found = (read_split_fingerprints(run) or {}).get(split)
        if found is None:
            continue
        config = run.read_config()
        training = config["training"]
        key = repr((config["data"], training.get("max_examples"), training.get("seed", 0)))
        first, expected = known.setdefault(key, (run, found))
        if found != expected:
            raise InputError(
                f"Expected runs with the same {split} split; that of "
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


def group_by_seed(
    runs: Sequence[RunDirectory], *, without: Collection[str] = ()
) -> list[SeedGroup]:
    """Groups runs that differ only in their seed, in the order of the groups' first runs.

    Args:
        runs: Runs of one task.
        without: Further settings, by dotted key, in which the runs of a group may differ.

    Raises:
        InputError: If there is no run, a run is given twice, tasks differ, or two runs do not
            differ at all.
        FileError: If there is no run at a path.
    """
    if not runs or len({run.path.resolve() for run in runs}) < len(runs):
        raise InputError(
            f"Expected one or more different runs. Received: {[str(run.path) for run in runs]}"
        )
    configs = [flat(run.read_config()) for run in runs]
    tasks = sorted({str(config["task"]) for config in configs})
    if len(tasks) > 1:
        raise InputError(f"Expected runs of one task. Received: {', '.join(tasks)}")
    found: dict[str, dict[int, RunDirectory]] = {}
    settings: dict[str, dict[str, Any]] = {}
    for run, config in zip(runs, configs, strict=True):
        seed = config.get(SEED, 0)
        comparable = comparable_settings(config)
        comparable = {name: value for name, value in comparable.items() if name not in without}
        key = repr(sorted(comparable.items()))
        settings[key] = comparable
        group = found.setdefault(key, {})
        if seed in group:
            raise InputError(
                f"Expected runs that differ in a setting or the seed. Received: {run.path} and "
                f"{group[seed].path}"
            )
        group[seed] = run
    names = differing_keys(list(settings.values()))
    return [
        SeedGroup({name: settings[key].get(name) for name in names}, dict(sorted(group.items())))
        for key, group in found.items()
    ]
