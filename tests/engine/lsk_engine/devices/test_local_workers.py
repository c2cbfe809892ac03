import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from ls_base.errors import InputError
from lsk_engine.devices import local_workers
from lsk_engine.devices.local_workers import worker_environments
from lsk_engine.devices.process_env import ADDRESSES, COUNT, INDEX, TF_CONFIG, VISIBLE

SCRIPT = Path(__file__).parents[3] / "support" / "supervised.py"


def start(how, folder, workers=2):
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    process = subprocess.Popen(
        [sys.executable, str(SCRIPT), str(workers), how, str(folder)],
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    _started.append(process)
    return process


_started: list[subprocess.Popen] = []


@pytest.fixture(autouse=True)
def _none_left():
    """Kills what a failed test has started."""
    yield
    while _started:
        process = _started.pop()
        process.kill()  # its workers end with it
        process.wait()
        process.stdout.close()


def pids(how, folder, workers=2) -> list[int]:
    """Waits for the workers, and returns their process IDs."""
    files = [folder / f"{how}-{index}" for index in range(workers)]
    until = time.monotonic() + 60
    while not all(file.is_file() and file.read_text() for file in files):
        assert time.monotonic() < until
        time.sleep(0.01)
    return [int(file.read_text()) for file in files]


def gone(numbers) -> bool:
    """Returns whether all processes are gone and reaped within seconds."""
    until = time.monotonic() + 10
    while time.monotonic() < until:
        if not any(Path(f"/proc/{number}").exists() for number in numbers):
            return True
        time.sleep(0.05)
    return False


def test_a_failed_worker_ends_all(tmp_path):
    process = start("end", tmp_path)
    workers = pids("end", tmp_path)
    begun = time.monotonic()
    said, _ = process.communicate(timeout=60)
    assert time.monotonic() - begun < 10
    assert process.returncode == 3
    assert "worker 1 of 2 ended with exit code 3; all were ended" in said
    assert said.splitlines()[-2:] == ["  the reason", "  of worker 1"]
    assert gone(workers)


def test_a_killed_worker_is_reported_with_exit_code_5(tmp_path):
    process = start("save", tmp_path)
    workers = pids("save", tmp_path)
    os.kill(workers[1], signal.SIGKILL)
    said, _ = process.communicate(timeout=60)
    assert process.returncode == 5
    assert "worker 1 of 2 ended with signal 9 (Killed); all were ended" in said
    assert gone(workers)


def test_a_signal_to_stop_lets_all_workers_save(tmp_path):
    process = start("save", tmp_path)
    workers = pids("save", tmp_path)
    process.send_signal(signal.SIGTERM)
    assert process.wait(60) == 143
    assert {file.name for file in tmp_path.glob("saved-*")} == {"saved-0", "saved-1"}
    assert gone(workers)


def test_workers_end_when_their_supervisor_is_killed(tmp_path):
    process = start("save", tmp_path)
    workers = pids("save", tmp_path)
    process.kill()
    process.wait()
    assert gone(workers)


def test_exit_code_is_0_if_all_workers_finish(tmp_path):
    process = start("finish", tmp_path, 3)
    said, _ = process.communicate(timeout=60)
    assert (process.returncode, said) == (0, "")
    assert gone(pids("finish", tmp_path, 3))


def test_a_worker_that_hangs_after_the_others_finished_is_killed(tmp_path, monkeypatch):
    monkeypatch.setattr(local_workers, "_SAVE_SECONDS", 1.0)
    said = []
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(sys.path))
    command = [sys.executable, str(SCRIPT), "2", "hang", str(tmp_path)]
    assert local_workers.supervise(command, 2, said.append) == 5
    assert said[0].startswith("worker 0 of 2 ended with signal 9")


def test_workers_get_the_variables_of_both_frameworks(monkeypatch):
    monkeypatch.setenv(VISIBLE, "-1")
    found = worker_environments(3)
    configs = [json.loads(environment[TF_CONFIG]) for environment in found]
    assert [config["task"]["index"] for config in configs] == [0, 1, 2]
    assert len({json.dumps(config["cluster"]) for config in configs}) == 1
    assert len({*configs[0]["cluster"]["worker"], found[0][ADDRESSES]}) == 4
    assert {(one[ADDRESSES], one[COUNT]) for one in found} == {(found[0][ADDRESSES], "3")}
    assert [one[INDEX] for one in found] == ["0", "1", "2"]


@pytest.mark.parametrize(("visible", "dealt"), [("0,1,2,3", ["0,1", "2,3"]), ("5,7,9", ["5", "7"])])
def test_gpus_are_divided_among_workers(monkeypatch, visible, dealt):
    monkeypatch.setenv(VISIBLE, visible)
    assert [one[VISIBLE] for one in worker_environments(2)] == dealt


def test_more_workers_than_gpus_are_refused(monkeypatch):
    monkeypatch.setenv(VISIBLE, "0")
    with pytest.raises(InputError, match="a GPU for each of 2 workers. Received: 1"):
        worker_environments(2)
