"""Who trains the runs of a study: processes of this machine, or the workers of a cluster."""

import abc
from typing import IO, NamedTuple

from lsk_engine.studies.jobs import Job


class Ending(NamedTuple):
    """How a training has ended.

    Attributes:
        code: The exit code of its process.
        said: What it said last, on standard error: its own error, if there is one.
    """

    code: int
    said: str


class Trainings(abc.ABC):
    """Trains runs, several at a time; a context, outside which nothing is trained any more."""

    def __enter__(self):
        return self

    def __exit__(self, *_):
        return None

    @abc.abstractmethod
    def at_a_time(self) -> int:
        """Returns how many runs are trained at a time."""

    @abc.abstractmethod
    def room(self) -> int:
        """Returns how many runs can be started now."""

    @abc.abstractmethod
    def start(self, job: Job) -> None:
        """Starts to train a run, whose directory is there."""

    @abc.abstractmethod
    def ended(self) -> list[tuple[Job, Ending]]:
        """Returns the runs whose training has ended since it was last asked, and how."""

    @abc.abstractmethod
    def stop(self) -> None:
        """Lets every training save its state, and waits for it; a second Ctrl-C kills them."""


def last_words(errors: IO[bytes]) -> str:
    """Returns what a process said of its failure: its error, or else its last line.

    Args:
        errors: Its standard error.
    """
    errors.seek(0)
    lines = [line for line in errors.read().decode(errors="replace").splitlines() if line.strip()]
    said = next((line for line in lines if line.startswith("Error: ")), (lines or ["nothing"])[-1])
    return said.removeprefix("Error: ")
