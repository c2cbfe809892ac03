"""Training many runs in this process, one after another: for what no other process can know."""

from collections.abc import Callable, Sequence

from ls_base.errors import LsKerasError
from lsk_engine.progress import Reporter
from lsk_engine.settings.resolving import restore_config
from lsk_engine.studies.executors.job_progress import Board
from lsk_engine.studies.executors.run_jobs import WAITED_IN_VAIN
from lsk_engine.studies.jobs import Job
from lsk_engine.tasks.contract import Task


def run_here(
    jobs: Sequence[Job],
    reporter: Reporter,
    *,
    task: Task,
    ended: Callable[[Job], str] = lambda job: "",
    keep_going: bool = False,
) -> dict[Job, LsKerasError]:
    """Trains those jobs that are not finished, and resumes those that were interrupted.

    Args:
        jobs: What to train; where several can start, the first does.
        reporter: Who is told.
        task: The task of all.
        ended: Returns what to say of a run that ended.
        keep_going: Whether the others go on when a training fails.

    Returns:
        What failed, and how; nothing without `keep_going`.

    Raises:
        LsKerasError: If a training fails, without `keep_going`.
        KeyboardInterrupt: After Ctrl-C or another signal to stop; the run has saved its state.
    """
    from lsk_engine.training.checkpointing import Interrupted

    board = Board(jobs, reporter)
    failed: dict[Job, LsKerasError] = {}
    waiting = [job for job in jobs if not job.finished]
    while waiting:
        job = next((job for job in waiting if job.ready), None)
        if job is None:  # they wait for what has failed
            for job in waiting:
                failed[job] = LsKerasError(WAITED_IN_VAIN)
                board.failed(job, failed[job])
            break
        waiting.remove(job)
        board.started(job)
        try:
            _train(job, task)
        except Interrupted as stop:
            raise KeyboardInterrupt(str(stop)) from stop
        except LsKerasError as error:
            if not keep_going:
                raise
            failed[job] = error
            board.failed(job, error)
        else:
            board.ended(job, ended(job))
    return failed


def _train(job: Job, task: Task) -> None:
    from lsk_engine.experiment import run_experiment

    resume = job.run.config_file.is_file()
    if not resume:
        job.create()
    config = restore_config(task, job.run.read_config())
    quiet = Reporter(verbosity=-1, log=job.run.log_file)
    run_experiment(task, config, job.run, quiet, resume=resume)
