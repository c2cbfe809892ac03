"""Starts several processes of this machine that train one run, and supervises them.

Nothing here imports a framework: the supervisor must not hang when a framework does.
"""

import contextlib
import os
import re
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

from ls_base.errors import InputError
from ls_base.process import handle_signals, num_cores
from lsk_engine.devices.framework_errors import PeerLostError
from lsk_engine.devices.parent_watch import watch_variables
from lsk_engine.devices.process_env import (
    ADDRESSES,
    COUNT,
    INDEX,
    TF_CONFIG,
    VISIBLE,
    tf_config,
    visible_gpus,
)

LAST_LINES = 15

_POLL_SECONDS = 0.1
_NOTICE_SECONDS = 3.0  # for the others to notice that a worker is gone, and to say so
_SAVE_SECONDS = 30.0  # for the others after a signal to stop, or when the first has finished
_STOPPED = {128 + number for number in (1, 2, 10, 15)}  # see `lsk_engine.training.checkpointing`
# Messages of TensorFlow's start, which are never the reason of a failure.
_START_UP = re.compile(r"WARNING: All log messages before absl|[IW]\d{4} |\[Gloo\]")
_SIGNALS = ("SIGINT", "SIGTERM", "SIGHUP", "SIGUSR1")


def supervise(command: Sequence[str], workers: int, warn: Callable[[str], None]) -> int:
    """Starts a command once per worker, and returns when all have ended.

    The first worker is the chief and has this process's streams. If a worker ends early, the others
    are killed within seconds, because a framework that waits for the lost one may ignore signals.
    Signals to stop are passed on to all. If this process is killed, the workers end as well.

    Args:
        command: Program and arguments, the same for all.
        workers: Number of workers, at least 2.
        warn: Receives the reason of a failure with the last lines that the worker wrote.

    Returns:
        The exit code: 0; that of the first worker that failed; 5 (`PeerLostError`) if it was
        killed; 128 + N after signal N.

    Raises:
        InputError: If there are GPUs, but fewer than workers.
    """
    environments = worker_environments(workers)
    with (
        tempfile.TemporaryDirectory(prefix="lsk-workers-") as folder,
        contextlib.ExitStack() as contexts,
    ):
        logs = [Path(folder) / f"worker-{index}.txt" for index in range(workers)]
        processes: list[subprocess.Popen] = []
        contexts.callback(_kill_all, processes)
        for index, environment in enumerate(environments):
            output = contexts.enter_context(logs[index].open("wb")) if index else None
            processes.append(
                subprocess.Popen(
                    command,
                    env={**environment, **watch_variables(signal.SIGKILL), "TMPDIR": folder},
                    stdin=subprocess.DEVNULL,
                    stdout=output,
                    stderr=output,
                    start_new_session=True,  # Ctrl-C reaches this process, which passes it on
                )
            )
        with _pass_signals_on(processes) as received:
            first = _wait_for_failure(processes)
        if first is None:
            return 0
        code = processes[first].returncode
        _kill_all(processes)
        if code not in _STOPPED:
            lines = _last_lines(logs[first]) if first else ()
            text = f"worker {first} of {workers} ended with {_describe(code)}; all were ended"
            warn("\n  ".join([text, *lines]))
        if code > 0:
            return code
        return 128 + received[0] if received else PeerLostError.exit_code


def worker_environments(workers: int) -> list[dict[str, str]]:
    """Returns the environment of each worker: its rank for both frameworks, its GPUs, its cores.

    Thread counts that the user has set are kept.

    Args:
        workers: Number of workers.

    Raises:
        InputError: If there are GPUs, but fewer than workers.
    """
    addresses = free_addresses(workers + 1)
    coordinator = addresses.pop()
    gpus = visible_gpus()
    if gpus and len(gpus) < workers:
        raise InputError(
            f"Expected a GPU for each of {workers} workers. Received: {len(gpus)} "
            f"(with {VISIBLE}=-1 they train on the CPU)"
        )
    each = len(gpus) // workers
    threads = str(max(1, num_cores() // workers))
    shared: Mapping[str, str] = (
        {} if gpus else {"TF_NUM_INTRAOP_THREADS": threads, "OMP_NUM_THREADS": threads}
    )
    return [
        {
            **shared,
            **os.environ,
            TF_CONFIG: tf_config(addresses, index),
            ADDRESSES: coordinator,
            COUNT: str(workers),
            INDEX: str(index),
            **({VISIBLE: ",".join(gpus[index * each : (index + 1) * each])} if gpus else {}),
        }
        for index in range(workers)
    ]


def free_addresses(count: int) -> list[str]:
    """Returns a free `HOST:PORT` of this machine.

    Args:
        count: How many.
    """
    with contextlib.ExitStack() as contexts:
        sockets = [contexts.enter_context(socket.socket()) for _ in range(count)]
        for one in sockets:
            one.bind(("127.0.0.1", 0))
        return [f"127.0.0.1:{one.getsockname()[1]}" for one in sockets]


def _wait_for_failure(processes: Sequence[subprocess.Popen]) -> int | None:
    """Waits until all workers have ended, or one has failed and the others had time to react.

    Returns:
        The index of the first worker that failed; `None` if all succeeded.
    """
    first: int | None = None
    deadline = float("inf")
    while None in [process.poll() for process in processes]:
        ended = [i for i, p in enumerate(processes) if p.returncode is not None]
        failed = [i for i in ended if processes[i].returncode]
        if first is None and failed:
            first = failed[0]
            stopped = processes[first].returncode in _STOPPED
            deadline = time.monotonic() + (_SAVE_SECONDS if stopped else _NOTICE_SECONDS)
        elif ended and deadline == float("inf"):
            deadline = time.monotonic() + _SAVE_SECONDS
        if time.monotonic() > deadline:
            if first is None:  # some have finished and others hang
                first = next(i for i, p in enumerate(processes) if p.returncode is None)
                _kill_all([processes[first]])
            return first
        time.sleep(_POLL_SECONDS)
    if first is None:
        first = next((i for i, p in enumerate(processes) if p.returncode), None)
    return first


def _kill_all(processes: Sequence[subprocess.Popen]) -> None:
    for process in processes:
        if process.poll() is None:
            process.kill()
    for process in processes:
        process.wait()


@contextlib.contextmanager
def _pass_signals_on(processes: Sequence[subprocess.Popen]) -> Iterator[list[int]]:
    """Passes the first signal to stop on to all; the second kills them. Yields those received."""
    received: list[int] = []

    def pass_on(number, frame):
        received.append(number)
        for process in processes:
            if process.poll() is None:
                process.kill() if len(received) > 1 else process.send_signal(number)

    with handle_signals(_SIGNALS, pass_on):
        yield received


def _describe(code: int) -> str:
    return f"exit code {code}" if code >= 0 else f"signal {-code} ({signal.strsignal(-code)})"


def _last_lines(log: Path) -> list[str]:
    lines = log.read_text(errors="replace").splitlines()
    return [line for line in lines if line.strip() and not _START_UP.match(line)][-LAST_LINES:]
