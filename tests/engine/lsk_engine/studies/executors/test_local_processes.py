"""Local processes: their cores and GPUs, and trainings forked from a server."""

import functools
import io
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from lsk_engine.devices.process_env import VISIBLE
from lsk_engine.progress import Reporter
from lsk_engine.runs.run_directory import RunDirectory
from lsk_engine.studies.executors.executor import ExitStatus
from lsk_engine.studies.executors.local_processes import (
    LocalProcesses,
    can_fork,
    worker_environments,
)
from lsk_engine.studies.executors.run_jobs import run_jobs
from lsk_engine.studies.jobs import Job
from stored_files import metrics

PROGRAM = (sys.executable, "-m", "says_what_it_finds")
forks = pytest.mark.skipif(not can_fork(PROGRAM), reason="needs Linux without GPUs")


def make_job(folder, name="run"):
    run = RunDirectory(folder / name)
    return Job(name, "run", run, functools.partial(RunDirectory.create, run.path, {"name": name}))


def wait_for(condition):
    deadline = time.monotonic() + 60
    while not (value := condition()):
        assert time.monotonic() < deadline
        time.sleep(0.01)
    return value


def test_cores_are_divided_and_variables_of_the_user_are_kept(monkeypatch):
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: set(range(8)), raising=False)
    for name in ("TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS", "OMP_NUM_THREADS"):
        monkeypatch.delenv(name, raising=False)
    assert [one["TF_NUM_INTRAOP_THREADS"] for one in worker_environments(3)] == ["2"] * 3
    assert worker_environments(16)[0]["OMP_NUM_THREADS"] == "1"
    assert worker_environments(1) == [dict(os.environ)]
    monkeypatch.setenv("OMP_NUM_THREADS", "5")
    assert worker_environments(4)[3]["OMP_NUM_THREADS"] == "5"


@pytest.mark.parametrize(
    ("visible", "workers", "expected"),
    [
        ("4,GPU-ab,7", 2, ["4", "GPU-ab"]),
        ("4,GPU-ab,7", 5, ["4", "GPU-ab", "7", "4", "GPU-ab"]),
        ("4,GPU-ab,7", 1, ["4,GPU-ab,7"]),
        ("-1", 2, ["-1", "-1"]),
    ],
)
def test_workers_take_turns_with_the_gpus(monkeypatch, visible, workers, expected):
    monkeypatch.setenv(VISIBLE, visible)
    assert [one[VISIBLE] for one in worker_environments(workers)] == expected


def test_a_run_gets_the_gpu_of_a_finished_one(tmp_path, monkeypatch):
    """The first two runs train side by side; the third gets the GPU of the one that has ended."""
    monkeypatch.setenv(VISIBLE, "0,1")
    jobs = [make_job(tmp_path, name) for name in ("long", "short", "next")]
    code = f"""
import os, pathlib, sys, time
run = pathlib.Path(sys.argv[1])
(run / "gpu").write_text(os.environ["{VISIBLE}"])
while run.name == "long" and not (run.parent / "next" / "gpu").exists():
    time.sleep(0.01)
(run / "metrics.json").write_text({json.dumps(metrics())!r})
"""
    executor = LocalProcesses([sys.executable, "-S", "-c", code], 2)
    run_jobs(jobs, executor, Reporter(stream=io.StringIO()))
    assert [(one.run.path / "gpu").read_text() for one in jobs] == ["0", "1", "1"]


@forks
@pytest.mark.tensorflow
def test_which_commands_are_forked(monkeypatch):
    assert not can_fork([])
    assert not can_fork([sys.executable, "-c", "pass"])
    assert not can_fork(["python", "-m", "lsk"])
    monkeypatch.setenv(VISIBLE, "0")
    assert not can_fork(PROGRAM)
    monkeypatch.setenv(VISIBLE, "-1")
    assert can_fork(PROGRAM)
    monkeypatch.setenv("KERAS_BACKEND", "jax")
    assert not can_fork(PROGRAM)


@forks
@pytest.mark.tensorflow
def test_a_forked_command_is_like_a_started_one_with_its_imports_done(tmp_path, monkeypatch):
    monkeypatch.setenv("TF_NUM_INTRAOP_THREADS", "7")
    job = make_job(tmp_path)
    job.run.path.mkdir()
    with LocalProcesses(PROGRAM, 2) as executor:
        executor.start(job)
        (ended,) = wait_for(executor.poll)
    assert ended == (job, ExitStatus(3, "no luck"))
    assert json.loads((job.run.path / "found.json").read_text()) == {
        "imported": True,
        "leads": True,  # a session of its own, which Ctrl-C in the terminal does not reach
        "threads": "7",
        "program": "says_what_it_finds.py",
    }


@forks
@pytest.mark.tensorflow
def test_a_forked_command_is_stopped_by_sigterm(tmp_path):
    job = make_job(tmp_path)
    job.run.path.mkdir()
    with LocalProcesses((*PROGRAM, "wait"), 1) as executor:
        executor.start(job)
        wait_for((job.run.path / "found.json").exists)
        executor.stop()
        ((_, status),) = executor.poll()
    assert status == (-signal.SIGTERM, "no luck", None)


STUDY = """
import pathlib, sys, time
from lsk_engine.runs.run_directory import RunDirectory
from lsk_engine.studies.executors.local_processes import LocalProcesses, can_fork
from lsk_engine.studies.jobs import Job
command = (sys.executable, "-m", "says_what_it_finds", "wait", "watch")
with LocalProcesses(command, 1) as executor:
    executor.forks = executor.forks and sys.argv[2] == "forked"
    executor.start(Job("one", "run", RunDirectory(pathlib.Path(sys.argv[1])), lambda: None))
    time.sleep(60)
"""


@forks
@pytest.mark.tensorflow
@pytest.mark.parametrize("how", ["forked", "started"])
def test_trainings_stop_when_their_study_is_killed(tmp_path, how):
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    study = subprocess.Popen([sys.executable, "-c", STUDY, tmp_path, how], env=environment)
    found = tmp_path / "found.json"
    wait_for(lambda: found.exists() and found.read_text())
    study.kill()
    study.wait()
    training = Path(f"/proc/{(tmp_path / 'pid').read_text()}/cmdline")
    wait_for(lambda: not training.exists() or not training.read_bytes())
