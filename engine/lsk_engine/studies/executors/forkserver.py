"""Processes that don't import TensorFlow: forked from one that has, and has done nothing else.

That import takes some seconds of a core, as long as a small network takes to train.
"""

import contextlib
import multiprocessing
import multiprocessing.forkserver
import os
import runpy
import signal
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from ls_base.backends import configured_backend
from lsk_engine.devices.gpus import visible_gpus

_SERVER = multiprocessing.get_context("forkserver")
# The exit code of multiprocessing for the child of a fork server that has gone.
_SERVER_GONE = 255
_POLL = 0.05


def can_fork(command: Sequence[str]) -> bool:
    """Returns whether a command may run in a process that was forked after its imports.

    It has to be `python -m MODULE …`, by this Python, on TensorFlow and processors. JAX and PyTorch
    look for devices when they are imported, and what has looked for a GPU must not be forked.
    """
    return (
        sys.platform == "linux"
        and list(command[:2]) == [sys.executable, "-m"]
        and configured_backend() == "tensorflow"
        and not visible_gpus()
    )


def prepare(environment: Mapping[str, str]) -> None:
    """Starts what is forked from, unless it is there, and does not wait for its imports.

    Args:
        environment: In which it imports.
    """
    _SERVER.set_forkserver_preload(["lsk_engine.studies.executors.preload"])
    with _environment(environment):
        multiprocessing.forkserver.ensure_running()


class Forked:
    """A started command, as far as trainings need a `subprocess.Popen`.

    Args:
        command: `python -m MODULE …`, see `can_fork`.
        environment: Of the process.
        errors: The file that gets its standard error.
    """

    def __init__(self, command: Sequence[str], environment: Mapping[str, str], errors: str):
        given = (list(command[2:]), dict(environment), errors)
        self._process = _SERVER.Process(target=_run, args=given)
        self._process.start()

    def poll(self) -> int | None:
        """Returns the exit code, if it has ended; −N if signal N ended it."""
        code = self._process.exitcode
        return None if code == _SERVER_GONE and self._runs() else code

    def wait(self) -> None:
        """Waits for the end."""
        self._process.join()
        while self.poll() is None:
            time.sleep(_POLL)

    def terminate(self) -> None:
        """Sends SIGTERM."""
        self._send(signal.SIGTERM)

    def kill(self) -> None:
        """Sends SIGKILL."""
        self._send(signal.SIGKILL)

    def _send(self, number: signal.Signals) -> None:
        if self.poll() is None and self._process.pid is not None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self._process.pid, number)

    def _runs(self) -> bool:
        """Returns whether it is there: one whose end nobody has asked for has no command line."""
        try:
            return bool(Path(f"/proc/{self._process.pid}/cmdline").read_bytes())
        except OSError:
            return False


def _run(arguments: list[str], environment: Mapping[str, str], errors: str) -> None:
    """Is the forked process: takes the place of `python -m`, and is in no terminal's foreground."""
    os.setsid()  # Ctrl-C is for the study, which hands it on once
    os.environ.clear()
    os.environ.update(environment)
    sys.stdout.flush()
    sys.stderr.flush()
    for number, path, flags in ((1, os.devnull, os.O_WRONLY), (2, errors, os.O_WRONLY)):
        descriptor = os.open(path, flags | os.O_APPEND)
        os.dup2(descriptor, number)
        os.close(descriptor)
    sys.argv = arguments
    runpy.run_module(arguments[0], run_name="__main__", alter_sys=True)


@contextlib.contextmanager
def _environment(environment: Mapping[str, str]) -> Iterator[None]:
    own = dict(os.environ)
    try:
        os.environ.clear()
        os.environ.update(environment)
        yield
    finally:
        os.environ.clear()
        os.environ.update(own)
