"""The task that a Dask worker runs for a study: train one run, and stop on request."""

import contextlib
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from ls_base import __version__
from lsk_engine.devices.parent_watch import watch_variables
from lsk_engine.runs.run_directory import RunDirectory
from lsk_engine.studies.executors.executor import ExitStatus, last_error_line

REFUSED = 2  # exit code of an error that a person can correct
_POLL_SECONDS = 0.5


class Order(NamedTuple):
    """What the study's process tells each worker.

    Attributes:
        command: Command line that trains a run; the run's path is appended.
        python: Path of Python where the study runs; the worker's own replaces it in the command.
        version: Version of ls-keras where the study runs.
        folder: Working directory of the study, which relative paths of data refer to.
        environment: Variables of the study's environment that trainings need.
        by_worker: Further variables, by the worker's name.
        stop: Name of the Dask event that lets runs save their state and end.
        kill: Name of the Dask event that ends runs at once.
        patience: Seconds to wait for the shared file system to show the run, and for another
            process to leave it.
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
    """Trains a run in a process of its own, which stops when this one is gone.

    Args:
        order: What the study says.
        path: The run directory.

    Returns:
        How the training ended.
    """
    from distributed import Event, get_client, get_worker

    host = socket.gethostname()
    if order.version != __version__:
        return ExitStatus(
            REFUSED,
            f"Expected ls-keras {order.version} on every worker. Received: {__version__} on {host}",
        )
    run = RunDirectory(Path(path))
    if not _wait_for(run.config_file.is_file, order.patience):
        return ExitStatus(
            REFUSED,
            "Expected a file system that the study and its workers share. "
            f"Received: {host}, where {path} does not exist",
        )
    if not _wait_for(lambda: not run.is_locked(), order.patience):
        return ExitStatus(
            REFUSED, f"Expected a run that no other process uses, on {host}. Received: {path}"
        )
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
        asked = False
        try:
            while process.poll() is None:
                if not asked and stop.is_set():
                    asked = True
                    process.terminate()
                if kill.is_set():
                    process.kill()
                with contextlib.suppress(subprocess.TimeoutExpired):
                    process.wait(_POLL_SECONDS)
        except BaseException:  # the scheduler is gone
            if not asked:
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
