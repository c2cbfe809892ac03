"""Plain-text tables of settings and differences, at most 80 characters wide."""

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from lsk_engine.studies.settings_diff import TEACHER_RUN

WIDTH = 80
_LABEL, _COLUMN = 24, 8
_LARGEST = 1e300  # larger integers cannot be formatted as floats


def heading(settings: Mapping[str, Any]) -> str:
    """Returns the name of a combination of settings in a table.

    Args:
        settings: Settings by dotted key.

    Example:
    >>> heading({"training.alpha": 0.1}), heading({"training.alpha": 0.0, "data.size": 100})
    ('α 0.1', 'hard, size 100')
    >>> [heading({"training.alpha": a, "training.smoothing": "unigram"}) for a in (0.0, 0.1)]
    ['hard', 'α 0.1, unigram']
    >>> heading({"teacher.training.alpha": 0.1, "distillation.teacher_temperature": 2.0})
    'α 0.1 teacher, T 2'
    >>> [heading({"distillation.teacher": t}) for t in (None, "digits-alpha0.1")]
    ['no teacher', 'student of digits-alpha0.1']
    """
    parts = []
    for key, value in settings.items():
        end = key.rpartition(".")[2]
        number = isinstance(value, int | float) and not isinstance(value, bool)
        number = number and abs(value) <= _LARGEST
        text = f"{value:g}" if number else str(value)
        if key.endswith("training.alpha"):
            smoothed = "hard" if value == 0 else f"α {text}"
            parts.append(f"{smoothed} teacher" if key.startswith("teacher.") else smoothed)
        elif key == TEACHER_RUN:
            parts.append("no teacher" if value is None else f"student of {value}")
        elif key.startswith("distillation.") and value is None:
            continue  # a run without a teacher
        elif key == "distillation.teacher_temperature":
            parts.append(f"T {text}")
        elif key == "training.loss":
            parts.append(text)
        elif key == "training.smoothing":
            if settings.get("training.alpha") != 0:
                parts.append(text)
        else:
            parts.append(f"{end} {text}")
    return ", ".join(parts)


def of_split(text: str, split: str | None) -> str:
    """Returns the label of a number, or of a claim about it, with its split if it is another one.

    Args:
        text: The label without split.
        split: The split; `None`: the study's.

    Example:
    >>> of_split("spread in classes", "train"), of_split("ECE", None)
    ('train spread in classes', 'ECE')
    """
    return text if split is None else f"{split} {text}"


def columns(
    head: str, names: Sequence[str], rows: Sequence[tuple[str, Sequence[str]]]
) -> Iterator[str]:
    r"""Yields the lines of a table; columns that do not fit are continued below.

    Args:
        head: Heading of the labels.
        names: Headings of the columns.
        rows: A label and a cell for each column.

    Example:
    >>> print(*columns("test", ["hard", "α 0.1"], [("ECE", ["0.15", "0.024"])]), sep="\n")
    test                        hard   α 0.1
    ECE                         0.15   0.024
    """
    width = min(max(_COLUMN, max(map(len, names)) + 2), WIDTH - _LABEL)
    at_once = (WIDTH - _LABEL) // width
    for start in range(0, len(names), at_once):
        if start:
            yield ""
        for label, cells in ((head, names), *rows):
            part = (f"{_cut(cell, width - 1):>{width}}" for cell in cells[start : start + at_once])
            yield f"{_cut(label, _LABEL - 1):{_LABEL}}" + "".join(part)


def difference_line(label: str, mean: str, interval: str, verdict: str = "") -> str:
    """Returns a line of a table of differences.

    Args:
        label: What differs.
        mean: Mean of the differences.
        interval: Its interval.
        verdict: The verdict.
    """
    return f"{_cut(label, 25):25} {mean:>9} {interval:23} {verdict}".rstrip()


def plain(value: float) -> str:
    """Returns a number for a table; a dash for NaN."""
    return "–" if math.isnan(value) else f"{value:.4g}"


def signed(value: float) -> str:
    """Returns a difference with its sign; a dash for NaN.

    Example:
    >>> signed(-0.0123), signed(0.1 + 0.2 - 0.3), signed(float("nan"))
    ('-0.0123', '+0', '–')
    """
    # Rounded, so that numbers that cancel give 0.
    return "–" if math.isnan(value) else f"{round(value, 12) + 0.0:+.3g}"


def span(low: float, high: float) -> str:
    """Returns an interval; a dash for NaN."""
    return "–" if math.isnan(low) else f"{signed(low)} … {signed(high)}"


def _cut(text: str, width: int) -> str:
    return text if len(text) <= width else f"{text[: width - 1]}…"
