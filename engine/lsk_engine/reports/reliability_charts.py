"""The reliability diagrams of a report, from the bins stored in runs."""

import dataclasses
import math
import statistics
from collections.abc import Iterator, Mapping, Sequence

from lsk_engine.reports.charts import Chart, Reference, Series
from lsk_engine.reports.run_collections import MOST_CURVES, Group
from lsk_engine.reports.run_files import ReadRun
from lsk_engine.runs.schemas import ReliabilityBin

WIDE = 0.3  # a bin with a wider interval is faded, as in `ls_keras.plots.reliability_plot_data`
_FADED = "Faded: few examples, 95 % interval wider than 0.3."
_Bins = Sequence[ReliabilityBin]


@dataclasses.dataclass(frozen=True)
class _Curve:
    """A curve of one run, or of all runs of a group pooled.

    Attributes:
        name: The name in the legend.
        look: The number of the color, dash pattern and marker.
        group: The label of the group.
        runs: The bins of each run.
    """

    name: str
    look: int
    group: str
    runs: Sequence[_Bins]


def reliability_diagrams(groups: Sequence[Group]) -> Iterator[Chart]:
    """Yields the diagrams of each split.

    One run has one diagram, before and after calibration. Several runs have a diagram of the models
    as trained and one of the calibrated models; beyond six curves, the seeds of a group are pooled
    into their mean, with a band from the lowest accuracy to the highest.

    Args:
        groups: The runs.
    """
    runs = [run for group in groups for run in group.runs]
    several = any(len(group.runs) > 1 for group in groups)
    for split in dict.fromkeys(split for run in runs for split, _ in run.reliability):
        if len(runs) == 1:
            curves = [
                _Curve(_name(runs[0], split, calibrated), int(calibrated), "", [bins])
                for calibrated in (False, True)
                if (bins := runs[0].reliability.get((split, calibrated)))
            ]
            diagrams = {f"Reliability, {split}": curves}
        else:
            diagrams = {
                f"Reliability, {split}, {model}": [
                    _Curve(
                        group.label + _ece([bins]) * (len(group.runs) == 1),
                        group.look,
                        group.label,
                        [bins],
                    )
                    for group in groups
                    for run in group.runs
                    if (bins := run.reliability.get((split, calibrated)))
                ]
                for calibrated, model in ((False, "as trained"), (True, "after scaling"))
            }
        yield from _charts(diagrams, several=several)


def _charts(diagrams: Mapping[str, Sequence[_Curve]], *, several: bool) -> Iterator[Chart]:
    for title, curves in diagrams.items():
        pooled = len(curves) > MOST_CURVES
        shown = _pool(curves) if pooled else curves
        series = [one for curve in shown if (one := _series(curve, pooled=pooled)).points]
        note = "A line is a run; lines of one color differ only in their seed." if several else ""
        if pooled:
            note = "Means over seeds; bands: lowest to highest accuracy."
            series = [dataclasses.replace(one, columns=()) for one in series]
        elif len(series) <= 2:
            note = "Bars are 95 % intervals (Clopper–Pearson); columns: the share of each bin."
            series = [_narrow_columns(one, i, len(series)) for i, one in enumerate(series)]
        else:  # bars and columns of many curves would hide them
            series = [dataclasses.replace(one, columns=(), intervals=()) for one in series]
        if any(any(one.faded) for one in series):
            note = f"{note} {_FADED}".strip()
        if series:
            yield Chart(
                title,
                "Confidence (largest probability)",
                "Accuracy (share of positions)",
                series,
                [Reference("perfectly calibrated", ((0.0, 0.0), (1.0, 1.0)))],
                bars=not pooled,
                limits=((0.0, 1.0), (0.0, 1.0)),
                note=note,
            )


def _name(run: ReadRun, split: str, calibrated: bool) -> str:
    name = ("scaled" if calibrated else "as trained") + _ece([run.reliability[split, calibrated]])
    temperature = run.calibration.temperature if run.calibration else None
    return name + (f", T {temperature:.2f}" if calibrated and temperature is not None else "")


def _ece(runs: Sequence[_Bins]) -> str:
    errors = [bins[0].ece for bins in runs if bins[0].ece is not None]
    return f": ECE {statistics.fmean(errors):.3f}" if errors else ""


def _pool(curves: Sequence[_Curve]) -> Iterator[_Curve]:
    """Yields one curve for each group; runs with other bins than the first run are left out."""
    for group in dict.fromkeys(one.group for one in curves):
        first, *more = [one for one in curves if one.group == group]
        runs = [bins for one in (first, *more) for bins in one.runs]
        runs = [bins for bins in runs if _edges(bins) == _edges(runs[0])]
        yield dataclasses.replace(first, runs=runs, name=group + _ece(runs))


def _edges(bins: _Bins) -> list[tuple[float, float]]:
    return [(b.edge_low, b.edge_high) for b in bins]


def _series(curve: _Curve, *, pooled: bool) -> Series:
    points, intervals, faded = [], [], []
    for bins in zip(*curve.runs, strict=True):
        known = [
            (b.count, b.confidence, b.accuracy, b.accuracy_low, b.accuracy_high)
            for b in bins
            if None not in (b.confidence, b.accuracy, b.accuracy_low, b.accuracy_high)
        ]
        total = sum(count for count, *_ in known)
        if not 0 < total < math.inf:
            continue
        confidence, accuracy = (
            sum(row[0] / total * float(row[n]) for row in known) for n in (1, 2)
        )
        points.append((confidence, accuracy))
        widths = [float(high) - float(low) for *_, low, high in known]
        widths += [1.0] * (len(bins) - len(known))
        faded.append(statistics.fmean(widths) > WIDE)
        low, high = (2, 2) if pooled else (3, 4)  # pooled, the band spans the accuracies
        intervals.append(
            (min(float(row[low]) for row in known), max(float(row[high]) for row in known))
        )
    counts = [b.count for b in curve.runs[0]]
    columns = [
        (b.edge_low, b.edge_high, b.count / sum(counts))
        for b in curve.runs[0]
        if b.count > 0 and sum(counts) < math.inf
    ]
    return Series(curve.name, points, intervals, curve.look, columns, faded)


def _narrow_columns(series: Series, i: int, number: int) -> Series:
    """Returns the series number i of several, with its share of the width of each column."""
    columns = []
    for low, high, height in series.columns:
        width = (high - low) / number
        columns.append((low + i * width, low + (i + 1) * width, height))
    return dataclasses.replace(series, columns=columns)
