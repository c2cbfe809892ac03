"""The tables of scores: of runs, of runs side by side, of a study and its curves."""

import math
import statistics
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Literal

from ls_base.errors import LsKerasError
from lsk_engine.reports.blocks import Sentences
from lsk_engine.reports.curves import seeds_of
from lsk_engine.reports.groups import Group
from lsk_engine.reports.run_files import ReadRun
from lsk_engine.reports.tables import Cell, Column, Table, Value, decimals, with_interval
from lsk_engine.runs.schemas import Metrics
from lsk_engine.studies.settings_diff import SEED
from lsk_engine.studies.study_result import ClaimResult, CurvePoint, StudyResult
from lsk_engine.studies.text_tables import heading, of_split

if TYPE_CHECKING:
    from lsk_engine.studies.comparison.compare_runs import Comparison

Row = tuple[ReadRun, str, Metrics]  # a run, what its model is called, its scores
# What the engine measures of every task, after the task's own scores.
COMMON: Mapping[str, tuple[str, str]] = {
    "accuracy": ("accuracy", "more"),
    "nll": ("NLL (nats)", "less"),
    "perplexity": ("perplexity", "less"),
    "ece": ("ECE", "less"),
    "brier": ("Brier", "less"),
}
LOSS: Mapping[str, tuple[str, str]] = {"loss": ("loss as trained (nats)", "")}  # of one α only
INTERVALS = (
    "In brackets: 95 % interval over the examples of the split, of this one network. That of the "
    "ECE is of the true one: the bins’ noise makes the figure before it too large, so it may lie "
    "outside."
)


def run_tables(
    runs: Sequence[ReadRun], more: Mapping[str, tuple[str, str]] | None = None
) -> Iterator[Table]:
    """Yields the scores of runs: of one run in one table, of several a table a split.

    Args:
        runs: The runs.
        more: Scores beside those of `COMMON`, where they can be compared: label and better.
    """
    rows = [
        (run, model, metrics)
        for run in runs
        for model, metrics in (("as trained", run.metrics), ("scaled", run.calibrated))
        if metrics is not None
    ]
    splits = list(dict.fromkeys(split for _, _, metrics in rows for split in metrics.splits))
    if len(runs) == 1:
        cells = [(split, row) for row in rows for split in row[2].splits]
        yield from _scores(
            "Scores", cells, Column("split", [split for split, _ in cells]), more=more
        )
        return
    for split in splits:
        cells = [(split, row) for row in rows if split in row[2].splits]
        names = Column("run", [Cell(run.name, link=anchor(run)) for _, (run, _, _) in cells])
        told = split != splits[0]  # what brackets are, once
        yield from _scores(f"Scores, {split}", cells, names, several=True, told=told)


def comparison_tables(groups: Sequence[Group]) -> Iterator[Table | Sentences]:
    """Yields means and differences of groups of runs, if there are several seeds of any.

    Of runs that can't be put side by side, why not.
    """
    finished = [run for group in groups for run in group.runs if run.metrics is not None]
    seeds = [run.settings.get(SEED, 0) for run in finished]
    if len(groups) < 2 or len(finished) <= len(groups) or {type(s) for s in seeds} != {int}:
        return
    from lsk_engine.studies.comparison.compare_runs import compare_runs  # SciPy

    common = [s for s in finished[0].splits if all(s in run.splits for run in finished)]
    split = "test" if "test" in common else next(iter(common), "test")
    try:
        found = compare_runs([run.directory for run in finished], split)
    except LsKerasError as error:  # they have their scores all the same
        yield Sentences([f"Not side by side: {error}"])
        return
    yield from comparison(found)


