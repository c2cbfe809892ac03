"""This process: the cores it may use, and its signals."""

import contextlib
import os
import signal
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any


def num_cores() -> int:
    """Returns how many cores this process may use, which may be fewer than the machine has.

    Example:
    >>> num_cores() >= 1
    True
    """
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


@contextlib.contextmanager
def handle_signals(names: Iterable[str], handler: Callable[[int, Any], None]) -> Iterator[Mapping]:
    """Handles signals with a function while the block runs; yields the previous handlers.

    Signals that are ignored (`nohup`, background jobs of a shell) stay ignored. Outside the main
    thread, where Python allows no handlers, nothing changes.

    Args:
        names: Names of the signals; those that the system does not have are skipped.
        handler: Called with the signal's number and the current stack frame.

    Example:
    >>> received = []
    >>> with handle_signals(["SIGTERM"], lambda number, frame: received.append(number)):
    ...     signal.raise_signal(signal.SIGTERM)
    >>> received == [signal.SIGTERM]
    True
    """
    if threading.current_thread() is not threading.main_thread():
        yield {}
        return
    numbers = [getattr(signal, name) for name in names if hasattr(signal, name)]
    previous = {number: signal.getsignal(number) for number in numbers}
    previous = {n: old for n, old in previous.items() if old is not signal.SIG_IGN}
    for number in previous:
        signal.signal(number, handler)
    try:
        yield previous
    finally:
        for number, old in previous.items():
            signal.signal(number, old)
