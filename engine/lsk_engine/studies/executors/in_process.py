"""Trains runs in this process, one after another.

For models and data that exist in this process only, such as those of a notebook: a function cannot
be sent to another process, nor to a worker of a cluster.
"""

from ls_base.errors import LsKerasError
from lsk_engine.progress import Reporter
from lsk_engine.settings.resolving import restore_config
from lsk_engine.studies.executors.executor import Executor, ExitStatus
from lsk_engine.studies.jobs import Job
from lsk_engine.tasks.contract import Task


class InProcess(Executor):
    """Trains a run to its end when it is started.

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
