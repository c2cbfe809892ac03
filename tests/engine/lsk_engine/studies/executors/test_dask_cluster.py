"""Dask workers on this machine; the trainings are short Python programs."""

import contextlib
import io
import json
import os
import signal
import subprocess
import sys
import time

import pytest

from ls_base.errors import InputError, LsKerasError
from lsk_engine.progress import Reporter
from lsk_engine.runs.run_directory import RunDirectory
from lsk_engine.studies.executors.dask_cluster import DaskCluster, parse_local_workers
from lsk_engine.studies.executors.run_jobs import make_executor, run_jobs
from lsk_engine.studies.jobs import Job
from stored_files import metrics

pytestmark = pytest.mark.filterwarnings("ignore")  # of Dask and Tornado

# Writes its working directory and environment.
QUICK = f"""
import json, os, pathlib, sys
run = pathlib.Path(sys.argv[1])
found = {{k: os.environ.get(k) for k in ("KERAS_BACKEND", "OMP_NUM_THREADS")}}
(run / "found.json").write_text(json.dumps({{**found, "pid": os.getpid(), "folder": os.getcwd()}}))
(run / "metrics.json").write_text({json.dumps(metrics())!r})
"""
# Like a training: it locks the run, saves its state, resumes, and stops with its parent.
LONG = f"""
import pathlib, signal, sys, time
from lsk_engine.devices.parent_watch import stop_with_parent
from lsk_engine.runs.run_directory import RunDirectory
run = RunDirectory(pathlib.Path(sys.argv[1]))
steps = run.path / "steps"
def save(*_):
    (run.path / "saved").touch()
    sys.exit(130)
signal.signal(signal.SIGTERM, save)
stop_with_parent()
with run.lock():
    done = len(steps.read_text()) if steps.exists() else 0
    for step in range(done, 30):
        with steps.open("a") as file:
            file.write("." if done == 0 else "r")
        time.sleep(0.1)
    run.metrics_file.write_text({json.dumps(metrics())!r})
"""
ENDLESS = LONG.replace("range(done, 30)", "range(done, 10**6)")
FAILING = """
import sys
print("Error: Expected a finite loss. Received: nan", file=sys.stderr)
sys.exit(2)
"""


def job(folder, name):
    run = RunDirectory(folder / name)
    return Job(name, "run", run, lambda: RunDirectory.create(run.path, {"name": name}))


def command(code):
    return [sys.executable, "-c", code]


def reporter():
    return Reporter(stream=io.StringIO())


