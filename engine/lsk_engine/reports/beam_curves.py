"""The charts of sweeps over beams, drawn from the points that runs keep."""

import math
from collections.abc import Iterator, Sequence

from lsk_engine.reports.charts import Chart, Series
from lsk_engine.reports.groups import Group
from lsk_engine.reports.swept import swept_beams


def beam_curves(groups: Sequence[Group]) -> Iterator[Chart]:
    """Yields a chart for each split and score of what `lsk sweep-beams` has found.

    Args:
        groups: The runs.
    """
    runs = [run for group in groups for run in group.runs]
    for split in dict.fromkeys(split for run in runs for split in run.sweeps):
        swept = [
            (group.label, search, points)
            for group in groups
            for run in group.runs
            for search, points in swept_beams(run.sweeps.get(split, ())).items()
        ]
        several = len({search.temperature for _, search, _ in swept}) > 1
        beams = sorted({point.beam_size or 0 for _, _, points in swept for point in points})
        labels: dict[str, str] = {}
        for _, _, points in swept:
            for point in points:
                labels |= point.labels
        looks: dict[str, int] = {}
        series: dict[str, list[Series]] = {}
        for label, search, points in swept:
            name = label
            if search.undone_alpha:
                name += f", α = {search.undone_alpha:g} undone"
            if several:
                name += f", T = {search.temperature:g}"
            look = looks.setdefault(name, len(looks))
            for score in labels:
                values = [
                    (float(beams.index(point.beam_size or 0)), point.values[score])
                    for point in points
                    if math.isfinite(point.values.get(score, math.nan))
                ]
                if len(values) == len(points):
                    ends = [p.intervals[score] for p in points if score in p.intervals]
                    ends = ends if len(ends) == len(points) else []
                    series.setdefault(score, []).append(Series(name, values, ends, look))
        for score, of_score in series.items():
            yield Chart(
                f"{labels[score]}, {split}",
                "Number of beams",
                labels[score],
                of_score,
                bars=True,
                note="Bars are 95 % intervals." if any(one.intervals for one in of_score) else "",
                x_names={float(i): f"{beam_size:,}" for i, beam_size in enumerate(beams)},
            )
