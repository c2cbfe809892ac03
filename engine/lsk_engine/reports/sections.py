"""The sections of a report, in order: verdicts, scores, curves, outputs, runs."""

from collections.abc import Callable, Iterator, Sequence
from typing import Any

from ls_base.errors import shell_command
from lsk_engine.reports import curves, reliability_charts, score_tables
from lsk_engine.reports.run_collections import Collection, Group
from lsk_engine.reports.run_files import ReadRun, swept_beams, swept_temperatures
from lsk_engine.reports.tables import (
    Column,
    Facts,
    Figure,
    Fold,
    Heading,
    Section,
    Sentences,
    Table,
)
from lsk_engine.reports.word_diff import choose_examples
from lsk_engine.runs.listing import is_running

Blocks = Iterator[Any]
_MAX_OUTPUTS = 4  # models whose outputs are shown beside one another
_PROJECTION, _LOGITS = "projection", "projection-logits"


def build_sections(collections: Sequence[Collection]) -> list[Section]:
    """Returns the sections that are not empty.

    Args:
        collections: The runs and studies.
    """
    parts: list[tuple[str, str, Callable[[Collection], Blocks]]] = [
        ("verdicts", "Verdicts", _verdicts),
        ("scores", "Scores", _score_tables),
        ("learning", "Learning curves", _charts(curves.learning_curves)),
        ("reliability", "Reliability", _charts(reliability_charts.reliability_diagrams)),
        ("temperature", "Temperature", _charts(curves.temperature_curves)),
        ("beams", "Beams", _charts(curves.beam_curves)),
        ("projection", "Projection", _projections),
        ("information", "Mutual information", _charts(curves.information_curves)),
        ("distillation", "Distillation", _distillation),
        ("outputs", "Outputs and references", _outputs),
        ("pictures", "Pictures of the task", _pictures),
        ("runs", "Runs, commands, environment", _runs),
    ]
    sections = []
    for anchor, title, blocks_of in parts:
        blocks: list[Any] = []
        for collection in collections:
            found = list(blocks_of(collection))
            if found and len(collections) > 1:
                blocks.append(Heading(collection.title))
            blocks += found
        if blocks:
            sections.append(Section(anchor, title, blocks))
    return sections


def missing_results(runs: Sequence[ReadRun]) -> list[tuple[str, str]]:
    """Returns the results that no run has, each with the command that makes it for one run.

    Args:
        runs: The runs.
    """
    finished = [run for run in runs if run.metrics is not None]
    if not finished:
        return []
    path = finished[0].directory.path
    calibrate = shell_command("lsk", "calibrate", path)
    evaluate = shell_command("lsk", "evaluate", path)
    sweeps = [points for run in runs for points in run.sweeps.values()]
    has_beams = "decoding.beam_size" in finished[0].settings
    results = [
        ("reliability diagrams", any(run.reliability for run in runs), evaluate),
        (
            "references beside outputs",
            any(run.references for run in runs) or not any(run.outputs for run in runs),
            evaluate,
        ),
        (
            "a fitted temperature",
            any(run.calibrated is not None for run in runs),
            f"{calibrate} && {evaluate} --calibrated",
        ),
        (
            "scores by temperature",
            any(map(swept_temperatures, sweeps)),
            shell_command("lsk", "sweep-temperature", path),
        ),
        (
            "scores by number of beams",
            any(map(swept_beams, sweeps)) or not has_beams,
            shell_command("lsk", "sweep-beams", path),
        ),
        (
            "a projection",
            any(_PROJECTION in run.pictures for run in runs),
            shell_command("lsk", "project", path, "--classes", "A,B,C"),
        ),
        (
            "mutual information",
            any(run.information for run in runs),
            shell_command("lsk", "probe", path, "--classes", "A,B"),
        ),
    ]
    return [(what, command) for what, exists, command in results if not exists]


def _verdicts(collection: Collection) -> Blocks:
    if collection.unfinished:
        yield Sentences([f"{collection.unfinished}."])
    study = collection.study
    if study is None:
        return
    shown = [one for one in study.claims if one.arm == study.shown]
    yield Sentences([f"{study.question} {study.task}, {study.preset}"], emphasized=True)
    yield Sentences(study.sentences)
    if shown:
        yield score_tables.verdict_table(study, shown)
    yield score_tables.arm_table(study)
    if len(study.claims) > len(shown):
        table = score_tables.verdict_table(study, study.claims)
        yield Fold("Verdicts about every setting", [table])
    if reasons := study.reasons():
        yield Sentences([f"Missing: {', '.join(of)}: {reason}" for reason, of in reasons.items()])