@pytest.fixture(scope="module")
def cluster(tmp_path_factory):
    """Starts a scheduler and two workers without nanny; yields their processes and the address."""
    folder = tmp_path_factory.mktemp("dask")
    file = folder / "scheduler.json"
    quiet = {"cwd": folder, "stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    program = [sys.executable, "-m", "dask"]
    at = ["--scheduler-file", str(file)]
    local = ["--host", "127.0.0.1", "--no-dashboard"]
    with contextlib.ExitStack() as held:

        def start(*arguments):
            process = subprocess.Popen([*program, *arguments], **quiet)
            held.callback(process.wait)
            held.callback(process.kill)
            return process

        start("scheduler", *at, *local, "--port", "0")
        workers = [
            start("worker", *at, *local, "--nthreads", "1", "--no-nanny", "--name", f"w{i}")
            for i in range(2)
        ]
        deadline = time.monotonic() + 120
        while not file.exists():
            assert time.monotonic() < deadline
            time.sleep(0.1)
        address = json.loads(file.read_text())["address"]
        with DaskCluster([], address, reporter()) as executor:
            while executor.capacity() < 2:
                assert time.monotonic() < deadline
                time.sleep(0.1)
        yield workers, address


def test_workers_train_a_run_each(tmp_path, monkeypatch, cluster):
    monkeypatch.setenv("KERAS_BACKEND", "jax")
    monkeypatch.chdir(tmp_path)
    jobs = [job(tmp_path, name) for name in "abc"]
    log = reporter()
    run_jobs(jobs, DaskCluster(command(QUICK), cluster[1], log), log)
    found = [json.loads((one.run.path / "found.json").read_text()) for one in jobs]
    assert {one["KERAS_BACKEND"] for one in found} == {"jax"}
    assert {one["folder"] for one in found} == {str(tmp_path)}
    assert "2 workers at tcp://127.0.0.1" in log.stream.getvalue()
    assert "3/3  " in log.stream.getvalue()


def test_a_failure_reports_the_error_of_the_run(tmp_path, cluster):
    failing, other = job(tmp_path, "failing"), job(tmp_path, "other")
    code = f"import sys\nexec({FAILING!r} if sys.argv[1].endswith('failing') else {QUICK!r})"
    failed = run_jobs(
        [failing, other],
        DaskCluster(command(code), cluster[1], reporter()),
        reporter(),
        keep_going=True,
    )
    assert "exit code 2: Expected a finite loss. Received: nan" in str(failed[failing])
    assert other.finished


def test_ctrl_c_lets_every_run_save_its_state(tmp_path, cluster):
    jobs = [job(tmp_path, name) for name in "ab"]

    class Interrupting(DaskCluster):
        def poll(self):
            if all((one.run.path / "steps").exists() for one in jobs):
                raise KeyboardInterrupt
            return super().poll()

    with pytest.raises(KeyboardInterrupt):
        run_jobs(jobs, Interrupting(command(ENDLESS), cluster[1], reporter()), reporter())
    assert all((one.run.path / "saved").exists() for one in jobs)
    assert not any(one.run.is_locked() for one in jobs)


def test_workers_without_the_shared_files_are_reported(tmp_path, monkeypatch, cluster):
    monkeypatch.setattr("lsk_engine.studies.executors.dask_cluster.PATIENCE", 0.0)
    one = job(tmp_path, "a")
    one.create()
    # As if the worker had another disk:
    elsewhere = Job("a", "run", RunDirectory(tmp_path / "elsewhere"), lambda: None)
    with pytest.raises(LsKerasError, match="a file system that the study and its workers share"):
        run_jobs([elsewhere], DaskCluster(command(QUICK), cluster[1], reporter()), reporter())


def test_another_version_is_refused(tmp_path, monkeypatch, cluster):
    monkeypatch.setattr("lsk_engine.studies.executors.dask_cluster.__version__", "9.9")
    with pytest.raises(LsKerasError, match=r"Expected ls-keras 9\.9 on every worker. Received: "):
        run_jobs(
            [job(tmp_path, "a")], DaskCluster(command(QUICK), cluster[1], reporter()), reporter()
        )


def test_local_workers_divide_the_cores(tmp_path, monkeypatch):
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: set(range(8)), raising=False)
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    jobs = [job(tmp_path, name) for name in "abc"]
    run_jobs(jobs, DaskCluster(command(QUICK), "local:2", reporter()), reporter())
    found = [json.loads((one.run.path / "found.json").read_text()) for one in jobs]
    assert {one["OMP_NUM_THREADS"] for one in found} == {"4"}


@pytest.mark.parametrize("scheduler", ["local:0", "local:x", "local", "", "host:8786"])
def test_a_malformed_scheduler_is_refused(scheduler):
    with pytest.raises(InputError, match="Expected a scheduler's address"):
        parse_local_workers(scheduler)


def test_an_unreachable_scheduler_is_an_error(tmp_path, monkeypatch):
    monkeypatch.setattr("lsk_engine.studies.executors.dask_cluster._CONNECT_SECONDS", 0.5)
    one = job(tmp_path, "a")
    with pytest.raises(InputError, match="Expected a Dask scheduler.*Received: tcp://127"):
        run_jobs([one], DaskCluster([], "tcp://127.0.0.1:9", reporter()), reporter())
    assert not one.run.path.exists()


def test_contradicting_options_are_refused():
    with pytest.raises(InputError, match="Expected --jobs or --scheduler"):
        make_executor(None, [], 2, "local:2", reporter())
    with pytest.raises(InputError, match="that other processes can train"):
        make_executor(None, None, 1, "local:2", reporter())
    with pytest.raises(InputError, match="at least one job"):
        make_executor(None, [], 0, None, reporter())


@pytest.mark.slow
def test_another_worker_resumes_the_run_of_a_killed_one(tmp_path, cluster):
    """The last of this module: one worker is left."""
    workers, address = cluster
    jobs = [job(tmp_path, name) for name in "ab"]

    class Killing(DaskCluster):
        killed = False

        def poll(self):
            if not self.killed and all((one.run.path / "steps").exists() for one in jobs):
                workers[0].send_signal(signal.SIGKILL)
                workers[0].wait()
                self.killed = True
            return super().poll()

    executor = Killing(command(LONG), address, reporter())
    run_jobs(jobs, executor, reporter())
    assert executor.killed
    steps = sorted((one.run.path / "steps").read_text() for one in jobs)
    assert [len(one) for one in steps] == [30, 30]
    assert steps[0] == "." * 30
    assert steps[1].startswith(".")
    assert steps[1].endswith("r")
    assert [(one.run.path / "saved").exists() for one in jobs].count(True) == 1
