import io

import pytest

from lsk_engine.progress import Reporter, duration


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


def test_a_terminal_shows_messages_above_the_progress(terminal):
    reporter = Reporter(stream=terminal)
    reporter.status(lambda: "step 10 of 20")
    reporter.message("epoch 1 done")
    reporter.end_stage()
    assert "step 10 of 20\r\x1b[2Kepoch 1 done\nstep 10 of 20" in terminal.getvalue()
    assert terminal.getvalue().endswith("\r\x1b[1A\x1b[2K")


@pytest.mark.parametrize("stream", [io.StringIO, Terminal])
def test_without_a_live_terminal_progress_is_a_line_a_minute_and_becomes_rarer(
    stream, clock, monkeypatch
):
    monkeypatch.setenv("TERM", "dumb")
    stream = stream()
    reporter = Reporter(stream=stream)
    reporter.start_stage("loading")
    for second in range(36_000):
        clock[0] += 1
        reporter.status(lambda second=second: str(second))
    reporter.end_stage()
    shown = [int(line) for line in stream.getvalue().splitlines()]
    assert shown[:4] == [0, 60, 120, 180]
    assert 40 < len(shown) < 70
    assert shown[-1] - shown[-2] > 1000


def test_quiet_shows_warnings_only_but_logs_all(tmp_path, terminal):
    for stream in (io.StringIO(), terminal):
        log = tmp_path / f"{type(stream).__name__}.txt"
        reporter = Reporter(verbosity=-1, stream=stream, log=log)
        reporter.message("hello")
        reporter.start_stage("loading")
        reporter.status(lambda: "progress")
        reporter.warning("mind the gap")
        reporter.end_stage()
        assert stream.getvalue() == "Warning: mind the gap\n"
        assert [line.split(" ", 1)[1] for line in log.read_text().splitlines()] == [
            "hello",
            "Warning: mind the gap",
        ]


def test_a_counter_shows_rate_and_remaining_time(clock):
    stream = io.StringIO()
    show = Reporter(stream=stream).counter("decoding", "examples")
    clock[0] += 10
    show(20, 60)
    show(60, 60)
    assert stream.getvalue() == "decoding 20/60 examples  2 examples/s  20 s left\n"


def test_a_finished_counter_is_removed(clock, terminal):
    show = Reporter(stream=terminal).counter("decoding", "examples")
    clock[0] += 10
    show(20, 60)
    assert "decoding 20/60 examples" in terminal.getvalue()
    assert "20 s left" in terminal.getvalue()
    show(60, 60)
    assert terminal.getvalue().endswith("\r\x1b[1A\x1b[2K")


@pytest.mark.parametrize(
    ("seconds", "text"), [(0.4, "0 s"), (59.6, "1 min 00 s"), (3599.6, "1 h 00 min")]
)
def test_durations_round_up_into_the_next_unit(seconds, text):
    assert duration(seconds) == text
