"""The tables of scores: of runs, of groups of runs, of a study and of its curves."""

import math
import statistics
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Literal

from ls_base.errors import LsKerasError
from lsk_engine.reports.curves import group_seeds
from lsk_engine.reports.run_collections import Group
from lsk_engine.reports.run_files import ReadRun
from lsk_engine.reports.tables import (
    Cell,
    Column,
    Sentences,
    Table,
    Value,
    decimals,
    with_interval,
)
from lsk_engine.runs.schemas import Metrics
from lsk_engine.studies.settings_diff import SEED, heading
from lsk_engine.studies.study_result import ClaimResult, CurvePoint, StudyResult

if TYPE_CHECKING:
    from lsk_engine.studies.compare_runs import Comparison

_Row = tuple[ReadRun, str, Metrics]  # a run, "as trained" or "scaled", and the scores
# The scores that the engine measures for every task: label and better side.
COMMON: Mapping[str, tuple[str, str]] = {
    "accuracy": ("accuracy", "more"),
    "nll": ("NLL (nats)", "less"),
    "perplexity": ("perplexity", "less"),
    "ece": ("ECE", "less"),
    "brier": ("Brier", "less"),
}
# Not comparable between runs of different α.
LOSS: Mapping[str, tuple[str, str]] = {"loss": ("loss as trained (nats)", "")}
INTERVALS = (
    "In brackets: 95 % interval over the examples of the split, for this one network. The interval "
    "of the ECE is for the true ECE; noise in the bins makes the estimate before it too large, so "
    "it may lie outside."
)


def run_tables(
    runs: Sequence[ReadRun], more: Mapping[str, tuple[str, str]] | None = None
) -> Iterator[Table]:
    """Yields the scores of runs: one table for one run, a table for each split for several.

    Args:
        runs: The runs.
        more: Scores beside those of `COMMON`: label and better side by name.
    """
    rows = [
        (run, model, metrics)
        for run in runs
        for model, metrics in (("as trained", run.metrics), ("scaled", run.calibrated))
        if metrics is not None
    ]
    splits = list(dict.fromkeys(split for _, _, metrics in rows for split in metrics.splits))
    labels = {**COMMON, **(more or {})}
    if len(runs) == 1 and rows:
        cells = [(split, row) for row in rows for split in row[2].splits]
        names = [Column("split", [split for split, _ in cells])]
        yield _scores("Scores", cells, names, labels)
        return
    for split in splits:
        cells = [(split, row) for row in rows if split in row[2].splits]
        metrics = [row[2] for _, row in cells]
        names = [
            Column("run", [Cell(run.name, link=anchor(run)) for _, (run, _, _) in cells]),
            Column("α", [Cell(f"{m.alpha:g}", m.alpha) for m in metrics]),
            Column("seed", [Cell(str(m.seed), m.seed) for m in metrics]),
        ]
        # The first table explains the brackets of all.
        yield _scores(f"Scores, {split}", cells, names, labels, explain=split == splits[0])


def comparison_tables(groups: Sequence[Group]) -> Iterator[Table | Sentences]:
    """Yields means and differences of groups of runs, if a group has several seeds.

    If the runs cannot be compared, yields the reason.

    Args:
        groups: The runs.
    """
    finished = [run for group in groups for run in group.runs if run.metrics is not None]
    seeds = [run.settings.get(SEED, 0) for run in finished]
    if len(groups) < 2 or len(finished) <= len(groups) or {type(s) for s in seeds} != {int}:
        return
    from lsk_engine.studies.compare_runs import compare_runs  # imports SciPy

    common = [s for s in finished[0].splits if all(s in run.splits for run in finished)]
    split = "test" if "test" in common else next(iter(common), "test")
    try:
        found = compare_runs([run.directory for run in finished], split)
    except LsKerasError as error:
        yield Sentences([f"Not side by side: {error}"])
        return
    yield from comparison(found)


def comparison(found: "Comparison") -> Iterator[Table]:
    """Yields the means of groups of runs, and their differences from the first group.

    Args:
        found: The result of `compare_runs`.
    """
    names = [heading(group.settings) or "all" for group in found.groups]
    first, *others = found.groups
    means = [
        Column(
            label,
            [Value(statistics.fmean(group.scores[s].values())) for group in found.groups],
            found.better.get(s),
        )
        for s, label in found.labels.items()
    ]
    counts = _counts("seeds", [len(group.runs) for group in found.groups])
    yield Table(f"Means over seeds, {found.split}", [Column("setting", names), counts, *means])
    if not others:
        return
    differences = [
        Column(
            label,
            [Value(*found.difference(s, group)) for group in others],
            found.better.get(s),
            signed=True,
        )
        for s, label in found.labels.items()
    ]
    shared = [len(group.runs.keys() & first.runs.keys()) for group in others]
    note = "Paired by seed, without an interval: that takes two seeds that both have."
    if max(shared) > 1:
        note = (
            "Paired by seed. In brackets: 95 % interval by Student’s t over the shared seeds, "
            "not corrected for multiple comparisons. `lsk study` decides."
        )
    yield Table(
        f"Differences from {names[0]}, {found.split}",
        [Column("setting", names[1:]), _counts("shared seeds", shared), *differences],
        note=note,
    )


