"""Stopping on request: Ctrl-C, and what schedulers send before they end a job."""

import contextlib
import signal
import threading
from collections.abc import Iterator

from lsk_engine.devices.processes import Agreement

# Ctrl-C, `kill`, a terminal that closes, a scheduler's warning; not every system has all.
_NAMES = ("SIGINT", "SIGTERM", "SIGHUP", "SIGUSR1")


class StopRequest:
    """Whether a signal has asked training to stop, and which.

    Of several processes that train together all stop at the same step, whichever was asked.

    Attributes:
        number: Of the signal; `None`: none came.
    """

    def __init__(self) -> None:
        self.number: int | None = None
        self._agreed = Agreement()

    def __call__(self) -> bool:
        """Returns whether one came; each process asks as often as the others."""
        agreed = self._agreed(self.number or 0)
        if agreed:
            self.number = agreed
        return bool(agreed)


@contextlib.contextmanager
def stop_on_signal() -> Iterator[StopRequest]:
    """Yields what tells whether a signal came; a second one acts at once."""
    request = StopRequest()
    if threading.current_thread() is not threading.main_thread():
        yield request  # only the main thread may handle signals
        return

    def note(number, frame):
        request.number = number
        for other, handler in before.items():
            signal.signal(other, handler)

    numbers = [getattr(signal, name) for name in _NAMES if hasattr(signal, name)]
    before = {n: signal.getsignal(n) for n in numbers}
    # One that is ignored (`nohup`, a shell's background job) stays ignored.
    before = {n: handler for n, handler in before.items() if handler is not signal.SIG_IGN}
    for number in before:
        signal.signal(number, note)
    try:
        yield request
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
