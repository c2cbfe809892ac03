"""The sections of a report, in the order in which they answer: verdicts, scores, curves, runs."""

from collections.abc import Callable, Iterator, Sequence
from typing import Any

from ls_base.errors import shell_command
from lsk_engine.reports import beam_curves, curves, reliability_charts, score_tables
from lsk_engine.reports.blocks import Facts, Figure, Fold, Heading, Section, Sentences
from lsk_engine.reports.groups import Group
from lsk_engine.reports.run_collections import Collection
from lsk_engine.reports.run_files import ReadRun
from lsk_engine.reports.tables import Column, Table
from lsk_engine.reports.word_diff import chosen_examples
from lsk_engine.runs.listing import is_running

Blocks = Iterator[Any]
_MOST_OUTPUTS = 4  # models whose outputs are shown beside one another
_BEFORE_PROJECTION = ("learning", "reliability", "temperature", "beams")
_PROJECTION, _LOGITS = "projection", "projection-logits"


def sections_of(collections: Sequence[Collection]) -> list[Section]:
    """Returns the sections that have something to show.

    Args:
        collections: What was read.
    """
    charts = [
        ("learning", "Learning curves", curves.learning_curves),
        ("reliability", "Reliability", reliability_charts.reliability_diagrams),
        ("temperature", "Temperature", curves.temperature_curves),
        ("beams", "Beams", beam_curves.beam_curves),
        ("information", "Mutual information", curves.information_curves),
    ]
    of_charts = {anchor: (title, _charted(draw)) for anchor, title, draw in charts}
    parts: dict[str, tuple[str, Callable[[Collection], Blocks]]] = {
        "verdicts": ("Verdicts", _verdicts),
        "scores": ("Scores", _score_tables),
        **{anchor: of_charts[anchor] for anchor in _BEFORE_PROJECTION},
        "projection": ("Projection", _projections),
        "information": of_charts["information"],
        "distillation": ("Distillation", _distillation),
        "outputs": ("Outputs and references", _outputs),
        "pictures": ("Pictures of the task", _pictures),
        "runs": ("Runs, commands, environment", _runs),
    }
    sections = []
    for anchor, (title, blocks_of) in parts.items():
        blocks: list[Any] = []
        for collection in collections:
            found = list(blocks_of(collection))
            if found and len(collections) > 1:
                blocks.append(Heading(collection.title))
            blocks += found
        if blocks:
            sections.append(Section(anchor, title, blocks))
    return sections


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
    reasons: dict[str, list[str]] = {}
    for what, reason in study.missing.items():
        reasons.setdefault(reason, []).append(what)
    if reasons:
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


def _charted(draw: Callable[[Sequence[Group]], Blocks]) -> Callable[[Collection], Blocks]:
    def blocks_of(collection: Collection) -> Blocks:
        chunks = collection.chunks()
        for number, groups in enumerate(chunks, 1):
            found = list(draw(groups))
            if found and len(chunks) > 1:
                names = f"{groups[0].label} to {groups[-1].label}"
                yield Fold(f"{number} of {len(chunks)}: {names}", found)
            else:
                yield from found

    return blocks_of


def _projections(collection: Collection) -> Blocks:
    for run in collection.readable:
        found = run.projections
        classes = "" if found is None or not found.runs else ", ".join(found.runs[0].names)
        split = "" if found is None else f" and {found.split}"
        if (picture := run.pictures.get(_PROJECTION)) is not None:
            what = f"classes {classes}; training{split}" if classes else "three classes"
            title = f"{run.name}: {what}"
            text = (
                f"Scatter plots of penultimate activations on the plane of three templates. {title}"
            )
            yield Figure(title, text, picture)
        if (picture := run.pictures.get(_LOGITS)) is not None:
            title = f"{run.name}: mean logits of each class"
            yield Figure(title, f"Matrix by class and logit. {title}", picture)


def _distillation(collection: Collection) -> Blocks:
    if collection.points:
        yield curves.distillation_chart(collection.points, collection.score_label())


def _outputs(collection: Collection) -> Blocks:
    texts: dict[tuple[str, int, tuple[tuple[str, ...], ...]], list[tuple[str, list[str]]]] = {}
    for group in (group for of_chunk in collection.chunks() for group in of_chunk):
        run = group.runs[0]  # other seeds would say the same in other words
        for split, outputs in run.outputs.items():
            wanted = tuple(run.references.get(split, ()))
            name = run.name if len(group.runs) > 1 else group.label
            texts.setdefault((split, len(outputs), wanted), []).append((name, outputs))
    for (split, _, wanted), of_models in texts.items():
        yield chosen_examples(split, wanted, of_models[:_MOST_OUTPUTS])


def _pictures(collection: Collection) -> Blocks:
    for run in collection.readable:
        for stem, picture in run.pictures.items():
            if stem not in (_PROJECTION, _LOGITS):
                name, _, split = stem.rpartition("-")
                title = f"{run.name}: {name}, {split}" if name else f"{run.name}: {stem}"
                yield Figure(title, f"A picture that the task drew. {title}", picture)


def _runs(collection: Collection) -> Blocks:
    alone = len(collection.runs) == 1
    for run in collection.readable:
        yield Fold(
            f"{run.name}: {_state(run)}",
            [*_starts(run), *_settings(run)],
            anchor=score_tables.anchor(run),
            opened=alone,
        )


def _state(run: ReadRun) -> str:
    step = f"step {run.history[-1]['step']:,}" if run.history else "no epoch yet"
    if run.metrics is None:
        if is_running(run.directory):
            return f"running, {step}"
        command = shell_command("lsk", "train", "--resume", run.directory.path)
        return f"unfinished, {step}; go on with: {command}"
    return f"finished, {step}"


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
