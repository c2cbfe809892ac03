"""What a terminal shows: drawn into one of `width` columns that knows the controls in use."""

import io
import re
import threading
import time

import pytest

from lsk_engine.progress.live_line import LiveLine, Standing, clear_lines, is_live

COLOR = re.compile(r"\x1b\[[0-9;]*m")
WIDTHS = (20, 60, 80, 120, 160)
TRAINING = Standing(
    "step 12,345/390,000", 12_345, 390_000, ("loss 2.345", "123,456 tokens/s", "1 h 20 min left")
)


class Terminal(io.StringIO):
    def isatty(self):
        return True

    def lines(self):
        """Returns what has been drawn, one after another, without colors."""
        return [line for line in COLOR.sub("", self.getvalue()).split("\r\x1b[2K") if line]


@pytest.fixture(autouse=True)
def environment(monkeypatch):
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setenv("COLUMNS", "80")


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("no_color", [False, True])
@pytest.mark.parametrize(
    "shown",
    [
        TRAINING,
        Standing(
            "validation: decoding 64/1,000 examples", 64, 1000, ("2 examples/s", "8 min left")
        ),
        Standing("step 0/9", 0, 9),
        Standing("step 9/9", 9, 9, ("loss 1.000",)),
        Standing("γ of " + "run" * 50, 1, 2, ("1 example/s", "1 s left")),
        "preparing the data of 12 runs" * 9,
        "語" * 100,
    ],
    ids=str,
)
def test_no_line_is_wider_than_the_terminal(shown, width, no_color, monkeypatch):
    from rich.cells import cell_len

    monkeypatch.setenv("COLUMNS", str(width))
    if no_color:
        monkeypatch.setenv("NO_COLOR", "1")
    stream = Terminal()
    LiveLine(stream).draw(shown)
    (line,) = stream.lines()
    assert 0 < cell_len(line) < width
    assert "\n" not in stream.getvalue()
    assert bool(COLOR.search(stream.getvalue().replace("\x1b[0m", ""))) <= (not no_color)


@pytest.mark.parametrize(
    ("width", "there", "left_out"),
    [
        (40, ["1 h 20 min left"], ["loss", "tokens/s", "━"]),
        (60, ["loss 2.345", "1 h 20 min left", "━"], ["tokens/s"]),
        (80, ["loss 2.345", "123,456 tokens/s", "1 h 20 min left", "━"], []),
        (120, ["loss 2.345", "123,456 tokens/s", "1 h 20 min left", "━"], []),
    ],
)
def test_what_there_is_no_room_for_goes_the_least_needed_first(width, there, left_out, monkeypatch):
    monkeypatch.setenv("COLUMNS", str(width))
    stream = Terminal()
    LiveLine(stream).draw(TRAINING)
    (line,) = stream.lines()
    assert line.startswith("step 12,345/390,000  ")
    assert all(text in line for text in there)
    assert not any(text in line for text in left_out)


@pytest.mark.parametrize("no_color", [False, True])
def test_the_bar_is_as_long_as_what_is_done(no_color, monkeypatch):
    if no_color:
        monkeypatch.setenv("NO_COLOR", "1")
    stream, places = Terminal(), []
    line = LiveLine(stream)
    for done in (0, 5, 10):
        line.draw(Standing(f"{done:2}/10", done, 10, ("end",)))
    if no_color:
        assert [drawn.count("━") for drawn in stream.lines()] == [0, 15, 30]
    places = [drawn.index("end") for drawn in stream.lines()]
    assert len(set(places)) == 1  # numbers stay where they are


def test_the_cursor_is_never_hidden_and_the_line_goes():
    stream = Terminal()
    line = LiveLine(stream)
    line.draw(TRAINING)
    line.go_on("validating")
    line.clear()
    assert "\x1b[?25l" not in stream.getvalue()
    assert stream.getvalue().endswith("\r\x1b[2K")
    before = stream.getvalue()
    line.clear()  # nothing there: what others have written stays
    assert stream.getvalue() == before


def test_what_goes_on_is_shown_with_its_time_until_something_else_is(monkeypatch):
    monkeypatch.setattr("lsk_engine.progress.live_line._TICK", 0.01)
    seconds = iter(range(10_000))
    monkeypatch.setattr("lsk_engine.progress.live_line.time.monotonic", lambda: next(seconds))
    stream, before = Terminal(), {*threading.enumerate()}
    line = LiveLine(stream)
    line.go_on("compiling")
    deadline = time.time() + 30
    while "compiling … 3 s" not in stream.getvalue():
        assert time.time() < deadline
        time.sleep(0.005)
    with line.aside():
        stream.write("a message\n")
    while stream.lines()[-1] == "a message\n":  # it goes on below
        assert time.time() < deadline
        time.sleep(0.005)
    line.draw("step 1")
    drawn = len(stream.lines())
    time.sleep(0.1)
    assert (len(stream.lines()), stream.lines()[-1]) == (drawn, "step 1")
    assert "a message\n" in stream.lines()
    assert {*threading.enumerate()} <= before


def test_a_terminal_that_has_gone_stops_nobody(monkeypatch):
    """And no traceback comes from the thread that draws: pytest takes one for an error."""
    monkeypatch.setattr("lsk_engine.progress.live_line._TICK", 0.01)
    stream, before = Terminal(), {*threading.enumerate()}
    line = LiveLine(stream)
    line.go_on("loading")
    stream.close()
    deadline = time.time() + 30
    while {*threading.enumerate()} - before:
        assert time.time() < deadline
        time.sleep(0.005)
    clear_lines()


def test_all_lines_are_cleared_before_the_end():
    first, second = Terminal(), Terminal()
    lines = [LiveLine(first), LiveLine(second)]
    lines[0].draw("a")
    lines[1].go_on("b")
    clear_lines()
    assert all(stream.getvalue().endswith("\r\x1b[2K") for stream in (first, second))


@pytest.mark.parametrize(("term", "live"), [("xterm", True), ("dumb", False), ("", True)])
def test_a_dumb_terminal_is_none(term, live, monkeypatch):
    monkeypatch.setenv("TERM", term)
    assert is_live(Terminal()) == live
    assert not is_live(io.StringIO())
