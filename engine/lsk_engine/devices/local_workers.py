"""Several processes of this machine that train one run, and who looks after them.

Nothing here needs a framework: whoever looks after others must not hang as they may.
"""

import contextlib
import os
import re
import signal
import socket
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

from ls_base.errors import InputError
from ls_base.process import handle_signals, num_cores
from lsk_engine.devices.gpus import VISIBLE, visible_gpus
from lsk_engine.devices.process_env import ADDRESSES, COUNT, INDEX, TF_CONFIG, tf_config

WATCHED = "LSK_ENDS_WITH_STDIN"  # set in processes that are to end when their standard input does
LAST_LINES = 15

_POLL_SECONDS = 0.1
_FAREWELL_SECONDS = 3.0  # what others have to notice that one is gone, and to say so
_SAVED_SECONDS = 30.0  # likewise where all were asked to stop, or the first is finished
_STOPPED = {128 + number for number in (1, 2, 10, 15)}  # see `lsk_engine.training.checkpointing`
_START_UP = re.compile(r"WARNING: All log messages before absl|[IW]\d{4} |\[Gloo\]")  # no reason
_SIGNALS = ("SIGINT", "SIGTERM", "SIGHUP", "SIGUSR1")


def supervise(command: Sequence[str], workers: int, say: Callable[[str], None]) -> int:
    """Starts a command as often as there are workers, and returns when all have ended.

    The first is the chief and has this process's streams; what the others write is kept, and its
    end shown of one that fails. Where one ends before its time, all are ended within seconds: by
    force, as a framework that waits for the one that is gone may hear no signal. Signals to stop go
    to all. If this process is killed, they end as well.

    Args:
        command: Program and arguments, the same for all.
        workers: How many, at least 2.
        say: Told how one has failed, with the last lines of what it said.

    Returns:
        The exit code: that of the first that failed, else 0.

    Raises:
        InputError: If there are fewer GPUs than workers, and any.
    """
    environments = worker_environments(workers)
    with (
        tempfile.TemporaryDirectory(prefix="lsk-workers-") as folder,
        contextlib.ExitStack() as held,
    ):
        logs = [Path(folder) / f"worker-{index}.txt" for index in range(workers)]
        processes: list[subprocess.Popen] = []
        held.callback(_end, processes)
        for index, environment in enumerate(environments):
            output = held.enter_context(logs[index].open("wb")) if index else None
            processes.append(
                subprocess.Popen(
                    command,
                    env={**environment, WATCHED: "1", "TMPDIR": folder},
                    stdin=subprocess.PIPE,
                    stdout=output,
                    stderr=output,
                    # Ctrl-C is for this process, which hands it on.
                    start_new_session=True,
                )
            )
        with _handing_on(processes):
            first = _first_to_fail(processes)
        if first is None:
            return 0
        code = processes[first].returncode
        _end(processes)
        if code not in _STOPPED:
            told = f"worker {first} of {workers} ended with {_told(code)}; all were ended"
            say("\n  ".join([told, *(_last_lines(logs[first]) if first else ())]))
        return code if code > 0 else 128 - code


def worker_environments(workers: int) -> list[dict[str, str]]:
    """Returns the environment of each worker: its place by both frameworks' variables, its GPUs.

    What the user has set of threads stays; where there is no GPU, each has its part of the cores.
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


def end_with_stdin() -> None:
    """Ends this process when its standard input does, where `WATCHED` says so.

    The input is a pipe from the process that looks after this one: it ends with that, however that
    ends.
    """
    if os.environ.pop(WATCHED, None) is None:
        return

    def watch() -> None:
        with contextlib.suppress(OSError, ValueError):
            while os.read(0, 1024):
                pass
        # Whatever the framework waits for; no other signal is sure to be heard.
        os.kill(os.getpid(), getattr(signal, "SIGKILL", signal.SIGTERM))

    threading.Thread(target=watch, daemon=True).start()


def free_addresses(count: int) -> list[str]:
    """Returns so many `HOST:PORT` of this machine that nobody listens at."""
    with contextlib.ExitStack() as held:
        sockets = [held.enter_context(socket.socket()) for _ in range(count)]
        for one in sockets:
            one.bind(("127.0.0.1", 0))
        return [f"127.0.0.1:{one.getsockname()[1]}" for one in sockets]


def _first_to_fail(processes: Sequence[subprocess.Popen]) -> int | None:
    """Waits until all have ended well, or one has not and the others had their time."""
    first: int | None = None
    until = float("inf")
    while None in [process.poll() for process in processes]:  # each is asked
        ended = [i for i, p in enumerate(processes) if p.returncode is not None]
        failed = [i for i in ended if processes[i].returncode]
        if first is None and failed:
            first = failed[0]
            asked = processes[first].returncode in _STOPPED
            until = time.monotonic() + (_SAVED_SECONDS if asked else _FAREWELL_SECONDS)
        elif ended and until == float("inf"):
            until = time.monotonic() + _SAVED_SECONDS
        if time.monotonic() > until:
            # Of those that ended well, some still run: they hang.
            return first if first is not None else _hanging(processes)
        time.sleep(_POLL_SECONDS)
    if first is None:
        first = next((i for i, p in enumerate(processes) if p.returncode), None)
    return first


def _hanging(processes: Sequence[subprocess.Popen]) -> int:
    index = next(i for i, p in enumerate(processes) if p.returncode is None)
    _end([processes[index]])
    return index


def _end(processes: Sequence[subprocess.Popen]) -> None:
    """Ends what still runs, at once, and leaves no zombie."""
    for process in processes:
        if process.poll() is None:
            process.kill()
    for process in processes:
        process.wait()
        if process.stdin is not None:
            with contextlib.suppress(OSError):
                process.stdin.close()


@contextlib.contextmanager
def _handing_on(processes: Sequence[subprocess.Popen]) -> Iterator[None]:
    """Hands signals to stop on to all, once; a second one ends them."""
    came: list[int] = []

    def hand_on(number, frame):
        came.append(number)
        for process in processes:
            if process.poll() is None:
                process.kill() if len(came) > 1 else process.send_signal(number)

    with handle_signals(_SIGNALS, hand_on):
        yield


def _told(code: int) -> str:
    return f"exit code {code}" if code >= 0 else f"signal {-code} ({signal.strsignal(-code)})"


def _last_lines(log: Path) -> list[str]:
    lines = log.read_text(errors="replace").splitlines()
    return [line for line in lines if line.strip() and not _START_UP.match(line)][-LAST_LINES:]