def _score_tables(collection: Collection) -> Blocks:
    tables = list(score_tables.run_tables(collection.readable))
    if collection.points:
        yield score_tables.sweep_table(collection.points, collection.score_label())
    if collection.study is None and not collection.points:
        yield from score_tables.comparison_tables([g for of in collection.chunks() for g in of])
        yield from tables
    elif tables:
        yield Fold(f"Scores of each of {len(collection.readable)} runs", tables)


def _charts(draw: Callable[[Sequence[Group]], Blocks]) -> Callable[[Collection], Blocks]:
    """Returns a function that draws charts of all runs, in folds if they need several charts."""

    def blocks_of(collection: Collection) -> Blocks:
        chunks = collection.chunks()
        for number, groups in enumerate(chunks, 1):
            charts = list(draw(groups))
            if charts and len(chunks) > 1:
                names = f"{groups[0].label} to {groups[-1].label}"
                yield Fold(f"{number} of {len(chunks)}: {names}", charts)
            else:
                yield from charts

    return blocks_of


def _projections(collection: Collection) -> Blocks:
    for run in collection.readable:
        found = run.projections
        what = "three classes"
        if found is not None and found.runs:
            classes = ", ".join(found.runs[0].names)
            what = f"classes {classes}; training and {found.split}"
        title = f"{run.name}: {what}"
        text = f"Scatter plots of penultimate activations on the plane of three templates. {title}"
        matrix = f"{run.name}: mean logits of each class"
        if (picture := run.pictures.get(_PROJECTION)) is not None:
            yield Figure(title, text, picture)
        if (picture := run.pictures.get(_LOGITS)) is not None:
            yield Figure(matrix, f"Matrix by class and logit. {matrix}", picture)


def _distillation(collection: Collection) -> Blocks:
    if collection.points:
        yield curves.distillation_chart(collection.points, collection.score_label())


def _outputs(collection: Collection) -> Blocks:
    texts: dict[tuple[str, int, tuple[tuple[str, ...], ...]], list[tuple[str, list[str]]]] = {}
    for group in (group for chunk in collection.chunks() for group in chunk):
        run = group.runs[0]  # the outputs of other seeds are similar
        for split, outputs in run.outputs.items():
            references = tuple(run.references.get(split, ()))
            name = run.name if len(group.runs) > 1 else group.label
            texts.setdefault((split, len(outputs), references), []).append((name, outputs))
    for (split, _, references), models in texts.items():
        yield choose_examples(split, references, models[:_MAX_OUTPUTS])


def _pictures(collection: Collection) -> Blocks:
    for run in collection.readable:
        for stem, picture in run.pictures.items():
            if stem not in (_PROJECTION, _LOGITS):
                name, _, split = stem.rpartition("-")
                title = f"{run.name}: {name}, {split}" if name else f"{run.name}: {stem}"
                yield Figure(title, f"A picture drawn by the task. {title}", picture)


def _runs(collection: Collection) -> Blocks:
    for run in collection.readable:
        yield Fold(
            f"{run.name}: {_state(run)}",
            [*_starts(run), *_settings(run)],
            anchor=score_tables.anchor(run),
            opened=len(collection.runs) == 1,
        )


def _state(run: ReadRun) -> str:
    step = f"step {run.history[-1]['step']:,}" if run.history else "no epoch yet"
    if run.metrics is not None:
        return f"finished, {step}"
    if is_running(run.directory):
        return f"running, {step}"
    command = shell_command("lsk", "train", "--resume", run.directory.path)
    return f"unfinished, {step}; continue with: {command}"


def _starts(run: ReadRun) -> Blocks:
    for number, start in enumerate(run.starts, 1):
        command = run.command(start)
        facts = [("command", command)] if command else []
        facts += [
            (name.replace("_", " "), _text(value))
            for name, value in start.items()
            if name != "command"
        ]
        if len(run.starts) > 1:
            yield Heading(f"Start {number}")
        yield Facts(facts, frozenset({"command"}))


def _settings(run: ReadRun) -> Blocks:
    settings = {k: v for k, v in run.settings.items() if v is not None and k != "schema"}
    names = Column("setting", list(settings))
    values = Column("value", [_text(value) for value in settings.values()])
    yield Fold("Every setting", [Table("Configuration", [names, values])])


def _text(value: Any) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{name} {_text(inner)}" for name, inner in value.items())
    if isinstance(value, list):
        return ", ".join(_text(inner) for inner in value)
    return str(value)
