import io

import pytest

from lsk_engine.progress import Reporter, duration


class Terminal(io.StringIO):
    def isatty(self):
        return True


def test_on_a_terminal_one_line_is_overwritten():
    stream = Terminal()
    reporter = Reporter(stream=stream)
    reporter.status(lambda: "step 10 of 20")
    reporter.message("epoch 1 done")
    assert stream.getvalue() == "\rstep 10 of 20" + "\r" + " " * 13 + "\r" + "epoch 1 done\n"


def test_elsewhere_progress_is_rare(monkeypatch):
    clock = [100.0]
    monkeypatch.setattr("lsk_engine.progress.time.monotonic", lambda: clock[0])
    stream = io.StringIO()
    reporter = Reporter(stream=stream)
    for _ in range(200):
        clock[0] += 0.1
        reporter.status(lambda: "x")
    assert stream.getvalue() == "x\n" * 2


def test_quiet_shows_warnings_only_but_logs_all(tmp_path):
    stream = io.StringIO()
    reporter = Reporter(verbosity=-1, stream=stream, log=tmp_path / "log.txt")
    reporter.message("hello")
    reporter.status(lambda: "progress")
    reporter.warning("mind the gap")
    assert stream.getvalue() == "Warning: mind the gap\n"
    assert [line.split(" ", 1)[1] for line in (tmp_path / "log.txt").read_text().splitlines()] == [
        "hello",
        "Warning: mind the gap",
    ]


def test_counter_shows_rate_and_time_left(monkeypatch):
    clock = [0.0]
    monkeypatch.setattr("lsk_engine.progress.time.monotonic", lambda: clock[0])
    stream = Terminal()
    show = Reporter(stream=stream).counter("decoding", "examples")
    clock[0] = 10.0
    show(20, 60)
    assert stream.getvalue() == "\rdecoding 20/60 examples  2 examples/s  20 s left"


@pytest.mark.parametrize(
    ("seconds", "text"), [(0.4, "0 s"), (59.6, "1 min 00 s"), (3599.6, "1 h 00 min")]
)
def test_durations_round_up_into_the_next_unit(seconds, text):
    assert duration(seconds) == text
