"""Stops a process when the process that started it is gone.

A study or supervisor that is killed with SIGKILL cannot stop the trainings it has started, so each
training watches its parent: twice a second it compares its parent's process ID with the expected
one. This works on every POSIX system, while `prctl(PR_SET_PDEATHSIG)` is Linux only and reacts to
the end of the *thread* that started the process (Dask trains from threads). A process of a fork
server has the server as its parent, and waits for the end of a pipe instead.
"""

import os
import threading
import time
from collections.abc import Callable

WATCHED = "LSK_STOP_WITH_PARENT"  # "PARENT_PID:SIGNAL_NUMBER", set for processes that must not stay
_POLL_SECONDS = 0.5


def watch_variables(signal_number: int) -> dict[str, str]:
    """Returns the environment variables that make children of this process stop with it.

    Args:
        signal_number: Signal that the child sends itself: SIGTERM to save its state first, SIGKILL
            to stop whatever it is waiting for.
    """
    return {WATCHED: f"{os.getpid()}:{int(signal_number)}"}


def stop_with_parent() -> None:
    """Starts watching the parent process, if `watch_variables` asks for it.

    The variable is removed from the environment: children of this process are not concerned.
    """
    wanted = os.environ.pop(WATCHED, None)
    if wanted is None or not hasattr(os, "fork"):  # Windows keeps the ID of a parent that is gone
        return
    parent, number = map(int, wanted.split(":"))

    def wait() -> None:
        while os.getppid() == parent:
            time.sleep(_POLL_SECONDS)

    stop_after(wait, number)


def stop_after(wait: Callable[[], object], signal_number: int) -> None:
    """Sends this process a signal as soon as a function has returned, which a thread calls.

    Args:
        wait: Returns when the process has to stop.
        signal_number: The signal.
    """

    def watch() -> None:
        wait()
        os.kill(os.getpid(), signal_number)

    threading.Thread(target=watch, daemon=True).start()
