"""Means of a sweep over numbers of beams, over runs that differ only in their seed."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

from lsk_engine.studies.claims import interval
from lsk_engine.studies.comparison.compare_runs import SeedGroup
from lsk_engine.studies.settings_diff import without_seed
from lsk_engine.studies.text_tables import heading

BY_BEAM, BY_UNDOING = "from_smallest_beam", "from_undoing"  # differences of the first score


def beam_means(
    rows: Sequence[Mapping[str, Any]], groups: Sequence[SeedGroup], scores: Sequence[str]
) -> list[dict[str, Any]]:
    """Returns a row for each group of runs, undone α and number of beams.

    Args:
        rows: Rows of `lsk_engine.scoring.beam_sweep.sweep_beams`.
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
    labels = [heading(group.settings) for group in groups]
    if len(set(labels)) == len(labels):
        return labels
    paths = [next(iter(group.runs.values())).path for group in groups]
    labels = [without_seed(path.name) for path in paths]
    return labels if len(set(labels)) == len(labels) else [str(path) for path in paths]


def _mean(score: str, rows: Sequence[Mapping[str, Any]]) -> dict[str, float | None]:
    mean, low, high = interval([row[score] for row in rows])
    if len(rows) == 1:
        low, high = (rows[0].get(f"{score}_{end}", math.nan) for end in ("low", "high"))
    return _finite_or_none(score, mean, low, high)


def _difference(
    name: str,
    score: str,
    rows: Sequence[Mapping[str, Any]],
    others: Sequence[Mapping[str, Any]],
) -> dict[str, float | None]:
    before = {row["run"]: row[score] for row in others}
    differences = [row[score] - before[row["run"]] for row in rows if row["run"] in before]
    return _finite_or_none(name, *interval(differences))


def _finite_or_none(name: str, mean: float, low: float, high: float) -> dict[str, float | None]:
    values = {name: mean, f"{name}_low": low, f"{name}_high": high}
    return {key: value if math.isfinite(value) else None for key, value in values.items()}
