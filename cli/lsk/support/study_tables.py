"""What studies found, as commands show it."""

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

from lsk.support import tables

if TYPE_CHECKING:
    from rich.console import RenderableType

    from lsk_engine.studies.paper.reproduce import Reproduced
    from lsk_engine.studies.stored_results import StoredDecision, StoredStudy
    from lsk_engine.studies.study_result import StudyResult


def shown(result: "StudyResult") -> "Iterator[RenderableType]":
    """Yields the question, means, decisions about the shown arm, and the answer.

    Args:
        result: What a study found.
    """
    study = _stored(result)
    yield tables.paragraph(f"{study.question} {study.task}, {study.preset}")
    yield ""
    yield _means(study)
    about = [one for one in study.decided if one.arm == study.shown]
    if about:
        yield ""
        yield from _decisions(study, about)
    yield ""
    yield from answer(result)


def answer(result: "StudyResult") -> "Iterator[RenderableType]":
    """Yields the sentences, and what is missing or has to be said.

    Args:
        result: What a study found.
    """
    yield from (tables.paragraph(sentence, first="- ") for sentence in result.sentences)
    yield from _told(result.reasons(), result.notes)


def reproduced(one: "Reproduced") -> "Iterator[RenderableType]":
    """Yields the paper's numbers, ours, and a verdict for each claim.

    Args:
        one: What was found of a result of the paper.
    """
    yield tables.paragraph(f"{one.result.name}: {one.result.title}")
    yield from (tables.paragraph(line, first="  the paper: ") for line in one.result.paper)
    for name, result in one.found.items():
        study, decided = _stored(result), one.decided(name)
        yield ""
        yield tables.paragraph(f"{name}: {study.task}, {study.preset}")
        arms = dict.fromkeys(arm for of in decided for arm in (of.baseline, of.arm))
        known = [n for of in decided for n in (of.claim.measure, of.claim.against) if n]
        # The first score has a second name, which claims know it by.
        names = {n if n in study.numbers else next(iter(study.numbers)) for n in known}
        if arms:
            yield _means(study, arms=[*arms], numbers=[n for n in study.numbers if n in names])
            claims = set(one.result.claims)
            yield ""
            yield from _decisions(study, [of for of in study.decided if of.name in claims])
        yield from _told(result.reasons(), study.notes)
    for name, why in one.missing.items():
        yield tables.paragraph(f"{name}: {why}", first="Missing: ")
    yield from (tables.paragraph(str(file), first="Figure: ") for file in one.figures)


def _stored(result: "StudyResult") -> "StoredStudy":
    """Returns what a report reads of the study's file."""
    from ls_base.records import convert_record
    from lsk_engine.studies.stored_results import StoredStudy

    return convert_record(result.to_dict(), StoredStudy, "the study")


def _means(
    study: "StoredStudy", arms: Sequence[str] = (), numbers: Sequence[str] = ()
) -> "RenderableType":
    from lsk_engine.reports.score_tables import arm_table

    table = arm_table(study, arms or [*study.arms], numbers or [*study.numbers])
    # The shorter side is written from left to right.
    if len(arms or study.arms) > len(table.columns):
        return tables.row_table(table, caption=table.caption)
    return tables.transposed_table(table)


def _decisions(
    study: "StoredStudy", decided: "Sequence[StoredDecision]"
) -> "Iterator[RenderableType]":
    from lsk_engine.reports.score_tables import verdict_table

    if decided:
        table = verdict_table(study, decided)
        yield tables.paragraph(table.caption)
        yield tables.row_table(table)


def _told(reasons: Mapping[str, Sequence[str]], notes: Sequence[str]) -> "Iterator[RenderableType]":
    for why, what in reasons.items():
        yield tables.paragraph(f"{', '.join(what)}: {why}", first="Missing: ")
    yield from (tables.paragraph(note, first="Note: ") for note in notes)
