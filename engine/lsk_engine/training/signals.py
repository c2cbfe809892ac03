"""Stopping on request: Ctrl-C and SIGTERM."""

import contextlib
import signal
import threading
from collections.abc import Iterator
from typing import Any


@contextlib.contextmanager
def stop_on_signal() -> Iterator[Any]:
    """Yields a function that tells whether Ctrl-C or SIGTERM came; the second one acts at once."""
    requested = threading.Event()
    if threading.current_thread() is not threading.main_thread():
        yield requested.is_set  # only the main thread may handle signals
        return

    def request(signum, frame):
        requested.set()
        for number, handler in before.items():
            signal.signal(number, handler)

    before = {n: signal.signal(n, request) for n in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield requested.is_set
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
