"""The last line of a terminal, kept up to date: a bar, or what goes on and for how long.

The cursor is never hidden, so that nothing has to bring it back, however a process ends.
"""

import contextlib
import dataclasses
import os
import threading
import time
import weakref
from collections.abc import Iterator
from typing import TYPE_CHECKING, TextIO

from lsk_engine.progress.format import duration

if TYPE_CHECKING:
    from rich.console import Console

_TICK = 0.5  # seconds between two looks of what goes on
_BAR, _LEAST_BAR = 30, 8  # columns
_GAP = "  "


@dataclasses.dataclass(frozen=True)
class Standing:
    """Where work stands; as text, the line that is written where there is no terminal.

    Attributes:
        what: What is counted and how far it is, such as `step 120/450`.
        done: How much is done.
        total: Of how much.
        details: More, such as the loss, the rate, the time left. Where a terminal is too narrow,
            the last but one goes first.

    Example:
    >>> str(Standing("step 5/9", 5, 9, ("loss 2.31", "4 s left")))
    'step 5/9  loss 2.31  4 s left'
    """

    what: str
    done: int
    total: int
    details: tuple[str, ...] = ()

    def __str__(self) -> str:
        return _GAP.join((self.what, *self.details))

    def fitting(self, width: int) -> "Standing":
        """Returns the same with as many details as a width holds.

        Args:
            width: In columns.
        """
        details = self.details
        while details and len(_GAP.join((self.what, *details))) > width:
            details = (*details[:-2], details[-1]) if len(details) > 1 else ()
        return dataclasses.replace(self, details=details)


class LiveLine:
    """Draws one line at the bottom of a terminal over and over; no line is wider than it.

    Args:
        stream: The terminal.
    """

    def __init__(self, stream: TextIO):
        self.stream = stream
        self._there: Console | None = None
        self._drawn = False
        self._lock = threading.RLock()
        self._ended = threading.Event()
        _LINES.add(self)

    def draw(self, shown: "Standing | str") -> None:
        """Shows where work stands, in place of what is shown.

        Args:
            shown: A bar and numbers, or words.
        """
        self._ended.set()
        self._draw(shown)

    def go_on(self, what: str) -> None:
        """Shows what goes on and for how long, until something else is shown.

        Args:
            what: Such as "compiling the first step".
        """
        self._ended.set()
        self._ended = ended = threading.Event()
        start = time.monotonic()

        def look() -> bool:
            with self._lock:
                if not ended.is_set():
                    self._draw(f"{what} … {duration(time.monotonic() - start)}")
            return ended.wait(_TICK)

        def tick() -> None:
            with contextlib.suppress(OSError, ValueError):  # the terminal has gone
                while not look():
                    pass

        self._draw(f"{what} …")
        threading.Thread(target=tick, daemon=True).start()

    @contextlib.contextmanager
    def aside(self) -> Iterator[None]:
        """Makes room for other lines while the block runs; what goes on is shown below them."""
        with self._lock:
            if self._drawn:
                self._erase()
            yield

    def clear(self) -> None:
        """Shows nothing any more."""
        self._ended.set()
        with self.aside():
            pass

    def _draw(self, shown: "Standing | str") -> None:
        with self._lock, self._console as console:  # one write: nothing flickers
            self._erase()
            width = console.width - 1  # in the last column, some terminals begin another line
            for part in parts(shown, console, width):
                console.print(part, end="", width=width, no_wrap=True, overflow="ellipsis")
            self._drawn = True

    def _erase(self) -> None:
        from rich.control import Control
        from rich.segment import ControlType

        self._console.control(
            Control((ControlType.CARRIAGE_RETURN,), (ControlType.ERASE_IN_LINE, 2))
        )
        self._drawn = False

    @property
    def _console(self) -> "Console":
        if self._there is None:
            from rich.console import Console  # who sees no line needn't wait for it

            self._there = Console(
                file=self.stream, force_terminal=True, highlight=False, markup=False, emoji=False
            )
        return self._there


def is_live(stream: TextIO) -> bool:
    """Returns whether a line of a stream can be kept up to date: of a terminal that isn't dumb."""
    return stream.isatty() and os.environ.get("TERM", "").lower() not in ("dumb", "unknown")


def clear_lines() -> None:
    """Clears the lines of all terminals, before an error is told or the process ends."""
    for line in list(_LINES):
        with contextlib.suppress(OSError, ValueError):  # the terminal has gone
            line.clear()


def parts(shown: "Standing | str", console: "Console", width: int) -> Iterator[object]:
    """Yields what a line consists of, in no more columns than there are.

    Args:
        shown: A bar and numbers, or words.
        console: Where it is shown: colors, letters.
        width: Columns.
    """
    from rich.cells import cell_len, set_cell_size
    from rich.progress_bar import ProgressBar
    from rich.segment import Segment, Segments
    from rich.text import Text

    if isinstance(shown, str):
        yield Text(shown if cell_len(shown) <= width else set_cell_size(shown, width))
        return
    shown = shown.fitting(width)
    room = width - cell_len(str(shown)) - len(_GAP)
    if room < _LEAST_BAR:
        text = str(shown)
        yield Text(text if cell_len(text) <= width else set_cell_size(text, width))
        return
    columns = min(room, _BAR)
    yield Text(shown.what + _GAP)
    bar = ProgressBar(total=max(shown.total, 1), completed=shown.done, width=columns)
    drawn = list(console.render(bar))
    # Without colors, rich leaves out what is yet to be done.
    rest = columns - Segment.get_line_length(drawn)
    yield Segments([*drawn, Segment(" " * rest)])
    if shown.details:
        yield Text(_GAP + _GAP.join(shown.details))


_LINES: "weakref.WeakSet[LiveLine]" = weakref.WeakSet()