def comparison(found: "Comparison") -> Iterator[Table]:
    """Yields the means of groups of runs, and their differences from the first group.

    Args:
        found: What `compare_runs` found.
    """
    names = [heading(group.settings) or "all" for group in found.groups]
    means = [
        Column(
            label,
            [Value(statistics.fmean(group.scores[s].values())) for group in found.groups],
            found.better.get(s),
        )
        for s, label in found.labels.items()
    ]
    seeds = [len(group.runs) for group in found.groups]
    counts = Column("seeds", [Cell(str(count), count) for count in seeds])
    yield Table(f"Means over seeds, {found.split}", [Column("setting", names), counts, *means])
    differences = [
        Column(
            label,
            [Value(*found.difference(s, group)) for group in found.groups[1:]],
            found.better.get(s),
            signed=True,
        )
        for s, label in found.labels.items()
    ]
    if len(names) < 2:
        return
    shared = [len(group.runs.keys() & found.groups[0].runs.keys()) for group in found.groups[1:]]
    pairs = Column("shared seeds", [Cell(str(count), count) for count in shared])
    note = "Paired by seed, without an interval: that takes two seeds that both have."
    if max(shared) > 1:
        note = (
            "Paired by seed. In brackets: 95 % interval by Student’s t over the shared seeds, "
            "without a correction for one another. `lsk study` decides."
        )
    yield Table(
        f"Differences from {names[0]}, {found.split}",
        [Column("setting", names[1:]), pairs, *differences],
        note=note,
    )


def verdict_table(study: StudyResult, decided: Sequence[ClaimResult]) -> Table:
    """Returns decisions of a study.

    Args:
        study: The study.
        decided: Which of its decisions; at least one.
    """
    against = [f"{heading(study.arms[d.arm])} − {heading(study.arms[d.baseline])}" for d in decided]
    columns = [
        Column("claim", [_claim(study, one) for one in decided]),
        Column("verdict", [verdict_text(one) for one in decided]),
        # Each row has a unit of its own, so each its digits.
        Column("difference", [_difference(one) for one in decided]),
        Column("margin", [f"± {one.margin:g}" for one in decided]),
        Column("paper", [_signed(one.paper) for one in decided]),
    ]
    caption = f"Verdicts about {against[0]}, {study.split}"
    if len(set(against)) > 1:
        columns.insert(1, Column("settings", against))
        caption = f"Verdicts about every setting, {study.split}"
    note = (
        f"{_over(study.seeds)} A difference within the margin does not matter. All claims of the "
        "study are decided together (Holm’s correction)."
    )
    return Table(caption, columns, note=note.strip(), sortable=False)


def verdict_text(decided: ClaimResult) -> str:
    """Returns a verdict with a sign that is seen without its color."""
    sign = {"supported": "✓", "contradicted": "✗", "equivalent": "="}
    return f"{sign.get(decided.verdict, '?')} {decided.verdict}"


def arm_table(study: StudyResult, arms: Sequence[str] = (), numbers: Sequence[str] = ()) -> Table:
    """Returns the mean of each number of each arm, with its interval over seeds.

    Args:
        study: The study.
        arms: Which arms; none: all.
        numbers: Which numbers; none: all.
    """
    from lsk_engine.studies.claims import interval  # SciPy

    def value(number: str, arm: str) -> Value:
        seeds = study.values.get(number, {}).get(arm, ())
        known = [math.nan if v is None else v for v in seeds]
        return Value(*interval(known, study.numbers[number].bounds))

    shown = arms or [*study.arms]
    names = Column("setting", [heading(study.arms[arm]) for arm in shown])
    columns = [
        Column(
            of_split(number.label, number.split),
            [value(name, arm) for arm in shown],
            number.better,
        )
        for name, number in study.numbers.items()
        if not numbers or name in numbers
    ]
    return Table(
        f"Means over {study.seeds} seed{'s' * (study.seeds != 1)}, {study.split}",
        [names, *columns],
        note=_over(study.seeds),
    )


