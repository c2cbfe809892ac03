"""The last line of a terminal: a progress bar, or the current stage and its duration."""

import contextlib
import dataclasses
import io
import os
import time
import weakref
from collections.abc import Callable
from typing import TYPE_CHECKING, TextIO

from lsk_engine.progress.format import duration

# Rich is imported where it is used: commands without progress must not wait for it.
if TYPE_CHECKING:
    from rich.console import RenderableType
    from rich.live import Live

_BAR, _MIN_BAR = 30, 8  # columns
_GAP = "  "


@dataclasses.dataclass(frozen=True)
class ProgressState:
    """How far work is; as text, the line for streams that are not a terminal.

    Attributes:
        what: The counted work and its count, such as `step 120/450`.
        done: The finished amount.
        total: The whole amount.
        details: More numbers, such as loss, rate and remaining time. If a terminal is too narrow,
            the last but one is left out first.

    Example:
    >>> str(ProgressState("step 5/9", 5, 9, ("loss 2.31", "4 s left")))
    'step 5/9  loss 2.31  4 s left'
    """

    what: str
    done: int
    total: int
    details: tuple[str, ...] = ()

    def __str__(self) -> str:
        return _GAP.join((self.what, *self.details))

    def fit(self, width: int) -> "ProgressState":
        """Returns the state with as many details as fit.

        Args:
            width: The width in columns.
        """
        details = self.details
        while details and len(_GAP.join((self.what, *details))) > width:
            details = (*details[:-2], details[-1]) if len(details) > 1 else ()
        return dataclasses.replace(self, details=details)


class LiveLine:
    """Redraws one line at the bottom of a terminal, twice a second and on every change.

    The cursor is never hidden, so a killed process leaves a usable terminal.

    Args:
        stream: The terminal.
    """

    def __init__(self, stream: TextIO):
        self.stream = stream
        self._live: Live | None = None
        self._state: Callable[[], ProgressState | str] = str
        _LINES.add(self)

    def draw(self, state: ProgressState | str) -> None:
        """Shows a state in place of the previous one.

        Args:
            state: A progress bar with numbers, or a text.
        """
        self._show(lambda: state)

    def start_stage(self, what: str) -> None:
        """Shows a stage and its duration until something else is shown.

        Args:
            what: The stage, such as "compiling the first step".
        """
        start = time.monotonic()
        self._show(lambda: f"{what} … {duration(time.monotonic() - start)}")

    def write(self, text: str) -> None:
        """Writes lines above the live line."""
        if self._live is None:
            self.stream.write(f"{text}\n")
            self.stream.flush()
        else:
            self._live.console.print(text, soft_wrap=True)

    def clear(self) -> None:
        """Removes the line."""
        live, self._live = self._live, None
        if live is not None:
            live.stop()

    def _show(self, state: Callable[[], ProgressState | str]) -> None:
        self._state = state
        if self._live is None:
            self._live = _make_live(self.stream, lambda width: _render(self._state(), width))
            self._live.start()
        self._live.refresh()


def is_live(stream: TextIO) -> bool:
    """Returns whether a stream is a terminal that can redraw a line."""
    return stream.isatty() and os.environ.get("TERM", "").lower() not in ("dumb", "unknown")


def clear_lines() -> None:
    """Removes the lines of all terminals, before an error is shown or the process ends."""
    for line in list(_LINES):
        line.clear()


class _Terminal(io.StringIO):
    """A terminal that may be closed at any time, which must not stop the work."""

    def __init__(self, stream: TextIO):
        super().__init__()
        self._stream = stream

    def write(self, text: str) -> int:
        with contextlib.suppress(OSError, ValueError):
            self._stream.write(text)
        return len(text)

    def flush(self) -> None:
        with contextlib.suppress(OSError, ValueError):
            self._stream.flush()


def _make_live(stream: TextIO, render: "Callable[[int], RenderableType]") -> "Live":
    from rich.console import Console
    from rich.live import Live

    class CursorConsole(Console):
        def show_cursor(self, show: bool = True) -> bool:
            return False

    console = CursorConsole(
        file=_Terminal(stream), force_terminal=True, highlight=False, markup=False, emoji=False
    )
    return Live(
        console=console,
        # Some terminals start a new line after the last column.
        get_renderable=lambda: render(console.width - 1),
        refresh_per_second=2,
        transient=True,
        redirect_stdout=False,
        redirect_stderr=False,
    )


def _render(state: ProgressState | str, width: int) -> "RenderableType":
    """Returns a line of at most `width` columns."""
    from rich.cells import cell_len, set_cell_size
    from rich.progress_bar import ProgressBar
    from rich.table import Table
    from rich.text import Text

    fitting = state if isinstance(state, str) else state.fit(width)
    text = str(fitting)
    bar = min(width - cell_len(text) - len(_GAP), _BAR)
    if isinstance(fitting, str) or bar < _MIN_BAR:
        return Text(text if cell_len(text) <= width else set_cell_size(text, width))
    line = Table.grid(padding=(0, len(_GAP), 0, 0))
    progress = ProgressBar(max(fitting.total, 1), fitting.done, width=bar)
    line.add_row(fitting.what, progress, *fitting.details)
    return line


_LINES: "weakref.WeakSet[LiveLine]" = weakref.WeakSet()
