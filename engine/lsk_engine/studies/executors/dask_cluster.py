"""Trains runs on the workers of a Dask cluster, one run per worker.

Study and workers share a file system with the run directories and nothing else. If a worker dies,
Dask gives its task to another worker, which resumes the run from its last checkpoint.
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
from lsk_engine.studies.executors.dask_worker import REFUSED, Order, train
from lsk_engine.studies.executors.executor import Executor, ExitStatus
from lsk_engine.studies.executors.local_processes import worker_environments
from lsk_engine.studies.jobs import Job

LOCAL = "local:"
PATIENCE = 120.0  # seconds, see `lsk_engine.studies.executors.dask_worker.Order`
_CONNECT_SECONDS = 20
_REFRESH_SECONDS = 1.0  # how long a list of workers is used
_LOST = 1  # exit code of a task that did not return one
_INHERITED = ("LSK_", "KERAS_")  # beginnings of the variables that trainings get from the study


class DaskCluster(Executor):
    """Trains one run on each worker of a cluster; workers may come and go.

    Args:
        command: Command line that trains a run; the run's path is appended.
        scheduler: Address of Dask's scheduler, such as `tcp://HOST:8786`, or `local:N` for N
            workers on this machine that live as long as the study.
        reporter: Receives messages.
    """

    def __init__(self, command: Sequence[str], scheduler: str, reporter: Reporter):
        self.command, self.scheduler, self.reporter = command, scheduler, reporter
        self.local = parse_local_workers(scheduler)
        self.running: dict[Job, tuple[str | None, Any]] = {}  # worker and Dask future
        self._contexts = contextlib.ExitStack()
        self._workers: list[str] = []
        self._refreshed = -math.inf

    def __str__(self) -> str:
        return f"one on each worker of {self.scheduler}"

    def __enter__(self):
        distributed = _import_distributed()
        by_worker: dict[str, dict[str, str]] = {}
        with contextlib.ExitStack() as contexts:
            address = self.scheduler
            if self.local:
                environments = worker_environments(self.local)
                by_worker = {str(i): one for i, one in enumerate(environments)}
                cluster = distributed.LocalCluster(
                    n_workers=self.local,
                    threads_per_worker=1,
                    # Trainings have their own processes; Ctrl-C would reach a worker's process.
                    processes=False,
                    dashboard_address=None,
                    worker_dashboard_address=None,
                    silence_logs=50,
                )
                address = contexts.enter_context(cluster).scheduler_address
            try:
                client = distributed.Client(address, timeout=_CONNECT_SECONDS, set_as_default=False)
            except (OSError, ValueError, ImportError) as error:
                raise InputError(
                    "Expected a Dask scheduler (`dask scheduler` prints its address), or "
                    f"--scheduler {LOCAL}N. Received: {self.scheduler}: {error}"
                ) from error
            self.client = contexts.enter_context(client)
            self._contexts = contexts.pop_all()
        name = uuid.uuid4().hex
        self.order = Order(
            command=tuple(self.command),
            python=sys.executable,
            version=__version__,
            folder=str(Path.cwd()),
            environment={k: v for k, v in os.environ.items() if k.startswith(_INHERITED)},
            by_worker=by_worker,
            stop=f"stop-{name}",
            kill=f"kill-{name}",
            patience=PATIENCE,
        )
        workers = self._find_workers()
        self.reporter.message(
            f"{len(workers)} workers at {address}" + ": waiting for one" * (not workers)
        )
        return self

    def __exit__(self, *_):
        self._contexts.close()

    def capacity(self) -> int:
        """Returns the current number of workers."""
        return len(self._find_workers())

    def start(self, job: Job) -> None:
        """Submits a run to a worker that has none."""
        busy = {address for address, _ in self.running.values()}
        free = [address for address in self._find_workers() if address not in busy]
        future = self.client.submit(
            train,
            self.order,
            str(job.run.path.absolute()),
            key=f"{job.name}-{uuid.uuid4().hex}",
            pure=False,
            workers=free[:1] or None,
            allow_other_workers=True,  # if this one dies
        )
        self.running[job] = (free[0] if free else None, future)

    def poll(self) -> list[tuple[Job, ExitStatus]]:
        """Returns the trainings that have ended since the last call."""
        ended = []
        for job, (_, future) in list(self.running.items()):
            if future.done():
                del self.running[job]
                ended.append((job, self._status(future)))
        return ended

    def stop(self) -> None:
        """Lets every training save its state, and waits; a second Ctrl-C kills them."""
        try:
            self._signal(self.order.stop)
        except KeyboardInterrupt:
            self._signal(self.order.kill)
            raise

    def _signal(self, event: str) -> None:
        from distributed import Event, wait

        futures = [future for _, future in self.running.values()]
        # If the scheduler is gone, its workers and their trainings have ended, too.
        with contextlib.suppress(OSError, TimeoutError), self.client.as_current():
            Event(event, client=self.client).set()
            if futures:
                wait(futures)

    def _find_workers(self) -> list[str]:
        """Returns the addresses of the workers, as of a second ago."""
        if time.monotonic() > self._refreshed + _REFRESH_SECONDS:
            self._workers = [*self.client.scheduler_info(n_workers=-1)["workers"]]
            self._refreshed = time.monotonic()
        return self._workers

    def _status(self, future: Any) -> ExitStatus:
        if future.status == "finished":
            return ExitStatus(*future.result())
        if future.status == "cancelled":
            return ExitStatus(_LOST, f"the scheduler {self.scheduler} is gone")
        error = future.exception()
        if isinstance(error, ModuleNotFoundError):
            return ExitStatus(
                REFUSED,
                f"Expected ls-keras on every worker. Received: no module named {error.name!r}",
            )
        return ExitStatus(_LOST, f"{type(error).__name__}: {error}")


def parse_local_workers(scheduler: str) -> int:
    """Returns the number of workers that `local:N` asks for; 0 for an address.

    Args:
        scheduler: As for `DaskCluster`.

    Raises:
        InputError: If it is neither.

    Example:
    >>> parse_local_workers("local:4"), parse_local_workers("tcp://10.0.0.1:8786")
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


def _import_distributed() -> Any:
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
