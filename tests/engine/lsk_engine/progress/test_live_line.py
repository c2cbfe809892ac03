"""What a terminal shows, without colors and cursor controls."""

import io
import re
import threading
import time

import pytest
from rich.cells import cell_len

from lsk_engine.progress.live_line import LiveLine, ProgressState, clear_lines, is_live

CONTROL = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]|\r")
TRAINING = ProgressState(
    "step 12,345/390,000", 12_345, 390_000, ("loss 2.345", "123,456 tokens/s", "1 h 20 min left")
)


class Terminal(io.StringIO):
    def isatty(self):
        return True

    def lines(self):
        """Returns what has been drawn, in order, without colors."""
        drawn = re.split(r"\r\x1b\[2K|\n", self.getvalue())
        return [text for line in drawn if (text := CONTROL.sub("", line))]


@pytest.fixture(autouse=True)
def environment(monkeypatch):
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setenv("COLUMNS", "80")
    yield
    clear_lines()


@pytest.mark.parametrize("width", [20, 60, 80, 120, 160])
@pytest.mark.parametrize("no_color", [False, True])
@pytest.mark.parametrize(
    "state",
    [
        TRAINING,
        ProgressState(
            "validation: decoding 64/1,000 examples", 64, 1000, ("2 examples/s", "8 min left")
        ),
        ProgressState("step 0/9", 0, 9),
        ProgressState("γ of " + "run" * 50, 1, 2, ("1 example/s", "1 s left")),
        "preparing the data of 12 runs" * 9,
        "語" * 100,
    ],
    ids=str,
)
def test_no_line_is_wider_than_the_terminal(state, width, no_color, monkeypatch):
    monkeypatch.setenv("COLUMNS", str(width))
    if no_color:
        monkeypatch.setenv("NO_COLOR", "1")
    stream = Terminal()
    LiveLine(stream).draw(state)
    assert all(0 < cell_len(line) < width for line in stream.lines())
    assert "\n" not in stream.getvalue()
    assert ("38;" in stream.getvalue()) <= (not no_color)


@pytest.mark.parametrize(
    ("width", "shown", "left_out"),
    [
        (40, ["1 h 20 min left"], ["loss", "tokens/s", "━"]),
        (60, ["loss 2.345", "1 h 20 min left", "━"], ["tokens/s"]),
        (80, ["loss 2.345", "123,456 tokens/s", "1 h 20 min left", "━"], []),
        (120, ["loss 2.345", "123,456 tokens/s", "1 h 20 min left", "━"], []),
    ],
)
def test_a_narrow_terminal_shows_the_most_important_details(width, shown, left_out, monkeypatch):
    monkeypatch.setenv("COLUMNS", str(width))
    stream = Terminal()
    LiveLine(stream).draw(TRAINING)
    line = stream.lines()[-1]
    assert line.startswith("step 12,345/390,000  ")
    assert all(text in line for text in shown)
    assert not any(text in line for text in left_out)


def test_the_bar_shows_the_finished_share(monkeypatch):
    monkeypatch.setenv("NO_COLOR", "1")
    stream = Terminal()
    line = LiveLine(stream)
    bars = {}
    for done in (0, 5, 10):
        line.draw(ProgressState(f"{done:2}/10", done, 10, ("end",)))
        bars[done] = stream.lines()[-1]
    assert [bar.count("━") for bar in bars.values()] == [0, 15, 30]
    assert len({bar.index("end") for bar in bars.values()}) == 1


def test_the_cursor_is_never_hidden_and_the_line_is_removed():
    stream = Terminal()
    line = LiveLine(stream)
    line.draw(TRAINING)
    line.start_stage("validating")
    line.clear()
    assert "\x1b[?25l" not in stream.getvalue()
    assert stream.getvalue().endswith("\x1b[2K")
    before = stream.getvalue()
    line.clear()  # nothing is shown, so nothing is erased
    assert stream.getvalue() == before


def test_a_stage_shows_its_duration_until_something_else_is_shown(monkeypatch):
    seconds = iter(range(10_000))
    monkeypatch.setattr("lsk_engine.progress.live_line.time.monotonic", lambda: next(seconds))
    stream, before = Terminal(), {*threading.enumerate()}
    line = LiveLine(stream)
    line.start_stage("compiling")
    deadline = time.time() + 30
    while "compiling … 3 s" not in stream.getvalue():
        assert time.time() < deadline
        time.sleep(0.02)
    line.write("a message")
    assert "a message" in stream.lines()
    assert stream.lines()[-1].startswith("compiling … ")
    line.draw("step 1")
    assert stream.lines()[-1] == "step 1"
    line.clear()
    while not {*threading.enumerate()} <= before:
        assert time.time() < deadline
        time.sleep(0.02)


def test_a_closed_terminal_does_not_stop_the_work():
    """pytest fails on an exception in the thread that redraws the line."""
    stream = Terminal()
    line = LiveLine(stream)
    line.start_stage("loading")
    stream.close()
    time.sleep(0.7)
    line.draw(TRAINING)
    line.write("a message")
    clear_lines()


def test_the_lines_of_all_terminals_are_removed():
    first, second = Terminal(), Terminal()
    lines = [LiveLine(first), LiveLine(second)]
    lines[0].draw("a")
    lines[1].start_stage("b")
    clear_lines()
    assert all(stream.getvalue().endswith("\x1b[2K") for stream in (first, second))


@pytest.mark.parametrize(("term", "live"), [("xterm", True), ("dumb", False), ("", True)])
def test_a_dumb_terminal_has_no_live_line(term, live, monkeypatch):
    monkeypatch.setenv("TERM", term)
    assert is_live(Terminal()) == live
    assert not is_live(io.StringIO())
