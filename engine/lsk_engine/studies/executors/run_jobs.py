"""Trains many runs, several at a time, with any executor."""

import statistics
import time
from collections.abc import Callable, Sequence

from ls_base.errors import InputError, LsKerasError
from ls_base.process import handle_signals
from lsk_engine.progress import ProgressState, Reporter, duration
from lsk_engine.studies.executors.dask_cluster import DaskCluster
from lsk_engine.studies.executors.executor import Executor, ExitStatus, InProcess
from lsk_engine.studies.executors.local_processes import LocalProcesses
from lsk_engine.studies.jobs import Job
from lsk_engine.tasks.contract import Task

_POLL_SECONDS = 0.1


class TrainingFailedError(LsKerasError):
    """A training of a study failed; the same command resumes it."""

    exit_code = 6


class Terminated(KeyboardInterrupt):
    """Training many runs was stopped by another signal than Ctrl-C's.

    Attributes:
        exit_code: Exit code of a process that ends for it: 128 + the signal's number.
    """

    def __init__(self, number: int):
        super().__init__(f"stopped by signal {number}")
        self.exit_code = 128 + number


def make_executor(
    task: Task,
    command: Sequence[str] | None,
    jobs: int,
    scheduler: str | None,
    reporter: Reporter,
) -> Executor:
    """Returns the executor that the options choose; it starts nothing yet.

    Args:
        task: The task of all runs.
        command: Command line that trains a run (the run's path is appended); `None` trains in this
            process.
        jobs: Number of processes of this machine.
        scheduler: A Dask scheduler, see `DaskCluster`; `None`: no cluster.
        reporter: Receives messages.

    Raises:
        InputError: If the options contradict each other.
    """
    if jobs < 1:
        raise InputError(f"Expected at least one job. Received: {jobs}")
    if scheduler is None:
        return InProcess(task) if command is None else LocalProcesses(command, jobs)
    if jobs != 1:
        raise InputError(
            "Expected --jobs or --scheduler, whose workers train one run each. "
            f"Received: jobs={jobs}, scheduler={scheduler}"
        )
    if command is None:
        raise InputError(
            "Expected runs that other processes can train, for a scheduler. "
            f"Received: a model of this process, scheduler={scheduler}"
        )
    return DaskCluster(command, scheduler, reporter)


def run_jobs(
    jobs: Sequence[Job],
    executor: Executor,
    reporter: Reporter,
    *,
    on_finish: Callable[[Job], str] = lambda job: "",
    keep_going: bool = False,
) -> dict[Job, LsKerasError]:
    """Trains the jobs that are not finished, and resumes those that were interrupted.

    A training that was killed (the system does so when memory runs out) is resumed once. A run that
    another process still works in, such as a training of a study that was killed, is waited for.
    Ctrl-C, SIGTERM and SIGHUP are passed on: each run saves its state before it ends; a second
    Ctrl-C kills them.

    Args:
        jobs: What to train; if several can start, the first one does.
        executor: What trains them.
        reporter: Receives messages and progress.
        on_finish: Returns what to report about a finished run; may refuse it with an exception.
        keep_going: Whether the other jobs continue when a training fails, except those that need
            its run.

    Returns:
        The jobs that failed, with the reason; empty without `keep_going`.

    Raises:
        LsKerasError: If a training fails, without `keep_going`; the others are stopped and can be
            resumed.
        KeyboardInterrupt: After Ctrl-C; its subclass `Terminated` after another signal.
    """
    progress = StudyProgress(jobs, reporter)
    waiting = [job for job in jobs if not job.finished]
    running: set[Job] = set()
    retried: set[Job] = set()
    waited_for: set[Job] = set()
    failed: dict[Job, LsKerasError] = {}

    def fail(job: Job, error: LsKerasError) -> None:
        if not keep_going:
            raise error
        failed[job] = error
        progress.job_failed(job, error)

    def start(job: Job) -> None:
        waiting.remove(job)
        if job.finished:  # by the process that was waited for
            progress.job_finished(job, on_finish(job))
            return
        if not job.run.config_file.is_file():
            try:
                job.create()
            except LsKerasError as error:
                fail(job, error)
                return
        running.add(job)
        progress.job_started(job)
        executor.start(job)

    def end(job: Job, status: ExitStatus) -> None:
        running.remove(job)
        if status.code == 0 and job.finished:
            progress.job_finished(job, on_finish(job))
        elif status.was_killed and job not in retried:
            retried.add(job)
            waiting.insert(0, job)
            progress.job_stopped(job, f"{status}; it is resumed once")
        else:
            fail(job, _failure(job, status))

    if not waiting:
        return failed
    with handle_signals(("SIGTERM", "SIGHUP"), _interrupt), executor:
        try:
            while waiting or running:
                for job in [job for job in waiting if job.ready]:
                    if len(running) >= executor.capacity():
                        break
                    if not job.run.is_locked():
                        start(job)
                    elif job not in waited_for:
                        waited_for.add(job)
                        reporter.message(f"Waiting for another process that uses {job.run.path}")
                progress.show(executor.capacity())
                time.sleep(_POLL_SECONDS)
                for job, status in executor.poll():
                    end(job, status)
                failed_paths = {job.run.path for job in failed}
                for job in [one for one in waiting if one.after and one.after.path in failed_paths]:
                    waiting.remove(job)
                    fail(job, TrainingFailedError("the run that it depends on failed"))
        except BaseException:
            executor.stop()
            raise
    return failed


