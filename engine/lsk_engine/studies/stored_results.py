"""What studies have left in their folders, read again: no arithmetic, no Keras."""

from pathlib import Path
from typing import Any, Literal

from ls_base.errors import FileError
from ls_base.records import Count, Finite, Record, convert_record, read_record
from lsk_engine.studies.study_folder import FIGURE_FILE, RESULTS_FILE


class StoredNumber(Record, frozen=True):
    """What was measured: `lsk_engine.studies.measurements.Number`."""

    label: str
    better: Literal["less", "more"] | None
    split: str | None = None


class StoredDecision(Record, frozen=True):
    """A claim about an arm and what is said of it; numbers that nobody knows are `None`."""

    name: str
    statement: str
    measure: str
    arm: str
    baseline: str
    verdict: str
    mean: Finite | None
    low: Finite | None
    high: Finite | None
    margin: Finite
    reason: str = ""
    seeds: Count | None = None
    paper: Finite | None = None
    against: str | None = None
    source: str = ""


class StoredStudy(Record, frozen=True):
    """`results.json` of a study: `lsk_engine.studies.study_result.StudyResult`."""

    question: str
    task: str
    preset: str
    split: str
    seeds: Count
    arms: dict[str, dict[str, Any]]
    numbers: dict[str, StoredNumber]
    values: dict[str, dict[str, list[Finite | None]]]
    decided: list[StoredDecision]
    shown: str
    sentences: list[str]
    missing: dict[str, str]
    notes: list[str] = []  # noqa: RUF012 - msgspec copies it


class SweptPoint(Record, frozen=True):
    """A row of the numbers beside the curves of teachers and students: a network."""

    curve: str
    alpha: Finite
    temperature: Finite
    seed: Count
    gamma: Finite
    run: str
    score: Finite


def read_study_result(directory: Path) -> StoredStudy:
    """Reads what a study found.

    Args:
        directory: The study's folder.

    Raises:
        FileError: If it isn't there or isn't whole.
    """
    file = directory / RESULTS_FILE
    found = read_record(file, StoredStudy, schema=1)
    for arm in (found.shown, *(name for one in found.decided for name in (one.arm, one.baseline))):
        if arm not in found.arms:
            raise FileError(f"Expected an arm of {file}, as in its decisions. Received: {arm!r}")
    return found


def read_curves(directory: Path) -> tuple[str, list[SweptPoint]]:
    """Reads the points of the curves of teachers and students.

    Args:
        directory: The study's folder.

    Returns:
        The name of the score, and a point a network.

    Raises:
        FileError: If they aren't there or aren't whole.
    """
    file = (directory / FIGURE_FILE).with_suffix(".json")
    rows = read_record(file, list[dict[str, Any]])
    names = [name for name in (rows[0] if rows else {}) if name not in SweptPoint.__struct_fields__]
    if len(names) != 1:
        raise FileError(
            f"Expected rows with one score in {file}. Received: {', '.join(names) or 'none'}"
        )
    (score,) = names
    renamed = [{**row, "score": row.get(score)} for row in rows]
    return score, convert_record(renamed, list[SweptPoint], str(file))
