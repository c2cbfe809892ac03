import io

import pytest

from lsk_engine.progress import Reporter, Standing, duration


class Terminal(io.StringIO):
    def isatty(self):
        return True


@pytest.fixture
def clock(monkeypatch):
    now = [100.0]
    monkeypatch.setattr("lsk_engine.progress.reporter.time.monotonic", lambda: now[0])
    return now


@pytest.fixture
def terminal(monkeypatch):
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setenv("NO_COLOR", "1")
    return Terminal()


def test_on_a_terminal_one_line_is_drawn_over(terminal):
    reporter = Reporter(stream=terminal)
    reporter.status(lambda: "step 10 of 20")
    reporter.message("epoch 1 done")
    assert terminal.getvalue() == "\r\x1b[2Kstep 10 of 20" + "\r\x1b[2K" + "epoch 1 done\n"


@pytest.mark.parametrize("stream", [io.StringIO, Terminal])
def test_elsewhere_progress_is_rare(stream, clock, monkeypatch):
    monkeypatch.setenv("TERM", "dumb")
    stream = stream()
    reporter = Reporter(stream=stream)
    reporter.going_on("loading")
    for step in range(200):
        clock[0] += 0.125
        reporter.status(lambda step=step: Standing(f"step {step}", step, 200, ("loss 1",)))
    reporter.settled()
    assert stream.getvalue() == "step 0  loss 1\nstep 80  loss 1\nstep 160  loss 1\n"


def test_quiet_shows_warnings_only_but_logs_all(tmp_path, terminal):
    for stream in (io.StringIO(), terminal):
        log = tmp_path / f"{type(stream).__name__}.txt"
        reporter = Reporter(verbosity=-1, stream=stream, log=log)
        reporter.message("hello")
        reporter.going_on("loading")
        reporter.status(lambda: "progress")
        reporter.warning("mind the gap")
        reporter.settled()
        assert stream.getvalue() == "Warning: mind the gap\n"
        assert [line.split(" ", 1)[1] for line in log.read_text().splitlines()] == [
            "hello",
            "Warning: mind the gap",
        ]


def test_counter_shows_rate_and_time_left(clock):
    stream = io.StringIO()
    show = Reporter(stream=stream).counter("decoding", "examples")
    clock[0] += 10
    show(20, 60)
    show(60, 60)
    assert stream.getvalue() == "decoding 20/60 examples  2 examples/s  20 s left\n"


def test_a_counter_that_has_ended_leaves_no_line(clock, terminal):
    show = Reporter(stream=terminal).counter("decoding", "examples")
    clock[0] += 10
    show(20, 60)
    assert "decoding 20/60 examples" in terminal.getvalue()
    assert "20 s left" in terminal.getvalue()
    show(60, 60)
    assert terminal.getvalue().endswith("\r\x1b[2K")


@pytest.mark.parametrize(
    ("seconds", "text"), [(0.4, "0 s"), (59.6, "1 min 00 s"), (3599.6, "1 h 00 min")]
)
def test_durations_round_up_into_the_next_unit(seconds, text):
    assert duration(seconds) == text
