"""What a person sees of long work: one line that stays up to date, and a log that stays."""

import io
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import TextIO

from ls_base.files import writing

Progress = Callable[[int, int], None]  # done, total


class Reporter:
    """Writes messages and progress to a stream (default: standard error) and a log file.

    On a terminal, progress is one line that is overwritten; elsewhere a line every 10 seconds.

    Args:
        verbosity: -1: only warnings; 0: messages and progress; 1: more.
        stream: Where to write; default: `sys.stderr`.
        log: A file that messages are appended to, with the time.
    """

    def __init__(self, verbosity: int = 0, stream: TextIO | None = None, log: Path | None = None):
        # A process may be started without a standard error.
        self.stream: TextIO = stream or sys.stderr or io.StringIO()
        self.verbosity, self.log = verbosity, log
        self._line = ""
        self._shown = 0.0

    def message(self, text: str) -> None:
        """Says something that stays."""
        self._say(text, 0)

    def detail(self, text: str) -> None:
        """Says something for those who asked for more."""
        self._say(text, 1)

    def warning(self, text: str) -> None:
        """Says something that must be seen."""
        self._say(f"Warning: {text}", -1)

    def status(self, text: Callable[[], str], *, last: bool = False) -> None:
        """Shows where the work stands, at most a few times a second."""
        now = time.monotonic()
        interval = 0.2 if self.stream.isatty() else 10.0
        if self.verbosity < 0 or (now - self._shown < interval and not last):
            return
        self._shown = now
        if self.stream.isatty():
            line = text()
            self.stream.write("\r" + line + " " * (len(self._line) - len(line)))
            self._line = line
            if last:
                self._end_line()
        else:
            self.stream.write(text() + "\n")
        self.stream.flush()

    def counter(self, what: str, unit: str) -> Callable[[int, int], None]:
        """Returns a function `(done, total)` that shows progress with rate and time left."""
        start = time.monotonic()

        def show(done: int, total: int) -> None:
            rate = done / max(time.monotonic() - start, 1e-9)
            left = duration((total - done) / max(rate, 1e-9))

            def text() -> str:
                return f"{what} {done:,}/{total:,} {unit}  {per_second(rate)} {unit}/s  {left} left"

            if done < total:
                self.status(text)
            else:
                self._end_line()

        return show

    def _say(self, text: str, level: int) -> None:
        if self.log is not None:
            stamp = time.strftime("%Y-%m-%dT%H:%M:%S")
            with writing(self.log), self.log.open("a", encoding="utf-8") as file:
                file.write(f"{stamp} {text}\n")
        if self.verbosity >= level:
            self._end_line()
            self.stream.write(text + "\n")
            self.stream.flush()

    def _end_line(self) -> None:
        if self._line:
            self.stream.write("\r" + " " * len(self._line) + "\r")
            self._line = ""


def duration(seconds: float) -> str:
    """Returns seconds as people write them.

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


def per_second(rate: float) -> str:
    """Returns a rate as people write it: whole, or with two digits where it is small.

    Example:
    >>> per_second(12345.6), per_second(3.21), per_second(0.0912)
    ('12,346', '3.2', '0.091')
    """
    return f"{rate:,.0f}" if rate >= 10 else f"{rate:.2g}"
