"""Trains runs on the workers of a Dask cluster, one run per worker.

Study and workers share a file system with the run directories and nothing else. If a worker dies,
Dask gives its task to another worker, which resumes the run from its last checkpoint.
"""

import contextlib
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from ls_base import __version__
from ls_base.errors import InputError, MissingExtraError
from lsk_engine.devices.parent_watch import watch_variables
from lsk_engine.progress import Reporter
from lsk_engine.runs.run_directory import RunDirectory
from lsk_engine.studies.executors.executor import Executor, ExitStatus, last_error_line
from lsk_engine.studies.executors.local_processes import worker_environments
from lsk_engine.studies.jobs import Job

LOCAL = "local:"
PATIENCE = 120.0  # seconds, see `Order`
REFUSED = 2  # exit code of an error that a person can correct
_CONNECT_SECONDS = 20
_POLL_SECONDS = 0.5
_LOST = 1  # exit code of a task that did not return one
_INHERITED = ("LSK_", "KERAS_")  # beginnings of the variables that trainings get from the study


class Order(NamedTuple):
    """The instructions of a study's process to its workers.

    Attributes:
        command: Command line that trains a run; the run's path is appended.
        python: Path of Python where the study runs; the worker's own replaces it in the command.
        version: Version of ls-keras where the study runs.
        folder: Working directory of the study, which relative paths of data refer to.
        environment: Variables of the study's environment that trainings need.
        by_worker: Further variables, by the worker's name.
        stop: Name of the Dask event that lets runs save their state and end.
        kill: Name of the Dask event that ends runs at once.
        patience: Seconds to wait until the shared file system shows the run, and until another
            process has left it.
    """

    command: Sequence[str]
    python: str
    version: str
    folder: str
    environment: Mapping[str, str]
    by_worker: Mapping[str, Mapping[str, str]]
    stop: str
    kill: str
    patience: float


def train(order: Order, path: str) -> ExitStatus:
    """Trains a run on a Dask worker, in a process of its own that stops when the worker is gone.

    Args:
        order: The study's instructions.
        path: The run directory.
    """
    from distributed import Event, get_client, get_worker

    host, run, error = socket.gethostname(), RunDirectory(Path(path)), ""
    if order.version != __version__:
        error = f"Expected ls-keras {order.version} on every worker. Received: {__version__}"
    elif not _wait_for(run.config_file.is_file, order.patience):
        error = "Expected a file system that the study and its workers share. "
        error += f"Received: {path} does not exist"
    elif not _wait_for(lambda: not run.is_locked(), order.patience):
        error = f"Expected a run that no other process uses. Received: {path}"
    if error:
        return ExitStatus(REFUSED, f"{error} on {host}")
    client, worker = get_client(), get_worker()
    stop, kill = Event(order.stop, client=client), Event(order.kill, client=client)
    own = [sys.executable if part == order.python else part for part in order.command]
    more = {**order.environment, **order.by_worker.get(str(worker.name), {})}
    with tempfile.TemporaryFile() as errors:
        process = subprocess.Popen(
            [*own, path],
            cwd=order.folder if Path(order.folder).is_dir() else None,
            env={**os.environ, **more, **watch_variables(signal.SIGTERM)},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=errors,
            start_new_session=True,
        )
        stopping = False
        try:
            while process.poll() is None:
                if not stopping and stop.is_set():
                    stopping = True
                    process.terminate()
                if kill.is_set():
                    process.kill()
                with contextlib.suppress(subprocess.TimeoutExpired):
                    process.wait(_POLL_SECONDS)
        except BaseException:  # the scheduler is gone
            if not stopping:
                process.terminate()
            raise
        return ExitStatus(process.returncode, last_error_line(errors))


def _wait_for(condition: Callable[[], bool], seconds: float) -> bool:
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(_POLL_SECONDS)
    return True


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

    def __str__(self) -> str:
        return f"one on each worker of {self.scheduler}"

    def __enter__(self):
        try:
            import distributed
        except ModuleNotFoundError as error:
            raise MissingExtraError(
                "Expected Dask: pip install 'ls-keras[cluster]'. "
                f"Received: no module named {error.name!r}"
            ) from error
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
        """Returns the addresses of the workers."""
        return [*self.client.scheduler_info(n_workers=-1)["workers"]]

    def _status(self, future: Any) -> ExitStatus:
        if future.status == "finished":
            return ExitStatus(*future.result())
        if future.status == "cancelled":
            return ExitStatus(_LOST, f"the scheduler {self.scheduler} is gone")
        error = future.exception()
        return ExitStatus(_LOST, f"{type(error).__name__}: {error}")


def parse_local_workers(scheduler: str) -> int:
    """Returns the number of workers in `local:N`; 0 for an address.

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
