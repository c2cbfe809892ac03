"""Compares finished runs: settings that differ, scores, and differences paired by seed.

Also the means of a sweep over numbers of beams, over runs that differ only in their seed.
"""

import dataclasses
import math
from collections.abc import Collection, Mapping, Sequence
from os.path import lexists
from typing import Any, Literal

from ls_base.errors import InputError, shell_command
from ls_base.files import nan_to_none
from lsk_engine.runs.run_directory import RunDirectory
from lsk_engine.settings.parsing import flat
from lsk_engine.studies.claims import interval
from lsk_engine.studies.jobs import check_same_data
from lsk_engine.studies.settings_diff import (
    SEED,
    comparable_settings,
    differing_keys,
    heading,
    without_seed,
)

BY_BEAM, BY_UNDOING = "from_smallest_beam", "from_undoing"  # differences of the first score
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
        scores: By name, the values of a score by seed.
    """

    settings: Mapping[str, Any]
    runs: Mapping[int, RunDirectory]
    scores: Mapping[str, Mapping[int, float]] = dataclasses.field(default_factory=dict)


@dataclasses.dataclass(frozen=True)
class Comparison:
    """The result of `compare_runs`.

    Attributes:
        split: The split of the scores.
        labels: The label of each score.
        groups: The groups; the others are compared with the first.
        better: Whether less or more of a score is better, if known.
    """

    split: str
    labels: Mapping[str, str]
    groups: tuple[SeedGroup, ...]
    better: Mapping[str, Literal["less", "more"]] = dataclasses.field(default_factory=dict)

    def difference(self, score: str, group: SeedGroup) -> tuple[float, float, float]:
        """Returns the mean difference from the first group, and its 95 % interval.

        The interval is Student's t over the seeds that both groups have, without correction for
        multiple comparisons.
        """
        first, other = self.groups[0].scores[score], group.scores[score]
        return interval([other[seed] - first[seed] for seed in sorted(first.keys() & other.keys())])

    def to_dict(self) -> dict[str, Any]:
        """Returns the comparison as a dictionary for JSON; NaN becomes `None`."""
        groups: list[dict[str, Any]] = []
        for group in self.groups:
            runs = {seed: str(run.path) for seed, run in group.runs.items()}
            found = {"settings": group.settings, "runs": runs, "scores": group.scores}
            if groups:
                found["differences"] = {s: self.difference(s, group) for s in self.labels}
            groups.append(found)
        content = {"schema": 1, "split": self.split, "labels": dict(self.labels), "groups": groups}
        return nan_to_none(content)


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
    check_same_data(runs, split)
    scores = {run.path: _scores(run, split) for run in runs}
    labels = {
        name: label
        for name, label in {**runs[0].read_metrics().labels, **_COMMON}.items()
        if all(name in values for values in scores.values())
    }
    groups = [
        dataclasses.replace(
            group,
            scores={
                name: {seed: scores[run.path][name] for seed, run in group.runs.items()}
                for name in labels
            },
        )
        for group in found
    ]
    better = {**_BETTER, **(runs[0].read_metrics().better or {})}
    return Comparison(split, labels, tuple(groups), better)


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


def beam_means(
    rows: Sequence[Mapping[str, Any]], groups: Sequence[SeedGroup], scores: Sequence[str]
) -> list[dict[str, Any]]:
    """Returns a row for each group of runs, undone α and number of beams.

    Args:
        rows: Rows of `lsk_engine.scoring.sweeps.sweep_beams`.
        groups: The groups of their runs.
        scores: Names of the scores; differences are those of the first.

    Returns:
        Rows with `name`, `seeds`, `undone_alpha`, `beam_size`, and for each score the mean and the
        ends of its 95 % interval, `<score>_low` and `<score>_high`, by Student's t over the seeds
        (for one run over its examples, if known). `from_smallest_beam` is the difference of the
        first score from that of the smallest beam, `from_undoing` that from the same number of
        beams without undoing, both paired by run. Unknown values are `None`.
    """
    found = []
    for group, label in zip(groups, _labels(groups), strict=True):
        paths = [str(run.path) for run in group.runs.values()]
        group_rows = [row for row in rows if row["run"] in paths]
        searched: dict[tuple[float, int], list[Mapping[str, Any]]] = {}
        for row in group_rows:
            searched.setdefault((row["undone_alpha"], row["beam_size"]), []).append(row)
        smallest = min(beam_size for _, beam_size in searched)
        for (alpha, beam_size), same_search in searched.items():
            own = all(alpha == row["alpha"] for row in same_search)
            undoing = f"{'' if own else f'α = {alpha:g} '}undone" if alpha else ""
            row = {
                "name": ", ".join(part for part in (label, undoing) if part) or "unchanged",
                "seeds": len(same_search),
                "undone_alpha": alpha,
                "beam_size": beam_size,
            }
            for score in scores:
                row |= _mean(score, same_search)
            for name, other in ((BY_BEAM, (alpha, smallest)), (BY_UNDOING, (0.0, beam_size))):
                compared = searched.get(other, []) if other != (alpha, beam_size) else []
                row |= _difference(name, scores[0], same_search, compared)
            found.append(row)
    return found


def _labels(groups: Sequence[SeedGroup]) -> list[str]:
    """Returns the names of groups: their settings or, if these look the same, their folders."""
    paths = [next(iter(group.runs.values())).path for group in groups]
    choices = (
        [heading(group.settings) for group in groups],
        [without_seed(path.name) for path in paths],
        [str(path) for path in paths],
    )
    return next(labels for labels in choices if len(set(labels)) == len(labels))


def _mean(score: str, rows: Sequence[Mapping[str, Any]]) -> dict[str, float | None]:
    mean, low, high = interval([row[score] for row in rows])
    if len(rows) == 1:
        low, high = (rows[0].get(f"{score}_{end}", math.nan) for end in ("low", "high"))
    return nan_to_none({score: mean, f"{score}_low": low, f"{score}_high": high})


def _difference(
    name: str, score: str, rows: Sequence[Mapping[str, Any]], others: Sequence[Mapping[str, Any]]
) -> dict[str, float | None]:
    before = {row["run"]: row[score] for row in others}
    differences = [row[score] - before[row["run"]] for row in rows if row["run"] in before]
    mean, low, high = interval(differences)
    return nan_to_none({name: mean, f"{name}_low": low, f"{name}_high": high})
