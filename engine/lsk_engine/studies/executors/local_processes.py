"""Trains runs in processes of this machine, which share its cores and GPUs.

Where possible, a training is forked from a server process that has imported TensorFlow and done
nothing else. The import takes 6 s of a core (measured: 5.97, 5.98 and 6.01 s), about as long as a
small network trains, so a study of many small runs would take up to twice as long without it.
"""

import multiprocessing
import multiprocessing.forkserver
import os
import runpy
import signal
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from typing import IO, NamedTuple

from ls_base.backends import configured_backend
from ls_base.process import num_cores
from lsk_engine.devices.parent_watch import stop_after, watch_variables
from lsk_engine.devices.process_env import VISIBLE, visible_gpus
from lsk_engine.studies.executors.executor import Executor, ExitStatus, last_error_line
from lsk_engine.studies.jobs import Job


class LocalProcesses(Executor):
    """Trains each run in a process of its own.

    A training stops, with its state saved, when this process is gone.

    Args:
        command: Command line that trains a run; the run's path is appended.
        workers: How many runs are trained at a time.
    """

    def __init__(self, command: Sequence[str], workers: int = 1):
        self.command, self.workers = command, workers
        self.running: dict[Job, _Running] = {}
        self.free: list[dict[str, str]] = []
        self.forks = False

    def __str__(self) -> str:
        return f"{self.workers} at a time"

    def __enter__(self):
        self.free = worker_environments(self.workers)
        self.forks = can_fork(self.command)
        if self.forks:
            _start_server(self.free[0])
        return self

    def __exit__(self, *_):
        for running in self.running.values():
            running.errors.close()

    def capacity(self) -> int:
        """Returns how many runs are trained at a time."""
        return self.workers

    def start(self, job: Job) -> None:
        """Starts to train a run."""
        environment = self.free.pop(0)
        errors = tempfile.NamedTemporaryFile()  # noqa: SIM115 - closed by `poll`
        command = [*self.command, str(job.run.path)]
        process = self._fork(command, environment, errors.name) or subprocess.Popen(
            command,
            env={**environment, **watch_variables(signal.SIGTERM)},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=errors,
            # Ctrl-C reaches this process only, which passes it on once: the second signal would
            # stop a training before it has saved its state.
            start_new_session=True,
        )
        self.running[job] = _Running(process, errors, environment)

    def _fork(
        self, command: list[str], environment: dict[str, str], errors: str
    ) -> "_ForkedCommand | None":
        """Starts a command in a fork of the server; `None`: it has to be started otherwise."""
        if not self.forks:
            return None
        process = _ForkedCommand(target=_run_forked, args=(command[2:], environment, errors))
        try:
            process.start()
        except (EOFError, OSError):  # the server was killed
            self.forks = False
            return None
        return process

    def poll(self) -> list[tuple[Job, ExitStatus]]:
        """Returns the trainings that have ended since the last call."""
        ended = []
        for job, (process, errors, environment) in list(self.running.items()):
            code = process.poll()
            if code is not None:
                del self.running[job]
                self.free.append(environment)
                with errors:
                    ended.append((job, ExitStatus(code, last_error_line(errors))))
        return ended

    def stop(self) -> None:
        """Lets every process save its state; a second Ctrl-C kills them."""
        processes = [running.process for running in self.running.values()]
        try:
            for process in processes:
                process.terminate()
            for process in processes:
                process.wait()
        except KeyboardInterrupt:
            for process in processes:
                process.kill()
                process.wait()
            raise


def worker_environments(workers: int) -> list[dict[str, str]]:
    """Returns the environment of each worker; variables that the user has set are kept.

    Each worker gets an equal share of the cores and one of the visible GPUs (workers beyond the
    number of GPUs share them), and allocates GPU memory as needed. A single worker gets everything.

    Args:
        workers: How many there are.
    """
    if workers == 1:
        return [dict(os.environ)]
    threads = str(max(1, num_cores() // workers))
    shares: Mapping[str, str] = {
        "TF_NUM_INTRAOP_THREADS": threads,
        "TF_NUM_INTEROP_THREADS": threads,
        "OMP_NUM_THREADS": threads,
        "TF_FORCE_GPU_ALLOW_GROWTH": "true",
        "XLA_PYTHON_CLIENT_PREALLOCATE": "false",
    }
    gpus = visible_gpus()
    dealt = [{VISIBLE: gpus[i % len(gpus)]} if gpus else {} for i in range(workers)]
    return [{**shares, **os.environ, **one} for one in dealt]


def can_fork(command: Sequence[str]) -> bool:
    """Returns whether a command may run in a fork of a process that has imported TensorFlow.

    The command must be `python -m MODULE …` with this Python, on Linux and TensorFlow without GPUs:
    JAX and PyTorch look for devices when they are imported, and a process that has done so must not
    be forked.

    Args:
        command: Program and arguments.
    """
    return (
        sys.platform == "linux"
        and list(command[:2]) == [sys.executable, "-m"]
        and configured_backend() == "tensorflow"
        and not visible_gpus()
    )


class _ForkedCommand(multiprocessing.get_context("forkserver").Process):  # type: ignore[misc]
    """A process of the fork server with the methods of `subprocess.Popen` that are used here."""

    def poll(self) -> int | None:
        return self.exitcode

    def wait(self) -> None:
        self.join()


class _Running(NamedTuple):
    process: "subprocess.Popen | _ForkedCommand"
    errors: IO[bytes]
    environment: dict[str, str]  # free for the next run, with its GPU, when this one has ended


def _start_server(environment: Mapping[str, str]) -> None:
    """Starts the fork server, which imports TensorFlow with these variables in the background."""
    own = dict(os.environ)
    # What cannot be imported is reported by the training that needs it.
    multiprocessing.forkserver.set_forkserver_preload(["lsk_engine.studies.executors.preload"])
    os.environ.update(environment)
    try:
        multiprocessing.forkserver.ensure_running()
    finally:
        os.environ.clear()
        os.environ.update(own)


def _run_forked(arguments: list[str], environment: Mapping[str, str], errors: str) -> None:
    """Runs `python -m ARGUMENTS` in a forked process, detached from the terminal."""
    os.setsid()
    os.environ.clear()
    os.environ.update(environment)
    study = multiprocessing.parent_process()
    assert study is not None
    stop_after(study.join, signal.SIGTERM)
    sys.stdout.flush()
    sys.stderr.flush()
    for number, path in ((1, os.devnull), (2, errors)):
        descriptor = os.open(path, os.O_WRONLY | os.O_APPEND)
        os.dup2(descriptor, number)
        os.close(descriptor)
    sys.argv = arguments
    runpy.run_module(arguments[0], run_name="__main__", alter_sys=True)