def sweep_table(
    points: Sequence[CurvePoint], label: str, better: Literal["less", "more"] | None = None
) -> Table:
    """Returns the points of curves of teachers and students, seeds together.

    Args:
        points: A point a network.
        label: What the score is called.
        better: Whether less or more of it is better, if it is known.
    """
    groups = [
        of_point
        for curve in dict.fromkeys(point.curve for point in points)
        for of_point in seeds_of(points, curve).values()
    ]
    scores = [[point.score for point in of] for of in groups]
    return Table(
        "Teachers and students",
        [
            Column("curve", [of[0].curve for of in groups]),
            Column("α", [Cell(f"{of[0].alpha:g}", of[0].alpha) for of in groups]),
            Column("T", [Cell(f"{of[0].temperature:g}", of[0].temperature) for of in groups]),
            Column("γ", [Value(statistics.fmean(p.gamma for p in of)) for of in groups]),
            Column(label, [Value(statistics.fmean(s), min(s), max(s)) for s in scores], better),
            Column("seeds", [Cell(str(len(of)), len(of)) for of in groups]),
        ],
        note="In brackets: the least and the most of the seeds.",
    )


def anchor(run: ReadRun) -> str:
    """Returns the `id` of what the page tells of a run itself."""
    letters = (c if c.isascii() and c.isalnum() else f"_{ord(c):x}" for c in run.name)
    return f"run-{''.join(letters)}"


def _over(seeds: int) -> str:
    """Returns what intervals of a study's numbers are; of one seed there are none."""
    if seeds < 2:
        return ""
    return f"In brackets: 95 % interval by Student’s t over {seeds} seeds."


def _scores(
    caption: str,
    cells: Sequence[tuple[str, Row]],
    names: Column,
    *,
    several: bool = False,
    told: bool = False,
    more: Mapping[str, tuple[str, str]] | None = None,
) -> Iterator[Table]:
    if not cells:
        return
    metrics = [row[2] for _, row in cells]
    better = _better(metrics)
    own = {name: label for of_run in metrics for name, label in of_run.labels.items()}
    common = {**COMMON, **(more or {})}
    labels = {**own, **{n: label for n, (label, _) in common.items() if n not in own}}
    columns = [names]
    if len({model for _, (_, model, _) in cells}) > 1:
        columns.append(Column("model", [model for _, (_, model, _) in cells]))
    if several:
        alphas = [Cell(f"{m.alpha:g}", m.alpha) for m in metrics]
        columns += [
            Column("α", alphas),
            Column("seed", [Cell(str(m.seed), m.seed) for m in metrics]),
        ]
    bracketed = False
    for name, label in labels.items():
        values = [_value(of_run.splits[split], name) for split, (_, _, of_run) in cells]
        if any(not math.isnan(one.value) for one in values):
            columns.append(Column(label, values, better.get(name)))  # type: ignore[arg-type]
            bracketed = bracketed or any(not math.isnan(one.low) for one in values)
    yield Table(caption, columns, note=INTERVALS if bracketed and not told else "")


def _value(scores: Mapping[str, float], name: str) -> Value:
    ends = (scores.get(f"{name}_{end}", math.nan) for end in ("low", "high"))
    return Value(scores.get(name, math.nan), *ends)


def _better(metrics: Iterable[Metrics | None]) -> dict[str, str]:
    found = {name: better for name, (_, better) in COMMON.items()}
    for one in metrics:
        found |= (one.better or {}) if one is not None else {}
    return found


def _claim(study: StudyResult, decided: ClaimResult) -> str:
    measured = study.numbers.get(decided.measure)
    return of_split(decided.name, measured.split if measured else None)


def _difference(decided: ClaimResult) -> Cell:
    if decided.mean is None:
        return Cell("–")
    ends = [math.nan if end is None else end for end in (decided.low, decided.high)]
    # What is left of rounding when numbers cancel is none.
    value = Value(*(round(one, 12) + 0.0 for one in (decided.mean, *ends)))
    digits = decimals([value.value, *ends], intervals=not any(map(math.isnan, ends)))
    return Cell(with_interval(value, digits, signed=True), decided.mean)


def _signed(value: float | None) -> str:
    return "–" if value is None else f"{value:+.3g}".replace("-", "−")
