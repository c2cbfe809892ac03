"""What a study found: numbers by arm and seed, decisions, a table and plain sentences."""

import dataclasses
import math
import statistics
import textwrap
from collections.abc import Iterable, Mapping
from typing import Any

from ls_base.files import nan_to_none
from lsk_engine.studies.claims import Claim, Decision
from lsk_engine.studies.measurements import Number
from lsk_engine.studies.text_tables import (
    columns,
    difference_line,
    heading,
    of_split,
    plain,
    signed,
    span,
)


@dataclasses.dataclass(frozen=True)
class Decided:
    """A claim about an arm, and what is said of it.

    Attributes:
        claim: The claim.
        arm: The arm's name.
        baseline: That of the arm that it is compared with.
        differences: Arm − baseline, one a seed; NaN where a run has no such number.
        decision: What is said.
    """

    claim: Claim
    arm: str
    baseline: str
    differences: tuple[float, ...]
    decision: Decision


@dataclasses.dataclass(frozen=True)
class StudyResult:
    """What a study found; as text, what `lsk study` says.

    Attributes:
        question: The study's.
        task: The task's name.
        preset: The recipe's.
        split: The split of the numbers, where they don't say another.
        seeds: How many runs an arm has.
        arms: The settings of each arm, by name; baselines first.
        numbers: What was measured, by name: label, and whether less or more is better.
        values: By number and arm, one a seed; NaN where a run has none.
        decided: The claims, about each arm that has a baseline.
        shown: The arm whose decisions the table shows.
        sentences: The answer, in up to five sentences and an advice.
        missing: What failed or was not measured, by run; and why.
        notes: What every report on this data must say.
    """

    question: str
    task: str
    preset: str
    split: str
    seeds: int
    arms: Mapping[str, Mapping[str, Any]]
    numbers: Mapping[str, Number]
    values: Mapping[str, Mapping[str, tuple[float, ...]]]
    decided: tuple[Decided, ...]
    shown: str
    sentences: tuple[str, ...]
    missing: Mapping[str, str]
    notes: tuple[str, ...] = ()

    def __str__(self) -> str:
        head = f"{self.question} {self.task}, {self.preset}"
        return "\n".join([head, "", self.table(), "", self.answer()])

    def answer(self) -> str:
        """Returns the sentences, and what is missing or has to be said, as lines."""
        lines = [
            textwrap.fill(sentence, 80, initial_indent="- ", subsequent_indent="  ")
            for sentence in self.sentences
        ]
        for error, runs in self.reasons().items():
            lines.append(f"Missing: {', '.join(runs)}: {error}")
        return "\n".join([*lines, *(f"Note: {note}" for note in self.notes)])

    def mean(self, number: str, arm: str) -> float:
        """Returns the mean over seeds; NaN where a run has no such number."""
        return statistics.fmean(self.values[number][arm])

    def reasons(self) -> dict[str, list[str]]:
        """Returns what is missing by the reason."""
        found: dict[str, list[str]] = {}
        for what, reason in self.missing.items():
            found.setdefault(reason, []).append(what)
        return found

    def to_dict(self) -> dict[str, Any]:
        """Returns the result as JSON can hold it; numbers that are not finite are `null`."""
        found = dataclasses.asdict(self)
        found["decided"] = decisions_of(self.decided)
        return {"schema": 1, **nan_to_none(found)}

    def table(self) -> str:
        """Returns the means of each arm, then the decisions about the shown arm."""
        seeds = f"{self.split}, {self.seeds} seed{'s' * (self.seeds != 1)}"
        rows = [
            (
                of_split(number.label, number.split),
                [plain(self.mean(name, arm)) for arm in self.arms],
            )
            for name, number in self.numbers.items()
        ]
        lines = list(columns(seeds, [heading(settings) for settings in self.arms.values()], rows))
        about = [one for one in self.decided if one.arm == self.shown]
        about = [one for one in about if one.baseline == about[0].baseline]
        if about:
            against = heading(self.arms[about[0].baseline])
            head = f"{heading(self.arms[self.shown])} − {against}"
            lines += ["", difference_line(head, "mean", "95 % interval", "verdict")]
        for one in about:
            found = one.decision
            mean, interval = signed(found.mean), span(found.low, found.high)
            measured = self.numbers.get(one.claim.measure)
            name = of_split(one.claim.name, measured.split if measured else None)
            lines.append(difference_line(name, mean, interval, found.verdict))
        return "\n".join(lines)


def decisions_of(decided: Iterable[Decided]) -> list[dict[str, Any]]:
    """Returns decisions as rows of JSON, but for numbers that are not finite.

    Args:
        decided: The decisions.
    """
    return [
        {
            **dataclasses.asdict(one.claim),
            "arm": one.arm,
            "baseline": one.baseline,
            "differences": one.differences,
            **dataclasses.asdict(one.decision),
        }
        for one in decided
    ]


def evidence_text(decided: Decided, label: str) -> str:
    """Returns what a decision rests on, in one line.

    Args:
        decided: The decision.
        label: What its measure is called.

    Example:
    >>> claim = Claim("calibration", "It falls", "ece", "better", 0.01)
    >>> decision = Decision("holds", -0.1, -0.12, -0.08, 0.001)
    >>> evidence_text(Decided(claim, "a", "b", (-0.1, -0.1), decision), "ECE")
    'ECE -0.1, 95 % interval -0.12 … -0.08, 2 seeds'
    """
    decision, n = decided.decision, len(decided.differences)
    text = f"{label} {signed(decision.mean)}"
    if not math.isnan(decision.low):
        text += f", 95 % interval {signed(decision.low)} … {signed(decision.high)}"
    text += f", {n} seed{'s' * (n != 1)}"
    if decided.claim.paper is not None:
        text += f"; the paper: {signed(decided.claim.paper)}"
    if decision.verdict == "can't tell":
        text += f"; {decision.reason}"
        if decision.seeds is not None:
            text += f"; about {decision.seeds} seeds would tell"
    return text
