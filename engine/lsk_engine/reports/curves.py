"""The line charts of a report, except reliability diagrams, from the numbers stored in runs."""

import math
import statistics
from collections.abc import Iterable, Iterator, Sequence

from lsk_engine.reports.charts import Chart, Point, Reference, Series
from lsk_engine.reports.run_collections import Group
from lsk_engine.reports.run_files import ReadRun, Search, swept_beams, swept_temperatures
from lsk_engine.runs.schemas import SweepPoint
from lsk_engine.studies.study_result import CurvePoint

# Quantities of the history: the name in a title, and the axis label with its unit.
QUANTITIES = {
    "loss": ("Loss", "Loss as trained (nats)"),
    "nll": ("NLL", "−log p(label), unsmoothed (nats)"),
    "accuracy": ("Accuracy", "Share of positions"),
    "ece": ("ECE", "Expected calibration error"),
    "perplexity": ("Perplexity", "exp(NLL)"),
    "brier": ("Brier score", "Mean Σ (p − y)²"),
}
_PARTS = {"train": "training", "validation": "validation"}
_CURVES = ("teacher", "student alone", "student of hard teacher", "student of smoothed teacher")
_MEASURES = {"ece": "ECE", "nll": "NLL (nats per label)"}  # of a temperature sweep, beside scores
_FAR = 2.5  # a reference line this many times above the curves is not drawn: it would flatten them


def learning_curves(groups: Sequence[Group]) -> Iterator[Chart]:
    """Yields a chart for each quantity of the history.

    One run has training and validation in the same chart; several runs have a chart for each.

    Args:
        groups: The runs.
    """
    runs = _runs(groups)
    histories = [entry[split] for run in runs for entry in run.history for split in _PARTS]  # type: ignore[literal-required]
    several = any(len(group.runs) > 1 for group in groups)
    note = "A line is a run; lines of one color differ only in their seed." if several else ""
    for name in dict.fromkeys(name for values in histories for name in values):
        short, label = QUANTITIES.get(name, (name, name))
        charts: dict[str, list[Series]] = {}
        for number, (split, part) in enumerate(_PARTS.items()):
            for group in groups:
                for run in group.runs:
                    if points := _history(run, split, name):
                        alone = len(runs) == 1
                        look = number if alone else group.look
                        series = Series(part if alone else group.label, points, look=look)
                        charts.setdefault("" if alone else part, []).append(series)
        for part, lines in charts.items():
            if any(len(one.points) > 1 for one in lines):  # single points are in the tables
                title = part or " and ".join(one.name for one in lines)
                yield Chart(f"{short}, {title}", "Training step", label, lines, note=note)


def temperature_curves(groups: Sequence[Group]) -> Iterator[Chart]:
    """Yields a chart for each split and each number that `lsk sweep-temperature` measured.

    Args:
        groups: The runs.
    """
    for split, labels in _swept(groups):
        lines = []
        for group in groups:
            for run in group.runs:
                searches = swept_temperatures(run.sweeps.get(split, ()))
                for number, points in enumerate(searches, 1):
                    name = f"{group.label}, sweep {number}" if len(searches) > 1 else group.label
                    ordered = sorted(points, key=lambda point: point.temperature)
                    lines.append((name, group.look, ordered))
        for measure, label in {**labels, **_MEASURES}.items():
            series = []
            for name, look, points in lines:
                values = [_value(point, measure) for point in points]
                if all(map(math.isfinite, values)):
                    at = [point.temperature for point in points]
                    ends = _intervals(points, measure)
                    series.append(Series(name, [*zip(at, values, strict=True)], ends, look))
            if series:
                note = "Bands are 95 % intervals." if any(one.intervals for one in series) else ""
                yield Chart(f"{label}, {split}", "Temperature T", label, series, note=note)


def beam_curves(groups: Sequence[Group]) -> Iterator[Chart]:
    """Yields a chart for each split and score that `lsk sweep-beams` measured.

    Args:
        groups: The runs.
    """
    for split, labels in _swept(groups):
        lines = [
            (group.label + name, points)
            for group in groups
            for run in group.runs
            for name, points in _searches(run, split)
        ]
        looks = {name: look for look, name in enumerate(dict.fromkeys(name for name, _ in lines))}
        for score, label in labels.items():
            shown = [
                (name, points)
                for name, points in lines
                if all(math.isfinite(_value(point, score)) for point in points)
            ]
            beams = sorted({point.beam_size or 0 for _, points in shown for point in points})
            series = [
                Series(
                    name,
                    [(float(beams.index(p.beam_size or 0)), _value(p, score)) for p in points],
                    _intervals(points, score),
                    looks[name],
                )
                for name, points in shown
            ]
            if series:
                yield Chart(
                    f"{label}, {split}",
                    "Number of beams",
                    label,
                    series,
                    bars=True,
                    note="Bars are 95 % intervals." * any(one.intervals for one in series),
                    x_names={float(i): f"{beam_size:,}" for i, beam_size in enumerate(beams)},
                )


