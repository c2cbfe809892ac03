"""The folder of a study: its settings, its lock, and its result in `results.json`.

Nothing here computes, and nothing imports Keras or SciPy, so that reports and tables can read it.
"""

import contextlib
import json
import math
import statistics
import textwrap
from collections.abc import Iterator, Mapping
from os.path import lexists
from pathlib import Path
from typing import Any, Literal

import msgspec

from ls_base.errors import FileError, InputError
from ls_base.files import nan_to_none, write_json
from ls_base.records import Count, Finite, Record, convert_record, read_record
from lsk_engine.runs.locking import hold_lock
from lsk_engine.settings.config import CONFIG_SCHEMA
from lsk_engine.settings.parsing import flat
from lsk_engine.studies.settings_diff import first_differences, heading, signed

RUNS, TEACHERS, STUDENTS = "runs", "teachers", "students"  # folders inside
DATA = "data"  # folder inside, of prepared data that the runs share
RESULTS_FILE = "results.json"
FIGURE_FILE = "distillation-sweep.png"  # of teachers and students, with its numbers beside it
SCHEMA = 1  # of the result
SCORE = "score"  # a task's first score, whatever its own name


def settings_file(directory: Path) -> Path:
    """Returns the file with the settings that all runs of a study share."""
    return directory / "study.json"


@contextlib.contextmanager
def study_folder(directory: Path, shared: Mapping[str, Any]) -> Iterator[None]:
    """Locks a study's folder while the block runs, and stores what its runs share.

    Args:
        directory: The folder; it is created if it does not exist.
        shared: The settings that its runs share; JSON values.

    Raises:
        InputError: If the folder holds something else, another process uses it, or it was made
            with other settings.
        FileError: If it cannot be written.
    """
    file = settings_file(directory)
    settings = json.loads(json.dumps({"schema": CONFIG_SCHEMA, **shared}))
    _check(directory, file, settings)  # before anything is written into it
    with contextlib.ExitStack() as contexts:
        try:
            contexts.enter_context(hold_lock(directory / ".lock", wait=False))
        except BlockingIOError:
            raise InputError(
                f"Expected a folder that no other study uses. Received: {directory}"
            ) from None
        _check(directory, file, settings)
        write_json(file, settings)
        yield


def _check(directory: Path, file: Path, settings: Mapping[str, Any]) -> None:
    """Raises an error if a folder holds something else than this study."""
    if not lexists(file):
        if directory.exists() and (
            not directory.is_dir() or {p.name for p in directory.iterdir()} - {".lock"}
        ):
            raise InputError(
                f"Expected a new or empty folder, or one of a study. Received: {directory}"
            )
        return
    stored = read_record(file, dict[str, Any], schema=CONFIG_SCHEMA)
    if differences := first_differences(flat(stored), flat(settings)):
        expected, received = differences
        raise InputError(
            f"Expected the settings of the study in {directory} ({expected}), or another folder. "
            f"Received: {received}"
        )


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

    @property
    def title(self) -> str:
        """The label, with the split if it is not the study's."""
        return self.label if self.split is None else f"{self.split} {self.label}"


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
    """The result of a study; `print` shows means and conclusions, at most 80 columns wide.

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
        notes: Notes that every report on these data must contain.
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
        lines = [f"{self.question} {self.task}, {self.preset}", ""]
        lines.append(f"{self.split}, {self.seeds} seed{'s' * (self.seeds != 1)}")
        for name, number in self.numbers.items():
            means = (f"{self.mean(name, arm):.4g} ({heading(of)})" for arm, of in self.arms.items())
            lines.append(_fill(f"{number.title}: {', '.join(means)}"))
        lines += ["", *(_fill(f"- {sentence}") for sentence in self.sentences)]
        missing = (f"Missing: {', '.join(runs)}: {why}" for why, runs in self.reasons().items())
        return "\n".join([*lines, *missing, *(f"Note: {note}" for note in self.notes)])

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


def _fill(text: str) -> str:
    return textwrap.fill(text, 80, subsequent_indent="  ")


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
