"""Shows results of studies in the terminal."""

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

from lsk.support import tables

if TYPE_CHECKING:
    from rich.console import RenderableType

    from lsk_engine.studies.paper.reproduce import Reproduced
    from lsk_engine.studies.study_result import ClaimResult, StudyResult

INCOMPLETE = 6  # exit code of a study in which runs failed or were not measured


def show_study(study: "StudyResult") -> "Iterator[RenderableType]":
    """Yields the question, means, claims about the arm `shown`, and conclusions.

    Args:
        study: The result of a study.
    """
    yield tables.paragraph(f"{study.question} {study.task}, {study.preset}")
    yield ""
    yield _means(study)
    about = [one for one in study.claims if one.arm == study.shown]
    if about:
        yield ""
        yield from _claims(study, about)
    yield ""
    yield from show_answer(study)


def show_answer(study: "StudyResult") -> "Iterator[RenderableType]":
    """Yields the conclusions, what is missing, and notes.

    Args:
        study: The result of a study.
    """
    yield from (tables.paragraph(sentence, first="- ") for sentence in study.sentences)
    yield from _missing_and_notes(study.reasons(), study.notes)


def show_reproduced(one: "Reproduced") -> "Iterator[RenderableType]":
    """Yields the paper's numbers, ours, and a verdict for each claim.

    Args:
        one: A reproduced result of the paper.
    """
    yield tables.paragraph(f"{one.result.name}: {one.result.title}")
    yield from (tables.paragraph(line, first="  the paper: ") for line in one.result.paper)
    for name, study in one.found.items():
        claims = one.claims_of(name)
        yield ""
        yield tables.paragraph(f"{name}: {study.task}, {study.preset}")
        arms = dict.fromkeys(arm for claim in claims for arm in (claim.baseline, claim.arm))
        measures = [n for claim in claims for n in (claim.measure, claim.against) if n]
        # Claims know the first score by a second name.
        names = {n if n in study.numbers else next(iter(study.numbers)) for n in measures}
        if arms:
            yield _means(study, arms=[*arms], numbers=[n for n in study.numbers if n in names])
            yield ""
            yield from _claims(study, claims)
        yield from _missing_and_notes(study.reasons(), study.notes)
    for name, why in one.missing.items():
        yield tables.paragraph(f"{name}: {why}", first="Missing: ")
    yield from (tables.paragraph(str(file), first="Figure: ") for file in one.figures)


def _means(
    study: "StudyResult", arms: Sequence[str] = (), numbers: Sequence[str] = ()
) -> "RenderableType":
    from lsk_engine.reports.score_tables import arm_table

    table = arm_table(study, arms or [*study.arms], numbers or [*study.numbers])
    # The shorter side is written from left to right.
    if len(arms or study.arms) > len(table.columns):
        return tables.row_table(table, caption=table.caption)
    return tables.transposed_table(table)


def _claims(study: "StudyResult", claims: "Sequence[ClaimResult]") -> "Iterator[RenderableType]":
    from lsk_engine.reports.score_tables import verdict_table

    if claims:
        table = verdict_table(study, claims)
        yield tables.paragraph(table.caption)
        yield tables.row_table(table)


def _missing_and_notes(
    reasons: Mapping[str, Sequence[str]], notes: Sequence[str]
) -> "Iterator[RenderableType]":
    for why, what in reasons.items():
        yield tables.paragraph(f"{', '.join(what)}: {why}", first="Missing: ")
    yield from (tables.paragraph(note, first="Note: ") for note in notes)
