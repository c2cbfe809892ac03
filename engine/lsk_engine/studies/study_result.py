"""The result of a study: numbers by arm and seed, claims with verdicts, sentences.

It is also what `results.json` of a study's folder holds. Nothing here computes, and nothing imports
Keras or SciPy, so that reports and tables can read it.
"""

import math
import statistics
import textwrap
from pathlib import Path
from typing import Any, Literal

import msgspec

from ls_base.errors import FileError
from ls_base.files import nan_to_none
from ls_base.records import Count, Finite, Record, convert_record, read_record
from lsk_engine.studies.study_folder import FIGURE_FILE, RESULTS_FILE
from lsk_engine.studies.text_tables import (
    columns,
    difference_line,
    heading,
    of_split,
    plain,
    signed,
    span,
)

SCHEMA = 1


class Number(Record, frozen=True):
    """A number that is measured of each run.

    Attributes:
        label: Its name in tables.
        better: Whether less or more is better; `None` if neither, or unknown.
        split: The split that it is of, if not the study's.
        bounds: Its smallest and largest possible value; `None`: unlimited.
    """

    label: str
    better: Literal["less", "more"] | None
    split: str | None = None
    bounds: tuple[Finite | None, Finite | None] = (None, None)


class ClaimResult(Record, frozen=True):
    """A claim about an arm with its verdict; numbers that are unknown are `None`.

    Attributes:
        arm: Name of the arm.
        baseline: Name of the arm that it is compared with.
        differences: Arm − baseline by seed; `None` where a run has no such number.

    The other attributes are those of `lsk_engine.studies.claims.Claim` and `Decision`.
    """

    name: str
    statement: str
    measure: str
    margin: Finite
    arm: str
    baseline: str
    verdict: str
    mean: Finite | None
    low: Finite | None
    high: Finite | None
    p: Finite | None = None
    reason: str = ""
    seeds: Count | None = None
    direction: str = "better"
    against: str | None = None
    paper: Finite | None = None
    source: str = ""
    axis: str | None = None
    differences: tuple[Finite | None, ...] = ()

    def evidence(self, label: str) -> str:
        """Returns the difference with its interval, in brackets or not as text.

        Args:
            label: What differs, such as `ECE`.

        Example:
        >>> ClaimResult(name="c", statement="It falls", measure="ece", margin=0.01, arm="a",
        ...     baseline="b", verdict="supported", mean=-0.1, low=-0.12, high=-0.08,
        ...     differences=(-0.11, -0.1, -0.09), paper=-0.126).evidence("ECE")
        'ECE changed by -0.1 (95 % CI -0.12 to -0.08, 3 seeds; paper: -0.126)'
        """
        details = f"{len(self.differences)} seed{'s' * (len(self.differences) != 1)}"
        if self.low is not None and self.high is not None:
            details = f"95 % CI {signed(self.low)} to {signed(self.high)}, {details}"
        if self.paper is not None:
            details += f"; paper: {signed(self.paper)}"
        mean = "an unknown amount" if self.mean is None else signed(self.mean)
        return f"{label} changed by {mean} ({details})"