def information_curves(groups: Sequence[Group]) -> Iterator[Chart]:
    """Yields the chart of mutual information, if `lsk probe` measured any run.

    Args:
        groups: The runs.
    """
    probed = [(group, run) for group in groups for run in group.runs if run.information]
    series = [
        Series(
            group.label,
            [(p.step, p.mutual_information) for p in run.information],
            [(p.low, p.high) for p in run.information],
            look=group.look,
        )
        for group, run in probed
    ]
    if not series:
        return
    sizes = {p.num_examples for _, run in probed for p in run.information}
    highest = max(high for one in series for _, high in one.intervals)
    levels = {"log 2 (the class alone)": math.log(2)}
    levels |= {f"log N (N = {n})": math.log(n) for n in sorted(sizes) if n > 1}
    near = {name: y for name, y in levels.items() if y <= max(_FAR * highest, math.log(2))}
    notes = ["Bands are 95 % intervals"]
    notes += [f"{n}: {y:.2f} nats, above the chart" for n, y in levels.items() if n not in near]
    yield Chart(
        "Mutual information of examples and logits",
        "Training step",
        "Mutual information (nats)",
        series,
        [Reference(name, ((math.nan, y), (math.nan, y))) for name, y in near.items()],
        note="; ".join(notes) + ".",
    )


def distillation_chart(points: Sequence[CurvePoint], label: str) -> Chart:
    """Returns the paper's Figure 5: a score against equivalent smoothing, a line for each curve.

    Args:
        points: The networks.
        label: The label of the score.
    """
    series = []
    curves = [*_CURVES, *dict.fromkeys(p.curve for p in points if p.curve not in _CURVES)]
    for look, curve in enumerate(curves):
        means = sorted(
            (
                statistics.fmean(p.gamma for p in seeds),
                statistics.fmean(p.score for p in seeds),
                (min(p.score for p in seeds), max(p.score for p in seeds)),
            )
            for seeds in group_seeds(points, curve).values()
        )
        if means:
            at = [(gamma, mean) for gamma, mean, _ in means]
            series.append(Series(curve, at, [ends for *_, ends in means], look=look))
    return Chart(
        "Teachers and students (the paper’s Figure 5)",
        "Equivalent smoothing γ",
        label,
        series,
        bars=True,
        note="A point is the mean over seeds; its bar spans the lowest to the highest seed.",
    )


def group_seeds(
    points: Iterable[CurvePoint], curve: str
) -> dict[tuple[float, float], list[CurvePoint]]:
    """Returns the networks of a curve by α and T.

    Args:
        points: The networks.
        curve: The name of the curve.
    """
    found: dict[tuple[float, float], list[CurvePoint]] = {}
    for point in points:
        if point.curve == curve:
            found.setdefault((point.alpha, point.temperature), []).append(point)
    return found


def _runs(groups: Sequence[Group]) -> list[ReadRun]:
    return [run for group in groups for run in group.runs]


def _history(run: ReadRun, split: str, name: str) -> list[Point]:
    return [
        (float(entry["step"]), value)
        for entry in run.history
        if math.isfinite(value := entry[split].get(name, math.nan))  # type: ignore[literal-required]
    ]


def _swept(groups: Sequence[Group]) -> Iterator[tuple[str, dict[str, str]]]:
    """Yields each split that was swept, with the labels of its scores."""
    runs = _runs(groups)
    for split in dict.fromkeys(split for run in runs for split in run.sweeps):
        labels: dict[str, str] = {}
        for run in runs:
            for point in run.sweeps.get(split, ()):
                labels |= point.labels
        yield split, labels


def _value(point: SweepPoint, number: str) -> float:
    value = point.values.get(number, getattr(point, number) if number in _MEASURES else None)
    return math.nan if value is None else value


def _intervals(points: Sequence[SweepPoint], number: str) -> list[Point]:
    """Returns the interval of each point; empty unless all are known."""
    ends = [point.intervals.get(number, (math.nan, math.nan)) for point in points]
    return ends if all(math.isfinite(end) for pair in ends for end in pair) else []


def _searches(run: ReadRun, split: str) -> Iterator[tuple[str, list[SweepPoint]]]:
    """Yields the beam sweeps of a run, each with what distinguishes it from the others."""
    swept = swept_beams(run.sweeps.get(split, ()))
    models = list(dict.fromkeys(search.search for search in swept))
    several = len({search.temperature for search in swept}) > 1

    def name(search: Search) -> str:
        alpha, number = search.undone_alpha, models.index(search.search) + 1
        return (
            f", α = {alpha:g} undone" * bool(alpha)
            + f", T = {search.temperature:g}" * several
            + f", sweep {number}" * (len(models) > 1)
        )

    for search, points in swept.items():
        yield name(search), points
