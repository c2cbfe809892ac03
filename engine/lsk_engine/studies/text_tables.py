"""Tables of settings and differences, at most 80 letters wide."""

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from lsk_engine.studies.settings_diff import TAUGHT_BY

WIDTH = 80
_LABEL, _COLUMN = 24, 8
_LARGEST = 1e300  # whole numbers beyond are no floats


def heading(settings: Mapping[str, Any]) -> str:
    """Returns what a combination of settings is called in a table.

    Args:
        settings: By dotted key.

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
        elif key == TAUGHT_BY:
            parts.append("no teacher" if value is None else f"student of {value}")
        elif key.startswith("distillation.") and value is None:
            continue  # of a run without a teacher
        elif key == "distillation.teacher_temperature":
            parts.append(f"T {text}")
        elif key == "training.loss":
            parts.append(text)
        elif key == "training.smoothing":
            if settings.get("training.alpha") != 0:  # what no mass follows
                parts.append(text)
        else:
            parts.append(f"{end} {text}")
    return ", ".join(parts)


def of_split(text: str, split: str | None) -> str:
    """Returns what a number is called, or a claim about it, of a split that is not the study's.

    Args:
        text: What it is called of the study's split.
        split: The split; `None`: the study's.

    Example:
    >>> of_split("spread in classes", "train"), of_split("ECE", None)
    ('train spread in classes', 'ECE')
    """
    return text if split is None else f"{split} {text}"


def columns(
    head: str, names: Sequence[str], rows: Sequence[tuple[str, Sequence[str]]]
) -> Iterator[str]:
    r"""Yields the lines of a table; columns that don't fit beside the others come below them.

    Args:
        head: What stands above the labels.
        names: Of the columns.
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
            some = (f"{_cut(cell, width - 1):>{width}}" for cell in cells[start : start + at_once])
            yield f"{_cut(label, _LABEL - 1):{_LABEL}}" + "".join(some)


def difference_line(about: str, mean: str, interval: str, verdict: str = "") -> str:
    """Returns a line of a table of differences: the longest verdict has 26 letters.

    Args:
        about: What differs.
        mean: The mean of the differences.
        interval: Its interval.
        verdict: What is said of it.
    """
    return f"{_cut(about, 21):21} {mean:>9} {interval:21} {verdict}".rstrip()


def plain(value: float) -> str:
    """Returns a number of a table; of NaN, a dash."""
    return "–" if math.isnan(value) else f"{value:.4g}"


def signed(value: float) -> str:
    """Returns a difference with its sign; of NaN, a dash.

    Example:
    >>> signed(-0.0123), signed(0.1 + 0.2 - 0.3), signed(float("nan"))
    ('-0.0123', '+0', '–')
    """
    # What is left of rounding when numbers cancel is none.
    return "–" if math.isnan(value) else f"{round(value, 12) + 0.0:+.3g}"


def span(low: float, high: float) -> str:
    """Returns an interval; of NaN, a dash."""
    return "–" if math.isnan(low) else f"{signed(low)} … {signed(high)}"


def _cut(text: str, width: int) -> str:
    return text if len(text) <= width else f"{text[: width - 1]}…"
