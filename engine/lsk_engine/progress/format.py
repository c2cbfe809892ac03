"""Durations and rates as text, and messages wrapped for a terminal."""

import re
import shutil
import textwrap
from typing import TextIO

_MIN_WIDTH = 20  # columns; some terminals report 0
_COMMAND = re.compile(r"(?<=:) (?=lsk [a-z-]+ .*$)")  # a command at the end of a message


def duration(seconds: float) -> str:
    """Returns a duration as text.

    Args:
        seconds: The duration in seconds.

    Example:
    >>> duration(5), duration(95), duration(7260)
    ('5 s', '1 min 35 s', '2 h 01 min')
    """
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60:02d} s"
    return f"{whole // 3600} h {whole % 3600 // 60:02d} min"


def estimate(minutes: float) -> str:
    """Returns an approximate duration in one unit.

    Args:
        minutes: The duration in minutes.

    Example:
    >>> estimate(75), estimate(180), estimate(6000)
    ('75 min', '3 h', '4 days')
    """
    for unit, of in (("days", 1440), ("h", 60)):
        if minutes >= 2 * of:
            return f"{minutes / of:.0f} {unit}"
    return f"{minutes:.0f} min"


def per_second(rate: float) -> str:
    """Returns a rate as text: a whole number, or two digits if it is below 10.

    Args:
        rate: The count per second.

    Example:
    >>> per_second(12345.6), per_second(3.21), per_second(0.0912)
    ('12,346', '3.2', '0.091')
    """
    return f"{rate:,.0f}" if rate >= 10 else f"{rate:.2g}"


def wrap_message(text: str, stream: TextIO) -> str:
    """Returns a message for a stream: wrapped between words on a terminal, otherwise unchanged.

    Words longer than a line, such as paths, are not broken, and neither is a command at the end,
    which a shell would take for two.

    Args:
        text: The message.
        stream: The stream that the message is written to.
    """
    if not stream.isatty():
        return text
    width = max(shutil.get_terminal_size().columns, _MIN_WIDTH)
    lines = []
    for line in text.split("\n"):
        indent = line[: len(line) - len(line.lstrip())]
        words, *command = _COMMAND.split(line, maxsplit=1)
        broken = textwrap.wrap(
            words,
            width,
            subsequent_indent=f"{indent}  ",
            break_long_words=False,
            break_on_hyphens=False,
            drop_whitespace=True,
            replace_whitespace=False,
        )
        broken += [f"{indent}  {one}" for one in command]
        lines += broken if len(line) > width else [line]
    return "\n".join(lines)
