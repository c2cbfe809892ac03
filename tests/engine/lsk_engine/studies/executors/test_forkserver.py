"""Trainings without imports: what such a process has, and how it ends."""

import functools
import importlib
import json
import multiprocessing.forkserver
import os
import signal
import sys
import time

import pytest

from ls_base.errors import InputError
from lsk_engine.devices.gpus import VISIBLE
from lsk_engine.runs.run_directory import RunDirectory
from lsk_engine.studies.executors.forkserver import can_fork
from lsk_engine.studies.executors.local_processes import LocalProcesses
from lsk_engine.studies.jobs import Job

PROGRAM = (sys.executable, "-m", "says_what_it_finds")

pytestmark = [
    pytest.mark.tensorflow,
    pytest.mark.skipif(not can_fork(PROGRAM), reason="needs Linux without GPUs"),
]


@pytest.fixture
def job(tmp_path):
    run = RunDirectory(tmp_path / "run")
    run.path.mkdir()
    return Job("one", "run", run, functools.partial(RunDirectory.create, run.path, {}))


def until(happened):
    deadline = time.monotonic() + 60
    while not (value := happened()):
        assert time.monotonic() < deadline
        time.sleep(0.01)
    return value


def test_who_may_be_forked(monkeypatch):
    assert not can_fork([])
    assert not can_fork([sys.executable, "-c", "pass"])
    assert not can_fork(["python", "-m", "lsk"])
    monkeypatch.setenv(VISIBLE, "0")
    assert not can_fork(PROGRAM)
    monkeypatch.setenv(VISIBLE, "-1")
    assert can_fork(PROGRAM)
    monkeypatch.setenv("KERAS_BACKEND", "jax")
    assert not can_fork(PROGRAM)


def test_it_is_a_program_that_has_its_imports(job, monkeypatch):
    monkeypatch.setenv("TF_NUM_INTRAOP_THREADS", "7")
    with LocalProcesses(PROGRAM, 2) as trainings:
        trainings.start(job)
        assert trainings.room() == 1
        ((ended, ending),) = until(trainings.ended)
        assert trainings.room() == 2
    assert (ended, ending) == (job, (3, "told"))
    assert json.loads((job.run.path / "found.json").read_text()) == {
        "imported": True,
        "leads": True,  # so that Ctrl-C in the terminal is not for it
        "threads": "7",
        "program": "says_what_it_finds.py",
    }


def test_it_is_stopped(job):
    with LocalProcesses((*PROGRAM, "wait"), 1) as trainings:
        trainings.start(job)
        until((job.run.path / "found.json").exists)
        trainings.stop()
        ((_, ending),) = trainings.ended()
    assert ending == (-signal.SIGTERM, "told")


def test_what_cannot_be_imported_is_left_to_the_training(monkeypatch):
    def missing():
        raise InputError("no TensorFlow")

    monkeypatch.setattr("lsk_engine.devices.backend.load_backend", missing)
    monkeypatch.delitem(sys.modules, "lsk_engine.studies.executors.preload", raising=False)
    importlib.import_module("lsk_engine.studies.executors.preload")


@pytest.mark.slow
def test_it_outlives_what_it_was_forked_from(job):
    with LocalProcesses((*PROGRAM, "wait"), 1) as trainings:
        trainings.start(job)
        until((job.run.path / "found.json").exists)
        server = multiprocessing.forkserver._forkserver._forkserver_pid
        os.kill(server, signal.SIGKILL)
        time.sleep(0.5)
        assert trainings.ended() == []
        trainings.stop()
        ((_, ending),) = trainings.ended()
    assert ending.code
    assert ending.said == "told"
