"""Who gets which cores and which GPU."""

import functools
import io
import json
import os
import sys

from lsk_engine.devices.gpus import VISIBLE
from lsk_engine.progress import Reporter
from lsk_engine.runs.run_directory import RunDirectory
from lsk_engine.studies.executors.local_processes import LocalProcesses, worker_environments
from lsk_engine.studies.executors.run_jobs import run_jobs
from lsk_engine.studies.jobs import Job
from stored_files import metrics


def test_cores_are_divided_and_what_the_user_set_stays(monkeypatch):
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: set(range(8)), raising=False)
    for name in ("TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS", "OMP_NUM_THREADS"):
        monkeypatch.delenv(name, raising=False)
    assert [one["TF_NUM_INTRAOP_THREADS"] for one in worker_environments(3)] == ["2"] * 3
    assert worker_environments(16)[0]["OMP_NUM_THREADS"] == "1"
    assert worker_environments(1) == [dict(os.environ)]
    monkeypatch.setenv("OMP_NUM_THREADS", "5")
    assert worker_environments(4)[3]["OMP_NUM_THREADS"] == "5"


def test_gpus_are_dealt_out(monkeypatch):
    def dealt(workers):
        return [one[VISIBLE] for one in worker_environments(workers)]

    monkeypatch.setenv(VISIBLE, "4,GPU-ab,7")
    assert dealt(2) == ["4", "GPU-ab"]
    assert dealt(5) == ["4", "GPU-ab", "7", "4", "GPU-ab"]
    assert dealt(1) == ["4,GPU-ab,7"]
    monkeypatch.setenv(VISIBLE, "-1")
    assert dealt(2) == ["-1", "-1"]


def test_a_worker_gets_the_gpu_that_is_free(tmp_path, monkeypatch):
    """The first two run beside one another; the third, on the GPU of the one that has ended."""
    monkeypatch.setenv(VISIBLE, "0,1")
    jobs = []
    for name in ("long", "short", "next"):
        run = RunDirectory(tmp_path / name)
        create = functools.partial(RunDirectory.create, run.path, {"name": name})
        jobs.append(Job(name, "run", run, create))
    text = json.dumps(metrics())
    code = f"""
import os, pathlib, sys, time
run = pathlib.Path(sys.argv[1])
(run / "gpu").write_text(os.environ["{VISIBLE}"])
while run.name == "long" and not (run.parent / "next" / "gpu").exists():
    time.sleep(0.01)
(run / "metrics.json").write_text({text!r})
"""
    trainings = LocalProcesses([sys.executable, "-S", "-c", code], 2)
    run_jobs(jobs, trainings, Reporter(stream=io.StringIO()))
    assert [(one.run.path / "gpu").read_text() for one in jobs] == ["0", "1", "1"]
