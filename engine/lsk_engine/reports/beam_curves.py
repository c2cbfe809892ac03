"""The charts of sweeps over beams, drawn from the points that runs keep."""

import math
from collections.abc import Iterator, Mapping, Sequence

from lsk_engine.reports.charts import Chart, Series
from lsk_engine.reports.groups import Group
from lsk_engine.reports.run_files import ReadRun, Search, swept_beams
from lsk_engine.runs.schemas import SweepPoint

_Swept = tuple[str, list[SweepPoint]]  # what a line is called, and its points


def beam_curves(groups: Sequence[Group]) -> Iterator[Chart]:
    """Yields a chart for each split and score of what `lsk sweep-beams` has found.

    A line is drawn of the scores that all its points have.

    Args:
        groups: The runs.
    """
    runs = [run for group in groups for run in group.runs]
    for split in dict.fromkeys(split for run in runs for split in run.sweeps):
        lines = [
            (group.label + name, points)
            for group in groups
            for run in group.runs
            for name, points in _named(run, split)
        ]
        looks = {name: look for look, name in enumerate(dict.fromkeys(name for name, _ in lines))}
        labels: dict[str, str] = {}
        for _, points in lines:
            for point in points:
                labels |= point.labels
        for score, label in labels.items():
            drawn = [line for line in lines if all(_has(point, score) for point in line[1])]
            if drawn:
                yield _chart(f"{label}, {split}", score, label, drawn, looks)


def _named(run: ReadRun, split: str) -> Iterator[_Swept]:
    """Yields the sweeps of a run, each called by what tells it from the others."""
    swept = swept_beams(run.sweeps.get(split, ()))
    models = list(dict.fromkeys(search.elsewise for search in swept))
    several = len({search.temperature for search in swept}) > 1

    def name(search: Search) -> str:
        undone, temperature = search.undone_alpha, search.temperature
        number = models.index(search.elsewise) + 1
        return (
            f", α = {undone:g} undone" * bool(undone)
            + f", T = {temperature:g}" * several
            + f", sweep {number}" * (len(models) > 1)
        )

    for search, points in swept.items():
        yield name(search), points


def _chart(
    title: str, score: str, label: str, lines: Sequence[_Swept], looks: Mapping[str, int]
) -> Chart:
    beams = sorted({point.beam_size or 0 for _, points in lines for point in points})
    series = []
    for name, points in lines:
        values = [(float(beams.index(p.beam_size or 0)), p.values[score]) for p in points]
        ends = [point.intervals[score] for point in points if score in point.intervals]
        series.append(Series(name, values, ends if len(ends) == len(points) else (), looks[name]))
    return Chart(
        title,
        "Number of beams",
        label,
        series,
        bars=True,
        note="Bars are 95 % intervals." if any(one.intervals for one in series) else "",
        x_names={float(i): f"{beam_size:,}" for i, beam_size in enumerate(beams)},
    )


def _has(point: SweepPoint, score: str) -> bool:
    return math.isfinite(point.values.get(score, math.nan))
