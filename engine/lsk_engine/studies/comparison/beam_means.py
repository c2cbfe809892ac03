"""What a sweep over beams found, runs that are alike but for their seed together."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

from lsk_engine.studies.claims import interval
from lsk_engine.studies.comparison.seed_groups import SeedGroup
from lsk_engine.studies.settings_diff import without_seed
from lsk_engine.studies.text_tables import heading

BY_BEAM, BY_UNDOING = "from_smallest_beam", "from_undoing"  # differences of the first score


def beam_means(
    rows: Sequence[Mapping[str, Any]], groups: Sequence[SeedGroup], scores: Sequence[str]
) -> list[dict[str, Any]]:
    """Returns a row a group of runs, α undone and number of beams.

    Args:
        rows: Those of `lsk_engine.scoring.beam_sweep.sweep_beams`.
        groups: The groups of their runs.
        scores: The names of the scores; differences are told of the first.

    Returns:
        Rows with `name`, `seeds`, `undone_alpha`, `beam_size`, and of each score the mean and the
        ends of its 95 % interval, `<score>_low` and `<score>_high`: by Student's t over the seeds;
        of one run over its examples, if it is known. So is `from_smallest_beam`, the first score
        less that of the smallest beam, and `from_undoing`, less that of as many beams with nothing
        undone; both paired by run. What is not known, or can't be, is `None`.
    """
    found = []
    for group, label in zip(groups, _labels(groups), strict=True):
        paths = [str(run.path) for run in group.runs.values()]
        of_group = [row for row in rows if row["run"] in paths]
        searched: dict[tuple[float, int], list[Mapping[str, Any]]] = {}
        for row in of_group:
            searched.setdefault((row["undone_alpha"], row["beam_size"]), []).append(row)
        smallest = min(beam_size for _, beam_size in searched)
        for (alpha, beam_size), of_search in searched.items():
            own = all(alpha == row["alpha"] for row in of_search)
            undoing = f"{'' if own else f'α = {alpha:g} '}undone" if alpha else ""
            row = {
                "name": ", ".join(part for part in (label, undoing) if part) or "as it is",
                "seeds": len(of_search),
                "undone_alpha": alpha,
                "beam_size": beam_size,
            }
            for score in scores:
                row |= _mean(score, of_search)
            for name, other in ((BY_BEAM, (alpha, smallest)), (BY_UNDOING, (0.0, beam_size))):
                compared = searched.get(other, []) if other != (alpha, beam_size) else []
                row |= _difference(name, scores[0], of_search, compared)
            found.append(row)
    return found


def _labels(groups: Sequence[SeedGroup]) -> list[str]:
    """Returns what groups are called: by their settings, or, where these read alike, by folder."""
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
    return _told(score, mean, low, high)


def _difference(
    name: str,
    score: str,
    rows: Sequence[Mapping[str, Any]],
    others: Sequence[Mapping[str, Any]],
) -> dict[str, float | None]:
    before = {row["run"]: row[score] for row in others}
    differences = [row[score] - before[row["run"]] for row in rows if row["run"] in before]
    return _told(name, *interval(differences))


def _told(name: str, mean: float, low: float, high: float) -> dict[str, float | None]:
    values = {name: mean, f"{name}_low": low, f"{name}_high": high}
    return {key: value if math.isfinite(value) else None for key, value in values.items()}
