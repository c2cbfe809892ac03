"""Trainings in processes of this machine: the cores divided among them, the GPUs dealt out."""

import os
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from typing import IO, NamedTuple

from ls_base.process import num_cores
from lsk_engine.devices.gpus import VISIBLE, visible_gpus
from lsk_engine.studies.executors import forkserver
from lsk_engine.studies.executors.executor import Ending, Trainings, last_words
from lsk_engine.studies.jobs import Job


class LocalProcesses(Trainings):
    """Trains so many runs at a time, each in a process of its own.

    Args:
        command: What trains a run: the run's path goes behind it.
        workers: How many run at a time.
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
        self.forks = forkserver.can_fork(self.command)
        if self.forks:
            forkserver.prepare(self.free[0])
        return self

    def __exit__(self, *_):
        for one in self.running.values():
            one.errors.close()

    def at_a_time(self) -> int:
        """Returns how many runs are trained at a time."""
        return self.workers

    def room(self) -> int:
        """Returns how many runs can be started now."""
        return len(self.free)

    def start(self, job: Job) -> None:
        """Starts to train a run."""
        environment = self.free.pop(0)
        errors = tempfile.NamedTemporaryFile()  # noqa: SIM115 - closed when it ended
        command = [*self.command, str(job.run.path)]
        process: subprocess.Popen | forkserver.Forked
        if self.forks:
            process = forkserver.Forked(command, environment, errors.name)
        else:
            process = subprocess.Popen(
                command,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=errors,
                # Ctrl-C is for this process, which hands it on once: a second one would not let
                # them save.
                start_new_session=True,
            )
        self.running[job] = _Running(process, errors, environment)

    def ended(self) -> list[tuple[Job, Ending]]:
        """Returns the runs whose training has ended since it was last asked, and how."""
        found = []
        for job, (process, errors, environment) in list(self.running.items()):
            code = process.poll()
            if code is not None:
                del self.running[job]
                self.free.append(environment)
                with errors:
                    found.append((job, Ending(code, last_words(errors))))
        return found

    def stop(self) -> None:
        """Lets every process save its state; a second Ctrl-C does not."""
        processes = [one.process for one in self.running.values()]
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


class _Running(NamedTuple):
    process: subprocess.Popen | forkserver.Forked
    errors: IO[bytes]
    environment: dict[str, str]  # whose GPU is free again afterwards


def worker_environments(workers: int) -> list[dict[str, str]]:
    """Returns the environment of each of so many processes; what the user has set stays.

    Each gets its part of the cores, one GPU of those that are visible (more workers than GPUs take
    turns), and of that only the memory that it uses. One alone gets everything.
    """
    if workers == 1:
        return [dict(os.environ)]
    threads = str(max(1, num_cores() // workers))
    divided: Mapping[str, str] = {
        "TF_NUM_INTRAOP_THREADS": threads,
        "TF_NUM_INTEROP_THREADS": threads,
        "OMP_NUM_THREADS": threads,
        "TF_FORCE_GPU_ALLOW_GROWTH": "true",
        "XLA_PYTHON_CLIENT_PREALLOCATE": "false",
    }
    gpus = visible_gpus()
    dealt = [{VISIBLE: gpus[i % len(gpus)]} if gpus else {} for i in range(workers)]
    return [{**divided, **os.environ, **one} for one in dealt]
