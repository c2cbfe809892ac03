"""The interface of everything that can train the runs of a study."""

import abc
import signal
from typing import IO, NamedTuple

from ls_base.errors import LsKerasError
from lsk_engine.studies.jobs import Job

PEER_LOST = 5  # exit code of a training of several processes of which one was killed


class ExitStatus(NamedTuple):
    """How a training ended.

    Attributes:
        code: Exit code of its process; −N if signal N ended it.
        message: Its error message, or else the last line it wrote to standard error.
        error: The exception, if the training ran in this process.
    """

    code: int
    message: str = ""
    error: LsKerasError | None = None

    @property
    def was_killed(self) -> bool:
        """Whether a signal ended the training, so that resuming it may succeed."""
        return self.code < 0 or self.code > 128 or self.code == PEER_LOST

    def __str__(self) -> str:
        number = -self.code if self.code < 0 else self.code - 128
        if not self.was_killed or self.code == PEER_LOST or number not in _SIGNALS:
            text = f"exit code {self.code}"
        else:
            text = f"killed by signal {number} ({signal.strsignal(number)})"
            if number == getattr(signal, "SIGKILL", None):
                text += ", as the system does when memory runs out"
        return f"{text}: {self.message}" if self.message else text


_SIGNALS = {int(number) for number in signal.Signals}


class Executor(abc.ABC):
    """Trains runs, several at a time. Used as a context manager; nothing trains outside it."""

    def __enter__(self):
        return self

    def __exit__(self, *_):
        return None

    @abc.abstractmethod
    def capacity(self) -> int:
        """Returns how many runs can be trained at a time; it may change."""

    @abc.abstractmethod
    def start(self, job: Job) -> None:
        """Starts to train a run whose directory exists, from its last checkpoint if it has one."""

    @abc.abstractmethod
    def poll(self) -> list[tuple[Job, ExitStatus]]:
        """Returns the trainings that have ended since the last call."""

    @abc.abstractmethod
    def stop(self) -> None:
        """Lets every training save its state, and waits; a second Ctrl-C kills them."""


def last_error_line(errors: IO[bytes]) -> str:
    """Returns the error message in the standard error of a process, or else its last line.

    Args:
        errors: File with what the process wrote.
    """
    errors.seek(0)
    lines = [line for line in errors.read().decode(errors="replace").splitlines() if line.strip()]
    found = [line for line in lines if line.startswith("Error: ")][:1] or lines[-1:]
    return found[0].removeprefix("Error: ") if found else ""