class StudyResult(Record, frozen=True):
    """The result of a study; `print` shows a table and the conclusions.

    Attributes:
        question: The study's question.
        task: Name of the task.
        preset: Name of the preset.
        split: The split of the numbers, unless they have another.
        seeds: Number of runs of each arm.
        arms: Settings of each arm by its name; baselines first.
        numbers: What was measured, by name.
        values: By number and arm, one value per seed; `None` where a run has none.
        claims: The claims about each arm that has a baseline, with their verdicts.
        shown: The arm whose claims the table shows.
        sentences: The conclusions in up to six sentences, and a recommendation.
        missing: Why something failed or was not measured, by run.
        notes: What every report on these data has to mention.
    """

    question: str
    task: str
    preset: str
    split: str
    seeds: Count
    arms: dict[str, dict[str, Any]]
    numbers: dict[str, Number]
    values: dict[str, dict[str, tuple[Finite | None, ...]]]
    claims: tuple[ClaimResult, ...]
    shown: str
    sentences: tuple[str, ...]
    missing: dict[str, str]
    notes: tuple[str, ...] = ()

    def __str__(self) -> str:
        head = f"{self.question} {self.task}, {self.preset}"
        return "\n".join([head, "", self.table(), "", self.answer()])

    def answer(self) -> str:
        """Returns the sentences, what is missing, and the notes, as lines."""
        lines = [
            textwrap.fill(sentence, 80, initial_indent="- ", subsequent_indent="  ")
            for sentence in self.sentences
        ]
        for error, runs in self.reasons().items():
            lines.append(f"Missing: {', '.join(runs)}: {error}")
        return "\n".join([*lines, *(f"Note: {note}" for note in self.notes)])

    def mean(self, number: str, arm: str) -> float:
        """Returns the mean over seeds; NaN if a run has no such number."""
        values = self.values[number][arm]
        return statistics.fmean(math.nan if value is None else value for value in values)

    def reasons(self) -> dict[str, list[str]]:
        """Returns the runs, or measures of runs, that are missing, by the reason."""
        found: dict[str, list[str]] = {}
        for what, reason in self.missing.items():
            found.setdefault(reason, []).append(what)
        return found

    def to_dict(self) -> dict[str, Any]:
        """Returns the content of `results.json`."""
        return {"schema": SCHEMA, **nan_to_none(msgspec.to_builtins(self))}

    def table(self) -> str:
        """Returns the means of each arm, then the claims about the arm `shown`."""
        seeds = f"{self.split}, {self.seeds} seed{'s' * (self.seeds != 1)}"
        rows = [
            (
                of_split(number.label, number.split),
                [plain(self.mean(name, arm)) for arm in self.arms],
            )
            for name, number in self.numbers.items()
        ]
        lines = list(columns(seeds, [heading(settings) for settings in self.arms.values()], rows))
        about = [one for one in self.claims if one.arm == self.shown]
        about = [one for one in about if one.baseline == about[0].baseline]
        if about:
            against = heading(self.arms[about[0].baseline])
            head = f"{heading(self.arms[self.shown])} − {against}"
            lines += ["", difference_line(head, "mean", "95 % interval", "verdict")]
        for one in about:
            mean, low, high = (math.nan if x is None else x for x in (one.mean, one.low, one.high))
            measured = self.numbers.get(one.measure)
            name = of_split(one.name, measured.split if measured else None)
            lines.append(difference_line(name, signed(mean), span(low, high), one.verdict))
        return "\n".join(lines)


class CurvePoint(Record, frozen=True):
    """A network on the curves of teachers and students, from the numbers beside the figure."""

    curve: str
    alpha: Finite
    temperature: Finite
    seed: Count
    gamma: Finite
    run: str
    score: Finite


def read_study_result(directory: Path) -> StudyResult:
    """Reads the result of a study.

    Args:
        directory: The study's folder.

    Raises:
        FileError: If it is missing or damaged.
    """
    file = directory / RESULTS_FILE
    found = read_record(file, StudyResult, schema=SCHEMA)
    for arm in (found.shown, *(name for one in found.claims for name in (one.arm, one.baseline))):
        if arm not in found.arms:
            raise FileError(f"Expected an arm of {file}, as in its claims. Received: {arm!r}")
    return found


def read_curves(directory: Path) -> tuple[str, list[CurvePoint]]:
    """Reads the points of the curves of teachers and students.

    Args:
        directory: The study's folder.

    Returns:
        The name of the score, and a point for each network.

    Raises:
        FileError: If they are missing or damaged.
    """
    file = (directory / FIGURE_FILE).with_suffix(".json")
    rows = read_record(file, list[dict[str, Any]])
    names = [name for name in (rows[0] if rows else {}) if name not in CurvePoint.__struct_fields__]
    if len(names) != 1:
        raise FileError(
            f"Expected rows with one score in {file}. Received: {', '.join(names) or 'none'}"
        )
    (score,) = names
    renamed = [{**row, "score": row.get(score)} for row in rows]
    return score, convert_record(renamed, list[CurvePoint], str(file))
