"""Progress of many runs: how many are finished, at which rate, and the remaining time."""

import heapq
import statistics
import time
from collections.abc import Sequence

from ls_base.errors import LsKerasError
from lsk_engine.progress import ProgressState, Reporter, duration
from lsk_engine.studies.jobs import Job


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
        """Estimates the remaining seconds from the mean duration of each kind of job."""
        overall = statistics.mean(s for seconds in self.seconds.values() for s in seconds)
        means = {kind: statistics.mean(seconds) for kind, seconds in self.seconds.items()}
        left = {
            job: max(0.0, means.get(job.kind, overall) - (now - self.started_at.get(job, now)))
            for job in self.jobs
            if job not in self.finished and job not in self.failed
        }
        # Each waiting job starts on the worker that is free first.
        ends = [seconds for job, seconds in left.items() if job in self.started_at]
        ends += [0.0] * (self.workers - len(ends))
        heapq.heapify(ends)
        for job, seconds in left.items():
            if job not in self.started_at:
                heapq.heapreplace(ends, ends[0] + seconds)
        return max(ends)
