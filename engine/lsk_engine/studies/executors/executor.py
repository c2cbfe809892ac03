"""The interface of everything that can train the runs of a study, and training in this process."""

import abc
import signal
from typing import IO, NamedTuple

from ls_base.errors import LsKerasError
from lsk_engine.progress import Reporter
from lsk_engine.settings.resolving import restore_config
from lsk_engine.studies.jobs import Job
from lsk_engine.tasks.contract import Task

PEER_LOST = 5  # exit code of a training if one of its processes was killed


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


class InProcess(Executor):
    """Trains runs in this process, one after another; `start` returns at the end of the run.

    For models and data that exist in this process only, such as those of a notebook: a function
    cannot be sent to another process.

    Args:
        task: The task of all runs.
    """

    def __init__(self, task: Task):
        self.task = task
        self.ended: list[tuple[Job, ExitStatus]] = []

    def __str__(self) -> str:
        return "1 at a time"

    def capacity(self) -> int:
        """Returns 1."""
        return 1

    def start(self, job: Job) -> None:
        """Trains a run.

        Raises:
            KeyboardInterrupt: After Ctrl-C or another signal to stop; the run has saved its state.
        """
        from lsk_engine.experiment import run_experiment
        from lsk_engine.training.checkpointing import Interrupted

        config = restore_config(self.task, job.run.read_config())
        quiet = Reporter(verbosity=-1, log=job.run.log_file)
        status = ExitStatus(0)
        try:
            # A directory that was only just made has no checkpoint to resume from.
            run_experiment(self.task, config, job.run, quiet, resume=True)
        except Interrupted as stop:
            raise KeyboardInterrupt(str(stop)) from stop
        except LsKerasError as error:
            status = ExitStatus(error.exit_code, str(error), error)
        self.ended.append((job, status))

    def poll(self) -> list[tuple[Job, ExitStatus]]:
        """Returns the trainings that have ended since the last call."""
        ended, self.ended = self.ended, []
        return ended

    def stop(self) -> None:
        """Does nothing: no training is running."""
