"""Stopping on request: Ctrl-C, and the signals of schedulers before they end a job."""

import contextlib
import signal
from collections.abc import Iterator

from ls_base.process import handle_signals
from lsk_engine.devices.processes import ConsensusCounter

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
        self._agreed = ConsensusCounter()

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

    def note(number, frame):
        request.number = number
        for other, handler in before.items():
            signal.signal(other, handler)

    with handle_signals(_NAMES, note) as before:
        yield request