def _failure(job: Job, status: ExitStatus) -> LsKerasError:
    if status.error is not None:
        return status.error
    if not status.message and job.run.log_file.is_file():
        lines = job.run.log_file.read_text(errors="replace").splitlines()
        status = status._replace(message=f"last line of its log: {lines[-1]}" if lines else "")
    return TrainingFailedError(
        f"Training {job.name} ({job.run.path}) failed, {status}; the same command resumes it"
    )


def _interrupt(number, frame):
    raise Terminated(number)


class StudyProgress:
    """Reports finished and failed jobs, and estimates the remaining time.

    Args:
        jobs: All jobs, finished ones included.
        reporter: Receives messages and progress.
    """

    def __init__(self, jobs: Sequence[Job], reporter: Reporter):
        self.jobs, self.reporter, self.workers = jobs, reporter, 1
        self.started_at: dict[Job, float] = {}
        self.start = time.monotonic()
        self.finished = [job for job in jobs if job.finished]
        self.finished_before = len(self.finished)
        self.failed: list[Job] = []
        self.seconds: dict[str, list[float]] = {}  # by kind of job
        for job in self.finished:
            seconds = job.run.read_metrics().seconds
            self.seconds.setdefault(job.kind, []).append(seconds)
        if self.finished_before:
            reporter.message(f"{self.finished_before} of {len(jobs)} runs are finished already")

    def job_started(self, job: Job) -> None:
        """Records that a job is running."""
        self.started_at[job] = time.monotonic()

    def job_finished(self, job: Job, result: str) -> None:
        """Reports a finished job and its result in a few words."""
        seconds = time.monotonic() - self.started_at.pop(job, time.monotonic())
        self.seconds.setdefault(job.kind, []).append(seconds)
        self.finished.append(job)
        text = f"{len(self.finished)}/{len(self.jobs)}  {job.name}{': ' * bool(result)}{result}"
        self.reporter.message(f"{text}  ({duration(seconds)})")

    def job_stopped(self, job: Job, reason: str) -> None:
        """Reports that a job ended early and will be started again."""
        self.started_at.pop(job, None)
        self.reporter.warning(f"{job.name}: {reason}")

    def job_failed(self, job: Job, error: LsKerasError) -> None:
        """Reports that a job failed, or cannot start any more."""
        self.failed.append(job)
        self.job_stopped(job, str(error))

    def show(self, workers: int) -> None:
        """Shows the current state.

        Args:
            workers: How many jobs run at a time.
        """
        self.workers = max(1, workers)
        self.reporter.status(self._state)

    def _state(self) -> ProgressState:
        text = f"{len(self.finished)}/{len(self.jobs)} runs, {len(self.started_at)} running"
        text += f", {len(self.failed)} failed" * bool(self.failed)
        details = []
        now = time.monotonic()
        if len(self.finished) > self.finished_before:
            rate = 60 * (len(self.finished) - self.finished_before) / (now - self.start)
            details.append(f"{rate:.1f} runs/min")
        # A job that takes longer than the others has an unknown remaining time.
        if self.seconds and (left := self._seconds_left(now)) >= 1:
            details.append(f"{duration(left)} left")
        return ProgressState(text, len(self.finished), len(self.jobs), tuple(details))

    def _seconds_left(self, now: float) -> float:
        """Estimates the remaining seconds from the mean duration of each kind of job.

        The jobs share the workers evenly, and none is faster than the longest job.
        """
        overall = statistics.mean(s for seconds in self.seconds.values() for s in seconds)
        means = {kind: statistics.mean(seconds) for kind, seconds in self.seconds.items()}
        left = [
            max(0.0, means.get(job.kind, overall) - (now - self.started_at.get(job, now)))
            for job in self.jobs
            if job not in self.finished and job not in self.failed
        ]
        return max(sum(left) / self.workers, *left, 0.0)
