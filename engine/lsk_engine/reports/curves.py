"""The charts of a report, drawn from the numbers that runs keep."""

import math
import statistics
from collections.abc import Iterable, Iterator, Mapping, Sequence

from lsk_engine.reports.charts import Chart, Point, Reference, Series
from lsk_engine.reports.groups import Group
from lsk_engine.reports.run_files import ReadRun, swept_temperatures
from lsk_engine.runs.schemas import SweepPoint
from lsk_engine.studies.study_result import CurvePoint

_FAR = 2.5  # log N so many times above the curves would flatten them
# What the numbers of history are called in a title and, with their unit, on an axis.
QUANTITIES = {
    "loss": ("Loss", "Loss as trained (nats)"),
    "nll": ("NLL", "−log p(label), unsmoothed (nats)"),
    "accuracy": ("Accuracy", "Share of positions"),
    "ece": ("ECE", "Expected calibration error"),
    "perplexity": ("Perplexity", "exp(NLL)"),
    "brier": ("Brier score", "Mean Σ (p − y)²"),
}
_CURVES = ("teacher", "student alone", "student of hard teacher", "student of smoothed teacher")


def learning_curves(groups: Sequence[Group]) -> Iterator[Chart]:
    """Yields a chart for each quantity of history: of one run both splits, of several one each."""
    runs = [run for group in groups for run in group.runs]
    found = [(split, entry[split]) for run in runs for entry in run.history for split in _PARTS]  # type: ignore[literal-required]
    names = dict.fromkeys(name for _, values in found for name in values)
    for name in names:
        short, label = QUANTITIES.get(name, (name, name))
        if len(runs) == 1:
            series = [
                Series(what, points, look=look)
                for look, (split, what) in enumerate(_PARTS.items())
                if (points := _history(runs[0], split, name))
            ]
            if series:
                what = " and ".join(one.name for one in series)
                yield Chart(f"{short}, {what}", "Training step", label, series)
            continue
        for split, what in _PARTS.items():
            series = [
                Series(group.label, points, look=group.look)
                for group in groups
                for run in group.runs
                if (points := _history(run, split, name))
            ]
            if series:
                note = _of_seeds(groups)
                yield Chart(f"{short}, {what}", "Training step", label, series, note=note)


def temperature_curves(groups: Sequence[Group]) -> Iterator[Chart]:
    """Yields a chart for each split and number of what `lsk sweep-temperature` has scored."""
    runs = [run for group in groups for run in group.runs]
    for split in dict.fromkeys(split for run in runs for split in run.sweeps):
        labels: dict[str, str] = {}
        for run in runs:
            for point in run.sweeps.get(split, ()):
                labels |= point.labels
        series: dict[str, list[Series]] = {}
        for group in groups:
            for run in group.runs:
                for name, points in _searches(run.sweeps.get(split, ())).items():
                    label = f"{group.label}{name}"
                    for number, one in _of_sweep(label, group.look, points, labels).items():
                        series.setdefault(number, []).append(one)
        for number, of_number in series.items():
            what = labels.get(number) or {"nll": "NLL (nats a label)", "ece": "ECE"}[number]
            note = "Bands are 95 % intervals." if any(one.intervals for one in of_number) else ""
            yield Chart(f"{what}, {split}", "Temperature T", what, of_number, note=note)


def information_curves(groups: Sequence[Group]) -> Iterator[Chart]:
    """Yields the chart of mutual information, if a run has been probed."""
    series = [
        Series(
            group.label,
            [(p.step, p.mutual_information) for p in run.information],
            [(p.low, p.high) for p in run.information],
            look=group.look,
        )
        for group in groups
        for run in group.runs
        if run.information
    ]
    if not series:
        return
    sizes = {p.num_examples for g in groups for run in g.runs for p in run.information}
    highest = max(max(high for _, high in one.intervals) for one in series)
    lines = {"log 2 (the class alone)": math.log(2)}
    lines |= {f"log N (N = {n})": math.log(n) for n in sorted(sizes) if n > 1}
    near = {name: y for name, y in lines.items() if y <= max(_FAR * highest, math.log(2))}
    far = [
        f"{name}: {y:.2f} nats, above the chart" for name, y in lines.items() if name not in near
    ]
    yield Chart(
        "Mutual information of examples and logits",
        "Training step",
        "Mutual information (nats)",
        series,
        [Reference(name, ((math.nan, y), (math.nan, y))) for name, y in near.items()],
        note="; ".join(["Bands are 95 % intervals", *far]) + ".",
    )


def distillation_chart(points: Sequence[CurvePoint], label: str) -> Chart:
    """Returns Figure 5: a score against equivalent smoothing, a line a curve.

    Args:
        points: A point a network.
        label: What the score is called.
    """
    series = []
    curves = [*_CURVES, *dict.fromkeys(p.curve for p in points if p.curve not in _CURVES)]
    for look, curve in enumerate(curves):
        seeds = sorted(seeds_of(points, curve).values(), key=_gamma)
        if seeds:
            series.append(
                Series(
                    curve,
                    [(_gamma(of), statistics.fmean(p.score for p in of)) for of in seeds],
                    [(min(p.score for p in of), max(p.score for p in of)) for of in seeds],
                    look=look,
                )
            )
    return Chart(
        "Teachers and students (the paper’s Figure 5)",
        "Equivalent smoothing γ",
        label,
        series,
        bars=True,
        note="A point is the mean over seeds, its bar goes from the least to the most.",
    )


def seeds_of(
    points: Iterable[CurvePoint], curve: str
) -> dict[tuple[float, float], list[CurvePoint]]:
    """Returns the networks of a curve by their α and T."""
    found: dict[tuple[float, float], list[CurvePoint]] = {}
    for point in points:
        if point.curve == curve:
            found.setdefault((point.alpha, point.temperature), []).append(point)
    return found


_PARTS = {"train": "training", "validation": "validation"}


def _of_seeds(groups: Sequence[Group]) -> str:
    several = any(len(group.runs) > 1 for group in groups)
    return "A line is a run; those of one color differ in their seed." if several else ""


def _gamma(points: Sequence[CurvePoint]) -> float:
    return statistics.fmean(point.gamma for point in points)


def _history(run: ReadRun, split: str, name: str) -> list[Point]:
    return [
        (float(entry["step"]), value)
        for entry in run.history
        if math.isfinite(value := entry[split].get(name, math.nan))  # type: ignore[literal-required]
    ]


def _searches(points: Iterable[SweepPoint]) -> dict[str, list[SweepPoint]]:
    """Returns points by what they are called: those of one model and search belong together."""
    found = swept_temperatures(points)
    if len(found) == 1:
        return {"": found[0]}
    return {f", sweep {n}": of_search for n, of_search in enumerate(found, 1)}


def _of_sweep(
    name: str, look: int, points: Sequence[SweepPoint], labels: Mapping[str, str]
) -> dict[str, Series]:
    """Returns a series for each number that all points have: scores, then ECE and NLL."""
    rows = sorted(points, key=lambda point: point.temperature)
    found = {}
    for number in labels:
        values = [(p.temperature, p.values.get(number, math.nan)) for p in rows]
        if all(math.isfinite(y) for _, y in values):
            ends = [p.intervals[number] for p in rows if number in p.intervals]
            ends = [pair for pair in ends if all(map(math.isfinite, pair))]
            found[number] = Series(name, values, ends if len(ends) == len(rows) else (), look)
    for number in ("ece", "nll"):
        kept = [(p.temperature, getattr(p, number)) for p in rows]
        if all(value is not None and math.isfinite(value) for _, value in kept):
            found[number] = Series(name, kept, look=look)
    return found
