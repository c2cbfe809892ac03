"""Training many runs, several at a time, whoever trains them."""

import time
from collections.abc import Callable, Sequence

from ls_base.errors import LsKerasError
from ls_base.process import handle_signals
from lsk_engine.progress import Reporter
from lsk_engine.studies.executors.executor import Ending, Trainings
from lsk_engine.studies.executors.job_progress import Board
from lsk_engine.studies.jobs import Job

WAITED_IN_VAIN = "Expected the run before it to be finished. Received: one that failed"
_POLL = 0.1  # seconds


class Terminated(KeyboardInterrupt):
    """Work on many runs was stopped by another signal than Ctrl-C's.

    Attributes:
        exit_code: Of a process that ends for it: 128 + the signal's number.
    """

    def __init__(self, number: int):
        super().__init__(f"stopped by signal {number}")
        self.exit_code = 128 + number


def run_jobs(
    jobs: Sequence[Job],
    trainings: Trainings,
    reporter: Reporter,
    *,
    ended: Callable[[Job], str] = lambda job: "",
    keep_going: bool = False,
) -> dict[Job, LsKerasError]:
    """Trains those jobs that are not finished, and resumes those that were interrupted.

    Ctrl-C, SIGTERM and SIGHUP are handed on: each run saves its state before it ends; a second
    Ctrl-C kills them.

    Args:
        jobs: What to train; where several can start, the first does.
        trainings: Who trains them.
        reporter: Who is told.
        ended: Returns what to say of a run that ended, and may refuse it.
        keep_going: Whether the others go on when a training fails, those apart that wait for it.

    Returns:
        What failed, and how; nothing without `keep_going`.

    Raises:
        LsKerasError: If a training fails, without `keep_going`; the others are stopped, and can go
            on later.
        KeyboardInterrupt: After Ctrl-C; `Terminated`, which is one, after another signal.
    """
    board = Board(jobs, reporter)
    waiting = [job for job in jobs if not job.finished]
    running: set[Job] = set()
    failed: dict[Job, LsKerasError] = {}
    if not waiting:
        return failed
    with handle_signals(("SIGTERM", "SIGHUP"), _interrupt), trainings:
        try:
            while waiting or running:
                for job in [job for job in waiting if job.ready][: trainings.room()]:
                    waiting.remove(job)
                    if not job.run.config_file.is_file():
                        try:
                            job.create()
                        except LsKerasError as error:
                            if not keep_going:
                                raise
                            failed[job] = error
                            board.failed(job, error)
                            continue
                    trainings.start(job)
                    running.add(job)
                    board.started(job)
                board.show(trainings.at_a_time())
                time.sleep(_POLL)
                for job, ending in trainings.ended():
                    running.remove(job)
                    if ending.code or not job.finished:
                        failure = _failure(job, ending)
                        if not keep_going:
                            raise failure
                        failed[job] = failure
                        board.failed(job, failure)
                    else:
                        board.ended(job, ended(job))
                lost = {job.run.path for job in failed}
                for job in [job for job in waiting if job.after and job.after.path in lost]:
                    waiting.remove(job)
                    failed[job] = LsKerasError(WAITED_IN_VAIN)
                    board.failed(job, failed[job])
        except BaseException:
            trainings.stop()
            raise
    return failed


def _failure(job: Job, ending: Ending) -> LsKerasError:
    return LsKerasError(
        f"Expected every training to end well; the same command goes on. Received: {job.name} "
        f"({job.run.path}), exit code {ending.code}: {ending.said}"
    )


def _interrupt(number, frame):
    raise Terminated(number)
