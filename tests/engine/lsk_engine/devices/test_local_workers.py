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
from lsk_engine.devices.gpus import VISIBLE
from lsk_engine.devices.local_workers import worker_environments
from lsk_engine.devices.process_env import ADDRESSES, COUNT, INDEX, TF_CONFIG

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
    """Ends what a test started, should it fail."""
    yield
    while _started:
        process = _started.pop()
        process.kill()  # its workers end with it
        process.wait()
        process.stdout.close()


def pids(how, folder, workers=2) -> list[int]:
    """Waits for the workers, and returns their numbers."""
    files = [folder / f"{how}-{index}" for index in range(workers)]
    until = time.monotonic() + 60
    while not all(file.is_file() and file.read_text() for file in files):
        assert time.monotonic() < until
        time.sleep(0.01)
    return [int(file.read_text()) for file in files]


def gone(numbers) -> bool:
    """Returns whether no such process is left, within a few seconds; zombies count as left."""
    until = time.monotonic() + 10
    while time.monotonic() < until:
        if not any(Path(f"/proc/{number}").exists() for number in numbers):
            return True
        time.sleep(0.05)
    return False


def test_a_worker_that_ends_before_its_time_ends_all(tmp_path):
    process = start("end", tmp_path)
    workers = pids("end", tmp_path)
    begun = time.monotonic()
    said, _ = process.communicate(timeout=60)
    assert time.monotonic() - begun < 10
    assert process.returncode == 3
    assert "worker 1 of 2 ended with exit code 3; all were ended" in said
    assert said.splitlines()[-2:] == ["  the reason", "  of worker 1"]
    assert gone(workers)


def test_a_worker_that_was_killed_is_told(tmp_path):
    process = start("save", tmp_path)
    workers = pids("save", tmp_path)
    os.kill(workers[1], signal.SIGKILL)
    said, _ = process.communicate(timeout=60)
    assert process.returncode == 128 + signal.SIGKILL
    assert "worker 1 of 2 ended with signal 9 (Killed); all were ended" in said
    assert gone(workers)


def test_a_signal_lets_all_save(tmp_path):
    process = start("save", tmp_path)
    workers = pids("save", tmp_path)
    process.send_signal(signal.SIGTERM)
    assert process.wait(60) == 143
    assert {file.name for file in tmp_path.glob("saved-*")} == {"saved-0", "saved-1"}
    assert gone(workers)


def test_workers_end_with_who_looks_after_them(tmp_path):
    process = start("save", tmp_path)
    workers = pids("save", tmp_path)
    process.kill()
    process.wait()
    assert gone(workers)


def test_all_that_finish_are_a_success(tmp_path):
    process = start("finish", tmp_path, 3)
    said, _ = process.communicate(timeout=60)
    assert (process.returncode, said) == (0, "")
    assert gone(pids("finish", tmp_path, 3))


def test_one_that_hangs_where_others_have_finished_is_ended(tmp_path, monkeypatch):
    monkeypatch.setattr(local_workers, "_SAVED_SECONDS", 1.0)
    said = []
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(sys.path))
    command = [sys.executable, str(SCRIPT), "2", "hang", str(tmp_path)]
    assert local_workers.supervise(command, 2, said.append) == 128 + signal.SIGKILL
    assert said[0].startswith("worker 0 of 2 ended with signal 9")


def test_each_worker_has_its_place_in_the_words_of_both_frameworks(monkeypatch):
    monkeypatch.setenv(VISIBLE, "-1")
    found = worker_environments(3)
    configs = [json.loads(environment[TF_CONFIG]) for environment in found]
    assert [config["task"]["index"] for config in configs] == [0, 1, 2]
    assert len({json.dumps(config["cluster"]) for config in configs}) == 1
    assert len({*configs[0]["cluster"]["worker"], found[0][ADDRESSES]}) == 4
    assert {(one[ADDRESSES], one[COUNT]) for one in found} == {(found[0][ADDRESSES], "3")}
    assert [one[INDEX] for one in found] == ["0", "1", "2"]


@pytest.mark.parametrize(("visible", "dealt"), [("0,1,2,3", ["0,1", "2,3"]), ("5,7,9", ["5", "7"])])
def test_workers_share_the_gpus(monkeypatch, visible, dealt):
    monkeypatch.setenv(VISIBLE, visible)
    assert [one[VISIBLE] for one in worker_environments(2)] == dealt


def test_more_workers_than_gpus_are_refused(monkeypatch):
    monkeypatch.setenv(VISIBLE, "0")
    with pytest.raises(InputError, match="a GPU for each of 2 workers. Received: 1"):
        worker_environments(2)