def verdict_table(study: StudyResult, decided: Sequence[ClaimResult]) -> Table:
    """Returns a table of decisions.

    Args:
        study: The study.
        decided: The decisions to show; at least one.
    """
    against = [f"{heading(study.arms[d.arm])} − {heading(study.arms[d.baseline])}" for d in decided]
    known = (study.numbers.get(one.measure) for one in decided)
    splits = ["" if one is None or one.split is None else f"{one.split} " for one in known]
    names = [f"{split}{one.name}" for split, one in zip(splits, decided, strict=True)]
    columns = [
        Column("claim", names),
        Column("verdict", [verdict_text(one) for one in decided]),
        # Every row has its own unit, and therefore its own decimals.
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
    """Returns a verdict with a sign, so that it does not depend on color."""
    sign = {"supported": "✓", "contradicted": "✗", "equivalent": "="}
    return f"{sign.get(decided.verdict, '?')} {decided.verdict}"


def arm_table(study: StudyResult, arms: Sequence[str] = (), numbers: Sequence[str] = ()) -> Table:
    """Returns the mean of each number for each arm, with its interval over seeds.

    Args:
        study: The study.
        arms: The arms to show; empty: all.
        numbers: The numbers to show; empty: all.
    """
    from lsk_engine.studies.claims import interval  # imports SciPy

    def value(number: str, arm: str) -> Value:
        seeds = study.values.get(number, {}).get(arm, ())
        values = [math.nan if v is None else v for v in seeds]
        return Value(*interval(values, study.numbers[number].bounds))

    shown = arms or [*study.arms]
    columns = [
        Column(
            number.title,
            [value(name, arm) for arm in shown],
            number.better,
        )
        for name, number in study.numbers.items()
        if not numbers or name in numbers
    ]
    return Table(
        f"Means over {study.seeds} seed{'s' * (study.seeds != 1)}, {study.split}",
        [Column("setting", [heading(study.arms[arm]) for arm in shown]), *columns],
        note=_over(study.seeds),
    )


def sweep_table(
    points: Sequence[CurvePoint], label: str, better: Literal["less", "more"] | None = None
) -> Table:
    """Returns the points of the curves of teachers and students, averaged over seeds.

    Args:
        points: The networks.
        label: The label of the score.
        better: Whether lower or higher scores are better; `None` if unknown.
    """
    groups = [
        seeds
        for curve in dict.fromkeys(point.curve for point in points)
        for seeds in group_seeds(points, curve).values()
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
            _counts("seeds", [len(of) for of in groups]),
        ],
        note="In brackets: the lowest and the highest seed.",
    )


def anchor(run: ReadRun) -> str:
    """Returns the `id` of a run's own block on the page."""
    letters = (c if c.isascii() and c.isalnum() else f"_{ord(c):x}" for c in run.name)
    return f"run-{''.join(letters)}"


def _counts(label: str, counts: Sequence[int]) -> Column:
    return Column(label, [Cell(str(count), count) for count in counts])


def _over(seeds: int) -> str:
    """Returns the explanation of a study's intervals; one seed has none."""
    if seeds < 2:
        return ""
    return f"In brackets: 95 % interval by Student’s t over {seeds} seeds."


def _scores(
    caption: str,
    cells: Sequence[tuple[str, _Row]],
    names: Sequence[Column],
    common: Mapping[str, tuple[str, str]],
    *,
    explain: bool = True,
) -> Table:
    """Returns the table of scores of splits of runs; `names` are the columns before the scores."""
    first, *columns = names
    if len({model for _, (_, model, _) in cells}) > 1:
        columns.insert(0, Column("model", [model for _, (_, model, _) in cells]))
    better = {name: better for name, (_, better) in COMMON.items()}
    labels: dict[str, str] = {}
    for _, (_, _, metrics) in cells:
        better |= metrics.better or {}
        labels |= metrics.labels
    labels = labels | {n: label for n, (label, _) in common.items() if n not in labels}
    bracketed = False
    for name, label in labels.items():
        values = [_value(metrics.splits[split], name) for split, (_, _, metrics) in cells]
        if not all(math.isnan(one.value) for one in values):
            columns.append(Column(label, values, better.get(name) or None))  # type: ignore[arg-type]
            bracketed = bracketed or not all(math.isnan(one.low) for one in values)
    return Table(caption, [first, *columns], note=INTERVALS if bracketed and explain else "")


def _value(scores: Mapping[str, float], name: str) -> Value:
    return Value(*(scores.get(key, math.nan) for key in (name, f"{name}_low", f"{name}_high")))


def _difference(decided: ClaimResult) -> Cell:
    if decided.mean is None:
        return Cell("–")
    ends = [math.nan if end is None else end for end in (decided.low, decided.high)]
    # Rounded, because differences that cancel leave a rounding error.
    value = Value(*(round(one, 12) + 0.0 for one in (decided.mean, *ends)))
    digits = decimals([value.value, *ends], intervals=not any(map(math.isnan, ends)))
    return Cell(with_interval(value, digits, signed=True), decided.mean)


def _signed(value: float | None) -> str:
    return "–" if value is None else f"{value:+.3g}".replace("-", "−")
