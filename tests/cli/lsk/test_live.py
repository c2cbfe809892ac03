"""The live bar on a pseudo-terminal: Ctrl-C leaves the terminal in order."""

import fcntl
import os
import pty
import re
import signal
import struct
import sys
import termios
import time

import pytest

from lsk_engine.runs.naming import checkpoint_steps
from lsk_engine.runs.run_directory import RunDirectory
from lsk_processes import ANEW

pytestmark = [pytest.mark.tensorflow, pytest.mark.slow]
COLUMNS = 80
TRAINING = ("train", "--task", "image", "--epochs", "3000")


def on_a_terminal(*arguments, interrupt_at):
    """Runs `lsk` on a terminal and interrupts it; returns what was drawn, and the exit code."""
    pid, terminal = pty.fork()
    if pid == 0:
        fcntl.ioctl(0, termios.TIOCSWINSZ, struct.pack("HHHH", 40, COLUMNS, 0, 0))
        signal.signal(signal.SIGINT, signal.SIG_DFL)
        environment = {k: v for k, v in os.environ.items() if k not in ("NO_COLOR", "COLUMNS")}
        os.execve(sys.executable, [*ANEW, *arguments], {**environment, "TERM": "xterm"})
    shown, interrupted, deadline = b"", False, time.monotonic() + 300
    while True:
        try:
            more = os.read(terminal, 1 << 16)
        except OSError:  # Linux says so at the end
            break
        if not more:
            break
        shown += more
        if not interrupted and re.search(interrupt_at, shown):
            os.kill(pid, signal.SIGINT)
            interrupted = True
        assert time.monotonic() < deadline
    _, status = os.waitpid(pid, 0)
    os.close(terminal)
    return shown.decode(), os.waitstatus_to_exitcode(status)


def lines_of(shown):
    """Returns what stood on a line at any time."""
    plain = re.sub(r"\x1b\[[0-9;]*m", "", shown)
    return [line.rstrip("\r") for line in re.split(r"\r\x1b\[2K|\n", plain)]


def test_ctrl_c_during_training_leaves_a_run_and_a_usable_terminal(tmp_path):
    run = tmp_path / "run"
    shown, code = on_a_terminal(*TRAINING, "--run-dir", str(run), interrupt_at=rb"images/s.* left")
    assert code == 130
    assert "\x1b[?25l" not in shown  # the cursor was never hidden
    drawn = [line for line in lines_of(shown) if "step " in line and "loss" in line]
    assert any("━" in line and "left" in line for line in drawn)
    assert max(map(len, drawn)) < COLUMNS
    whole = "\n".join(lines_of(shown))
    for what in ("loading Keras …", "loading the data …", "compiling the first step …"):
        assert what in whole
    assert whole.rstrip().endswith(f"resume with:\n  lsk train --resume {run}")
    assert re.search(r"\x1b\[2KWarning: stopped after step", shown)  # the bar was cleared
    assert len(checkpoint_steps(RunDirectory.open(run).checkpoints)) >= 1


def test_ctrl_c_during_loading_is_reported_on_its_own_line(tmp_path):
    run = tmp_path / "run"
    shown, code = on_a_terminal(*TRAINING, "--run-dir", str(run), interrupt_at=rb"loading Keras")
    assert code == 130
    assert lines_of(shown)[-2:] == ["Interrupted", ""]
    assert "\x1b[1A\x1b[2K\r\n" in shown  # the line was cleared before it was ended
    assert "\x1b[?25l" not in shown
