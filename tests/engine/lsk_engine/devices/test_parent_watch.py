import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from lsk_engine.devices.parent_watch import WATCHED, stop_with_parent, watch_variables

# A parent that starts a watched child and waits; the child writes its ID and whether it saved.
CHILD = """
import os, pathlib, signal, sys, time
from lsk_engine.devices.parent_watch import WATCHED, stop_with_parent
def save(*_):
    pathlib.Path(sys.argv[1] + ".saved").touch()
    sys.exit(143)
signal.signal(signal.SIGTERM, save)
stop_with_parent()
assert WATCHED not in os.environ
pathlib.Path(sys.argv[1]).write_text(str(os.getpid()))
time.sleep(60)
"""
PARENT = f"""
import os, signal, subprocess, sys
from lsk_engine.devices.parent_watch import watch_variables
more = watch_variables(signal.Signals[sys.argv[2]])
subprocess.run([sys.executable, "-c", {CHILD!r}, sys.argv[1]], env={{**os.environ, **more}})
"""


@pytest.mark.parametrize(("number", "saves"), [("SIGTERM", True), ("SIGKILL", False)])
def test_a_process_stops_within_seconds_when_its_parent_is_killed(tmp_path, number, saves):
    file = tmp_path / "pid"
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    parent = subprocess.Popen([sys.executable, "-c", PARENT, file, number], env=environment)
    deadline = time.monotonic() + 60
    while not file.exists() or not file.read_text():
        assert time.monotonic() < deadline
        time.sleep(0.01)
    parent.kill()
    parent.wait()
    child = Path(f"/proc/{file.read_text()}/cmdline")
    while child.exists() and child.read_bytes():
        assert time.monotonic() < deadline
        time.sleep(0.05)
    assert (tmp_path / "pid.saved").exists() == saves


def test_nothing_is_watched_unless_a_parent_asks_for_it(monkeypatch):
    monkeypatch.delenv(WATCHED, raising=False)
    before = time.monotonic()
    stop_with_parent()
    assert time.monotonic() - before < 1
    assert watch_variables(signal.SIGTERM) == {WATCHED: f"{os.getpid()}:15"}
