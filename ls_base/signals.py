"""Handling signals for a while."""

import contextlib
import signal
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any


@contextlib.contextmanager
def handled(names: Iterable[str], handler: Callable[[int, Any], None]) -> Iterator[Mapping]:
    """Lets a function handle signals while the block runs; yields who handled them before.

    Signals that are ignored (`nohup`, a shell's background job) stay so, and only the main thread
    may handle any: in another, nothing changes.

    Args:
        names: Of the signals; those that the system doesn't have are left out.
        handler: Takes the signal's number and the frame that it came in.

    Example:
    >>> came = []
    >>> with handled(["SIGTERM"], lambda number, frame: came.append(number)):
    ...     signal.raise_signal(signal.SIGTERM)
    >>> came == [signal.SIGTERM]
    True
    """
    if threading.current_thread() is not threading.main_thread():
        yield {}
        return
    numbers = [getattr(signal, name) for name in names if hasattr(signal, name)]
    before = {number: signal.getsignal(number) for number in numbers}
    before = {n: of_it for n, of_it in before.items() if of_it is not signal.SIG_IGN}
    for number in before:
        signal.signal(number, handler)
    try:
        yield before
    finally:
        for number, of_it in before.items():
            signal.signal(number, of_it)
