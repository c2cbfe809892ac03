"""Messages and progress of long work: on the terminal and in a log file."""

import io
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import TextIO

from ls_base.files import wrap_os_errors
from lsk_engine.progress.format import duration, per_second, wrap_message
from lsk_engine.progress.live_line import LiveLine, ProgressState, is_live

Progress = Callable[[int, int], None]  # called with the finished and the whole amount
_REDRAW = 0.2  # seconds between redraws on a terminal
# Elsewhere a line a minute, and after ten minutes one for each 10 % of the elapsed time.
_INTERVAL, _GROWTH = 60.0, 0.1


class Reporter:
    """Writes messages and progress to a stream, and messages to a log file.

    On a terminal, progress is a bar that is redrawn, in color unless `NO_COLOR` is set. Elsewhere
    it is a line a minute, which becomes rarer with time.

    Args:
        verbosity: -1: warnings only; 0: messages and progress; 1: details, too.
        stream: The stream. Default: `sys.stderr`.
        log: A file that messages are appended to, with the time; `None`: no log.
    """

    def __init__(self, verbosity: int = 0, stream: TextIO | None = None, log: Path | None = None):
        # A process may have no standard error.
        self.stream: TextIO = stream or sys.stderr or io.StringIO()
        self.verbosity, self.log = verbosity, log
        self._line = LiveLine(self.stream) if verbosity >= 0 and is_live(self.stream) else None
        self._start = time.monotonic()
        self._next_status = self._start

    def with_log(self, log: Path) -> "Reporter":
        """Returns a reporter that also appends its messages to a file."""
        self.end_stage()
        return Reporter(self.verbosity, self.stream, log)

    def message(self, text: str) -> None:
        """Writes a message."""
        self._write(text, 0)

    def detail(self, text: str) -> None:
        """Writes a message that only verbose output shows."""
        self._write(text, 1)

    def warning(self, text: str) -> None:
        """Writes a warning, in quiet output, too."""
        self._write(f"Warning: {text}", -1)

    def status(self, state: Callable[[], ProgressState | str]) -> None:
        """Shows the progress of the work, unless it was shown a moment ago.

        Args:
            state: Returns the progress or a text. It is only called if it is shown.
        """
        now = time.monotonic()
        if self.verbosity < 0 or now < self._next_status:
            return
        if self._line:
            self._next_status = now + _REDRAW
            self._line.draw(state())
        else:
            self._next_status = now + max(_INTERVAL, _GROWTH * (now - self._start))
            self.stream.write(f"{state()}\n")
            self.stream.flush()

    def start_stage(self, what: str) -> None:
        """Shows, on a terminal, a stage and its duration until something else is shown.

        Args:
            what: Work that cannot be counted, such as "compiling the first step".
        """
        if self._line:
            self._line.start_stage(what)

    def end_stage(self) -> None:
        """Removes the progress from the terminal."""
        if self._line:
            self._line.clear()

    def counter(self, what: str, unit: str) -> Progress:
        """Returns a function `(done, total)` that shows progress with rate and remaining time.

        Args:
            what: The work, such as "decoding".
            unit: The counted things, such as "examples".
        """
        start = time.monotonic()

        def show(done: int, total: int) -> None:
            rate = done / max(time.monotonic() - start, 1e-9)

            def state() -> ProgressState:
                left = duration((total - done) / max(rate, 1e-9))
                details = (f"{per_second(rate)} {unit}/s", f"{left} left")
                return ProgressState(f"{what} {done:,}/{total:,} {unit}", done, total, details)

            if done < total:
                self.status(state)
            else:
                self.end_stage()

        return show

    def _write(self, text: str, level: int) -> None:
        if self.log is not None:
            stamp = time.strftime("%Y-%m-%dT%H:%M:%S")
            with wrap_os_errors(self.log), self.log.open("a", encoding="utf-8") as file:
                file.write(f"{stamp} {text}\n")
        if self.verbosity >= level:
            wrapped = wrap_message(text, self.stream)
            if self._line:
                self._line.write(wrapped)
            else:
                self.stream.write(f"{wrapped}\n")
                self.stream.flush()
