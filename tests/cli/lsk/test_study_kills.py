"""A study that is killed in the middle and started again, with a task that is nobody's of ours."""

import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

pytestmark = [pytest.mark.slow, pytest.mark.tensorflow]

PLUGIN = Path(__file__).parents[3] / "docs" / "example_plugin"
SETTINGS = (
    "training.steps=40",
    "training.validate_every=10",
    "training.checkpoint_every=10",
    "data.points=200",
    "model.width=8",
)


@pytest.fixture(scope="module")
def plugin(tmp_path_factory) -> dict[str, str]:
    """The environment of a process that finds the example plugin, as pip installs it."""
    folder = tmp_path_factory.mktemp("plugin")
    source = shutil.copytree(PLUGIN, folder / "source")
    options = ["--quiet", "--no-deps", "--no-index", "--no-build-isolation"]
    command = [sys.executable, "-m", "pip", "install", *options, "--target", folder / "in", source]
    subprocess.run(command, check=True)
    path = [str(folder / "in"), *filter(None, [os.environ.get("PYTHONPATH")])]
    return {**os.environ, "PYTHONPATH": os.pathsep.join(path)}


@pytest.fixture(scope="module")
def expected(plugin, tmp_path_factory) -> bytes:
    """What the study finds where nothing disturbs it."""
    return finish(tmp_path_factory.mktemp("undisturbed"), plugin)


def study(*trained_by: str) -> list[str]:
    trained_by = trained_by or ("--jobs", "2")
    given = ["--task", "spirals", "--alphas", "0.1", "--seeds", "1", *trained_by, "--out", "out"]
    given += ["--measure", "accuracy,calibration,distillation"]
    program = [sys.executable, "-m", "lsk"]
    return [*program, "study", "smoothing", *given, *(f"--set={text}" for text in SETTINGS)]


def finish(folder: Path, environment) -> bytes:
    folder.mkdir(exist_ok=True)
    done = subprocess.run(
        study(), cwd=folder, env=environment, capture_output=True, text=True, timeout=540
    )
    assert done.returncode == 0, done.stderr
    return (folder / "out" / "results.json").read_bytes()


def kill_when(folder: Path, environment, there) -> None:
    """Starts a study and kills it, and what it started, as soon as something is there."""
    folder.mkdir(exist_ok=True)
    process = subprocess.Popen(
        study(),
        cwd=folder,
        env=environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    deadline = time.monotonic() + 300
    while not there():
        assert process.poll() is None, "the study ended before it was killed"
        assert time.monotonic() < deadline
        time.sleep(0.01)
    children = descendants(process.pid)
    process.kill()
    process.wait()
    for child in children:
        with contextlib.suppress(ProcessLookupError):  # ended with the study, as what forks does
            os.kill(child, signal.SIGKILL)
    while any(map(runs, children)):
        assert time.monotonic() < deadline
        time.sleep(0.01)


def runs(pid: int) -> bool:
    """Returns whether a process runs; one whose end awaits its parent does not."""
    try:
        return bool(Path(f"/proc/{pid}/cmdline").read_bytes())
    except OSError:
        return False


def descendants(pid: int) -> list[int]:
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text()
    found = [int(child) for child in children.split()]
    return found + [one for child in found for one in descendants(child)]


@pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="needs Linux's /proc")
def test_a_killed_study_ends_with_the_same_bytes(plugin, expected, tmp_path):
    found = json.loads(expected)
    assert found["task"] == "spirals"
    assert {one["name"] for one in found["claims"]} >= {"score", "calibration", "teaching"}
    folder = tmp_path / "killed"
    out = folder / "out" / "runs"
    kill_when(folder, plugin, lambda: any(out.glob("*/checkpoints/*")))
    assert not any(out.glob("*/metrics.json"))
    students = folder / "out" / "students"
    kill_when(folder, plugin, lambda: any(students.glob("*/metrics.json")))
    kept = {file: file.read_bytes() for file in students.glob("*/metrics.json")}
    kill_when(folder, plugin, lambda: any(out.glob("*/calibration.json")))
    assert {file: file.read_bytes() for file in kept} == kept
    assert not (folder / "out" / "results.json").exists()
    assert finish(folder, plugin) == expected


@pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="needs Linux's /proc")
def test_a_killed_worker_of_a_cluster_leaves_the_same_bytes(plugin, expected, tmp_path):
    dask = [sys.executable, "-m", "dask"]
    at = ["--scheduler-file", str(tmp_path / "at.json"), "--host", "127.0.0.1", "--no-dashboard"]
    silent = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    with contextlib.ExitStack() as held:

        def start(command, **more):
            process = subprocess.Popen(command, cwd=tmp_path, env=plugin, **{**silent, **more})
            held.callback(process.wait)
            held.callback(process.kill)
            return process

        start([*dask, "scheduler", *at, "--port", "0"])
        worker = [*dask, "worker", *at, "--nthreads", "1", "--no-nanny"]
        workers = [start(worker) for _ in range(2)]
        wait_until(lambda: (tmp_path / "at.json").exists())
        address = json.loads((tmp_path / "at.json").read_text())["address"]
        process = start(study("--scheduler", address), stderr=subprocess.PIPE)
        runs_of = tmp_path / "out" / "runs"
        wait_until(lambda: any(runs_of.glob("*/checkpoints/*")) or process.poll() is not None)
        workers[0].kill()
        _, errors = process.communicate(timeout=540)
        assert process.returncode == 0, errors
    assert (tmp_path / "out" / "results.json").read_bytes() == expected


def wait_until(there) -> None:
    deadline = time.monotonic() + 300
    while not there():
        assert time.monotonic() < deadline
        time.sleep(0.01)
