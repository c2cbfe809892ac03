"""Reliability diagrams of a report, drawn from the bins that runs keep."""

import dataclasses
import math
import statistics
from collections.abc import Iterator, Sequence

from lsk_engine.reports.charts import Chart, Reference, Series
from lsk_engine.reports.groups import Group
from lsk_engine.reports.run_files import ReadRun
from lsk_engine.runs.schemas import ReliabilityBin

WIDE = 0.3  # an interval so wide says little, as `ls_keras.plots.reliability_plot_data` has it
MOST_CURVES = 6  # more are not told apart
_FADED = "Faded: few examples, 95 % interval wider than 0.3."


@dataclasses.dataclass(frozen=True)
class _Curve:
    """A curve of a model of one run or, pooled, of all of a group.

    Attributes:
        calibrated: Whether the model is scaled.
        group: The group it is of.
        runs: The bins of each run.
        name: What the legend calls it.
        look: Its color, dash and marker.
    """

    calibrated: bool
    group: Group
    runs: tuple[Sequence[ReliabilityBin], ...]
    name: str
    look: int


def reliability_diagrams(groups: Sequence[Group]) -> Iterator[Chart]:
    """Yields a diagram for each split: of one run before and after scaling, of several one each.

    Of more than six curves in a diagram, those of a group are drawn as one: their mean, and a band
    from the least accurate to the most.
    """
    runs = [run for group in groups for run in group.runs]
    alone = len(runs) == 1
    for split in dict.fromkeys(split for run in runs for split, _ in run.reliability):
        curves = [
            _Curve(
                calibrated,
                group,
                (run.reliability[split, calibrated],),
                _name(group, run, split, calibrated, alone=alone),
                int(calibrated) if alone else group.look,
            )
            for calibrated in (False, True)
            for group in groups
            for run in group.runs
            if (split, calibrated) in run.reliability
        ]
        for title, of_chart in _by_model(split, curves, alone=alone).items():
            pooled = len(of_chart) > MOST_CURVES
            shown = _pooled(of_chart) if pooled else of_chart
            series = [_series(one, pooled=pooled) for one in shown]
            series = [one for one in series if one.points]
            if series:
                yield _chart(title, series, groups, pooled=pooled)


def _chart(title: str, series: Sequence[Series], groups: Sequence[Group], *, pooled: bool) -> Chart:
    faded = any(any(one.faded) for one in series)
    if pooled:
        note = "Means of the runs that differ in their seed; bands: least to most accurate."
        series = [dataclasses.replace(one, columns=()) for one in series]
    elif len(series) <= 2:
        note = "Bars are 95 % intervals (Clopper–Pearson); columns: the share of each bin."
        series = _side_by_side(series)
    else:  # bars and columns of many curves would hide them all
        several = any(len(group.runs) > 1 for group in groups)
        note = "A line is a run; those of one color differ in their seed." if several else ""
        series = [dataclasses.replace(one, columns=(), intervals=()) for one in series]
    return Chart(
        title,
        "Confidence (largest probability)",
        "Accuracy (share of positions)",
        series,
        [Reference("perfectly calibrated", ((0.0, 0.0), (1.0, 1.0)))],
        bars=not pooled,
        limits=((0.0, 1.0), (0.0, 1.0)),
        note=f"{note} {_FADED}".strip() if faded else note,
    )


def _name(group: Group, run: ReadRun, split: str, calibrated: bool, *, alone: bool) -> str:
    name = ("scaled" if calibrated else "as trained") if alone else group.label
    errors = [b.ece for b in run.reliability[split, calibrated] if b.ece is not None]
    if errors and len(group.runs) == 1:
        name += f": ECE {errors[0]:.3f}"
    if alone and calibrated and run.calibration and run.calibration.temperature is not None:
        name += f", T {run.calibration.temperature:.2f}"
    return name


def _by_model(split: str, curves: Sequence[_Curve], *, alone: bool) -> dict[str, list[_Curve]]:
    """Returns the curves of each diagram by its title."""
    if alone:
        return {f"Reliability, {split}": [*curves]}
    found: dict[str, list[_Curve]] = {}
    for one in curves:
        model = "after scaling" if one.calibrated else "as trained"
        found.setdefault(f"Reliability, {split}, {model}", []).append(one)
    return found


def _pooled(curves: Sequence[_Curve]) -> Iterator[_Curve]:
    """Yields one curve a group; runs whose bins are others than those of the first are left out."""
    for label in dict.fromkeys(one.group.label for one in curves):
        first, *more = [one for one in curves if one.group.label == label]
        edges = [(b.edge_low, b.edge_high) for b in first.runs[0]]
        runs = [
            bins
            for one in (first, *more)
            for bins in one.runs
            if [(b.edge_low, b.edge_high) for b in bins] == edges
        ]
        errors = [bins[0].ece for bins in runs if bins[0].ece is not None]
        name = f"{label}: ECE {statistics.fmean(errors):.3f}" if errors else label
        yield dataclasses.replace(first, runs=tuple(runs), name=name)


def _series(one: _Curve, *, pooled: bool) -> Series:
    points, intervals, faded = [], [], []
    for bins in zip(*one.runs, strict=True):
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
        if pooled:  # of a single run, no band
            accuracies = [float(row[2]) for row in known]
            intervals.append((min(accuracies), max(accuracies)))
        else:
            intervals.append((float(known[0][3]), float(known[0][4])))
    columns = _shares(one.runs[0])
    return Series(one.name, points, intervals, one.look, columns, faded=faded)


def _shares(bins: Sequence[ReliabilityBin]) -> list[tuple[float, float, float]]:
    total = sum(b.count for b in bins)
    if not 0 < total < math.inf:
        return []
    return [(b.edge_low, b.edge_high, b.count / total) for b in bins if b.count > 0]


def _side_by_side(series: Sequence[Series]) -> list[Series]:
    """Returns the series, each with its part of the width of a bin for its columns."""
    found = []
    for i, one in enumerate(series):
        columns = []
        for low, high, height in one.columns:
            width = (high - low) / len(series)
            columns.append((low + i * width, low + (i + 1) * width, height))
        found.append(dataclasses.replace(one, columns=columns))
    return found
