"""Who is told how long work goes: a line that stays up to date, and a log that stays."""

import contextlib
import io
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import TextIO

from ls_base.files import wrap_os_errors
from lsk_engine.progress.format import duration, fitted, per_second
from lsk_engine.progress.live_line import LiveLine, Standing, is_live

Progress = Callable[[int, int], None]  # done, total


class Reporter:
    """Writes messages and progress to a stream (default: standard error) and a log file.

    On a terminal, progress is a bar that is drawn over and over, in colors unless `NO_COLOR` is
    set; elsewhere, and on a dumb terminal, it is a line every 10 seconds.

    Args:
        verbosity: -1: only warnings; 0: messages and progress; 1: more.
        stream: Where to write; default: `sys.stderr`.
        log: A file that messages are appended to, with the time.
    """

    def __init__(self, verbosity: int = 0, stream: TextIO | None = None, log: Path | None = None):
        # A process may be started without a standard error.
        self.stream: TextIO = stream or sys.stderr or io.StringIO()
        self.verbosity, self.log = verbosity, log
        self._line = LiveLine(self.stream) if verbosity >= 0 and is_live(self.stream) else None
        self._shown = 0.0

    def with_log(self, log: Path) -> "Reporter":
        """Returns a reporter that also appends its messages to a file."""
        self.settled()
        return Reporter(self.verbosity, self.stream, log)

    def message(self, text: str) -> None:
        """Says something that stays."""
        self._say(text, 0)

    def detail(self, text: str) -> None:
        """Says something for those who asked for more."""
        self._say(text, 1)

    def warning(self, text: str) -> None:
        """Says something that must be seen."""
        self._say(f"Warning: {text}", -1)

    def status(self, shown: Callable[[], Standing | str]) -> None:
        """Shows where the work stands, at most a few times a second.

        Args:
            shown: Returns it: a bar and numbers, or words. It isn't called where nothing is shown.
        """
        now = time.monotonic()
        if self.verbosity < 0 or now - self._shown < (0.2 if self._line else 10.0):
            return
        self._shown = now
        if self._line:
            self._line.draw(shown())
        else:
            self.stream.write(f"{shown()}\n")
            self.stream.flush()

    def going_on(self, what: str) -> None:
        """Shows, on a terminal, what goes on and for how long, until something else is shown.

        Args:
            what: What can't be counted, such as "compiling the first step".
        """
        if self._line:
            self._line.go_on(what)

    def settled(self) -> None:
        """Shows that nothing goes on any more."""
        if self._line:
            self._line.clear()

    def counter(self, what: str, unit: str) -> Progress:
        """Returns a function `(done, total)` that shows progress with rate and time left.

        Args:
            what: What is done.
            unit: What is counted.
        """
        start = time.monotonic()

        def show(done: int, total: int) -> None:
            rate = done / max(time.monotonic() - start, 1e-9)

            def standing() -> Standing:
                left = duration((total - done) / max(rate, 1e-9))
                details = (f"{per_second(rate)} {unit}/s", f"{left} left")
                return Standing(f"{what} {done:,}/{total:,} {unit}", done, total, details)

            if done < total:
                self.status(standing)
            else:
                self.settled()

        return show

    def _say(self, text: str, level: int) -> None:
        if self.log is not None:
            stamp = time.strftime("%Y-%m-%dT%H:%M:%S")
            with wrap_os_errors(self.log), self.log.open("a", encoding="utf-8") as file:
                file.write(f"{stamp} {text}\n")
        if self.verbosity >= level:
            with self._line.aside() if self._line else contextlib.nullcontext():
                self.stream.write(f"{fitted(text, self.stream)}\n")
                self.stream.flush()
