"""What a worker of a cluster does of a study: it trains a run, and can be asked to stop."""

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

from ls_base import __version__
from lsk_engine.runs.run_directory import RunDirectory
from lsk_engine.studies.executors.executor import Ending, last_words

_POLL = 0.5  # seconds
REFUSED = 2  # the exit code of an error that a person can mend


def train(
    command: Sequence[str],
    path: str,
    *,
    python: str,
    version: str,
    folder: str,
    environment: Mapping[str, str],
    by_worker: Mapping[str, Mapping[str, str]],
    stop: str,
    kill: str,
    patience: float,
) -> Ending:
    """Trains a run in a process of its own, which ends when this one does.

    Args:
        command: What trains a run; the run's path goes behind it.
        path: The run's directory.
        python: Python's program where the study is; in the command, this machine's takes its place.
        version: That of ls-keras where the study is.
        folder: Where the study was started: relative paths of data are meant from there.
        environment: What the study's trainings have of its environment.
        by_worker: More of it, by the worker's name.
        stop: The name of an event: the run is to save its state and end.
        kill: The name of an event: it is to end at once.
        patience: Seconds for the file system to show the run, and for who trained it before to
            leave it.

    Returns:
        How the training has ended.
    """
    from distributed import Event, get_client, get_worker

    host = socket.gethostname()
    if version != __version__:
        return Ending(
            REFUSED,
            f"Expected ls-keras {version} on every worker. Received: {__version__} on {host}",
        )
    run = RunDirectory(Path(path))
    if not _within(patience, run.config_file.is_file):
        return Ending(
            REFUSED,
            "Expected a file system that the study and its workers share. "
            f"Received: {host}, where {path} isn't",
        )
    if not _within(patience, lambda: not run.is_locked()):
        return Ending(
            REFUSED,
            f"Expected a run that nobody else is at work in, on {host}. Received: {path}",
        )
    client, worker = get_client(), get_worker()
    stopped, killed = Event(stop, client=client), Event(kill, client=client)
    own = [sys.executable if part == python else part for part in command]
    watched = [sys.executable, "-m", "lsk_engine.studies.executors.parent_watchdog", *own, path]
    with tempfile.TemporaryFile() as errors:
        process = subprocess.Popen(
            watched,
            cwd=folder if Path(folder).is_dir() else None,
            env={**os.environ, **environment, **by_worker.get(str(worker.name), {})},
            stdin=subprocess.PIPE,  # its end is how the training knows of ours
            stdout=subprocess.DEVNULL,
            stderr=errors,
            start_new_session=True,
        )
        assert process.stdin is not None
        try:
            while process.poll() is None:
                if not process.stdin.closed and stopped.is_set():
                    process.stdin.close()
                if killed.is_set():
                    _kill(process)
                with contextlib.suppress(subprocess.TimeoutExpired):
                    process.wait(_POLL)
        except BaseException:  # the scheduler is gone, or who asked
            if not process.stdin.closed:
                process.stdin.close()
            raise
        finally:
            process.stdin.close()
        return Ending(process.returncode, last_words(errors))


def _within(seconds: float, true: Callable[[], bool]) -> bool:
    deadline = time.monotonic() + seconds
    while not true():
        if time.monotonic() > deadline:
            return False
        time.sleep(_POLL)
    return True


def _kill(process: subprocess.Popen) -> None:
    """Kills a process and what it has started: all of its session."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
