"""Trainings by the workers of a Dask cluster, wherever Dask runs: one run a worker.

Study and workers share a file system: a run directory is all that they have in common. Dask hands
what a worker that died was at to another, which goes on from the run's last checkpoint.
"""

import contextlib
import math
import os
import sys
import time
import uuid
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ls_base import __version__
from ls_base.errors import InputError, MissingExtraError
from lsk_engine.progress import Reporter
from lsk_engine.studies.executors.dask_worker import REFUSED, train
from lsk_engine.studies.executors.executor import Ending, Trainings
from lsk_engine.studies.executors.local_processes import worker_environments
from lsk_engine.studies.jobs import Job

LOCAL = "local:"
_ANSWER = 20  # seconds that a scheduler may take
PATIENCE = 120.0  # as of `lsk_engine.studies.executors.dask_worker.train`
_NEWS = 1.0  # seconds for which it is known who is there
_LOST = 1  # the exit code of what has none
_INHERITED = ("LSK_", "KERAS_")  # variables that say what is to be done, not where


class Cluster(Trainings):
    """Trains a run on each worker of a cluster; workers may come and go.

    Args:
        command: What trains a run: the run's path goes behind it.
        scheduler: The address of Dask's scheduler, such as `tcp://HOST:8786`, or `local:N`: N
            workers of this machine, as long as the study takes.
        reporter: Who is told.
    """

    def __init__(self, command: Sequence[str], scheduler: str, reporter: Reporter):
        self.command, self.scheduler, self.reporter = command, scheduler, reporter
        self.local = local_workers(scheduler)
        self.running: dict[Job, Any] = {}
        self.held = contextlib.ExitStack()
        self.by_worker: dict[str, dict[str, str]] = {}
        self._known: list[str] = []
        self._asked = -math.inf

    def __str__(self) -> str:
        return f"one a worker of {self.scheduler}"

    def __enter__(self):
        distributed = _distributed()
        with contextlib.ExitStack() as held:
            address = self.scheduler
            if self.local:
                environments = worker_environments(self.local)
                self.by_worker = {str(i): one for i, one in enumerate(environments)}
                cluster = distributed.LocalCluster(
                    n_workers=self.local,
                    threads_per_worker=1,
                    # Trainings have processes of their own; Ctrl-C would reach a worker's.
                    processes=False,
                    dashboard_address=None,
                    worker_dashboard_address=None,
                    silence_logs=50,
                )
                address = held.enter_context(cluster).scheduler_address
            try:
                client = distributed.Client(address, timeout=_ANSWER, set_as_default=False)
            except (OSError, ValueError, ImportError) as error:
                raise InputError(
                    "Expected a scheduler of Dask (`dask scheduler` prints its address), or "
                    f"--scheduler {LOCAL}N. Received: {self.scheduler}: {error}"
                ) from error
            self.client = held.enter_context(client)
            name = uuid.uuid4().hex
            self.names = {"stop": f"stop-{name}", "kill": f"kill-{name}"}
            self.events = {
                what: distributed.Event(of, client=client) for what, of in self.names.items()
            }
            self.held = held.pop_all()
        workers = self._workers()
        self.reporter.message(
            f"{len(workers)} workers at {address}" + ": waiting for one" * (not workers)
        )
        return self

    def __exit__(self, *_):
        self.held.close()

    def at_a_time(self) -> int:
        """Returns how many runs are trained at a time."""
        return len(self._workers())

    def room(self) -> int:
        """Returns how many runs can be started now."""
        return max(0, len(self._workers()) - len(self.running))

    def start(self, job: Job) -> None:
        """Hands a run to a worker that has none."""
        taken = {address for address, _ in self.running.values()}
        free = [address for address in self._workers() if address not in taken]
        variables = {k: v for k, v in os.environ.items() if k.startswith(_INHERITED)}
        future = self.client.submit(
            train,
            tuple(self.command),
            str(job.run.path.absolute()),
            python=sys.executable,
            version=__version__,
            folder=str(Path.cwd()),
            environment=variables,
            by_worker=self.by_worker,
            patience=PATIENCE,
            **self.names,
            key=f"{job.name}-{uuid.uuid4().hex}",
            pure=False,
            workers=free[:1] or None,
            allow_other_workers=True,  # where this one dies
        )
        self.running[job] = (free[0] if free else None, future)

    def ended(self) -> list[tuple[Job, Ending]]:
        """Returns the runs whose training has ended since it was last asked, and how."""
        found = []
        for job, (_, future) in list(self.running.items()):
            if future.done():
                del self.running[job]
                found.append((job, self._ending(future)))
        return found

    def stop(self) -> None:
        """Lets every training save its state, and waits for it; a second Ctrl-C kills them."""
        try:
            self._told("stop")
        except KeyboardInterrupt:
            self._told("kill")
            raise

    def _told(self, what: str) -> None:
        from distributed import wait

        futures = [future for _, future in self.running.values()]
        # Where the scheduler is gone, its workers and their trainings have ended, too.
        with contextlib.suppress(OSError, TimeoutError), self.client.as_current():
            self.events[what].set()
            if futures:
                wait(futures)

    def _workers(self) -> list[str]:
        """Returns the workers that there are; the scheduler is asked about once a second."""
        if time.monotonic() > self._asked + _NEWS:
            self._known = [*self.client.scheduler_info(n_workers=-1)["workers"]]
            self._asked = time.monotonic()
        return self._known

    def _ending(self, future: Any) -> Ending:
        if future.status == "finished":
            return Ending(*future.result())
        if future.status == "cancelled":
            return Ending(_LOST, f"the scheduler {self.scheduler} is gone")
        error = future.exception()
        if isinstance(error, ModuleNotFoundError):
            told = f"Expected ls-keras on every worker. Received: no module named {error.name!r}"
            return Ending(REFUSED, told)
        return Ending(_LOST, f"{type(error).__name__}: {error}")


def local_workers(scheduler: str) -> int:
    """Returns how many workers of this machine are asked for; 0 for an address.

    Args:
        scheduler: As for `Cluster`.

    Raises:
        InputError: If it is neither.

    Example:
    >>> local_workers("local:4"), local_workers("tcp://10.0.0.1:8786")
    (4, 0)
    """
    if scheduler.startswith(LOCAL):
        number = scheduler.removeprefix(LOCAL)
        if number.isdecimal() and int(number) > 0:
            return int(number)
    elif "://" in scheduler:
        return 0
    raise InputError(
        "Expected a scheduler's address, such as tcp://HOST:8786, or local:N. "
        f"Received: {scheduler!r}"
    )


def _distributed() -> Any:
    try:
        import distributed
    except ModuleNotFoundError as error:
        if error.name not in ("dask", "distributed"):
            raise
        raise MissingExtraError(
            "Expected Dask: pip install 'ls-keras[cluster]'. "
            f"Received: no module named {error.name!r}"
        ) from error
    return distributed
