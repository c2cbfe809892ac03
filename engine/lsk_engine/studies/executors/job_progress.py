"""Where many runs stand: how many are done, at which rate, how long the rest will take."""

import heapq
import statistics
import time
from collections.abc import Sequence

from ls_base.errors import LsKerasError
from lsk_engine.progress import Reporter, Standing, duration
from lsk_engine.studies.jobs import Job


class Board:
    """Tells how far the jobs are, at which rate, and how long the rest will take.

    Args:
        jobs: All of them.
        reporter: Who is told.
    """

    def __init__(self, jobs: Sequence[Job], reporter: Reporter):
        self.jobs, self.reporter, self.workers = jobs, reporter, 1
        self.since: dict[Job, float] = {}
        self.start = time.monotonic()
        self.done = [job for job in jobs if job.finished]
        self.before = len(self.done)
        self.lost: list[Job] = []
        self.seconds: dict[str, list[float]] = {}
        for job in self.done:
            took = job.run.read_metrics().seconds
            self.seconds.setdefault(job.kind, []).append(took)
        if self.before:
            reporter.message(f"{self.before} of {len(jobs)} runs are finished already")

    def started(self, job: Job) -> None:
        """Notes that a job runs."""
        self.since[job] = time.monotonic()

    def ended(self, job: Job, said: str) -> None:
        """Tells that a job has ended well, and what is said of it."""
        took = time.monotonic() - self.since.pop(job)
        self.seconds.setdefault(job.kind, []).append(took)
        self.done.append(job)
        text = f"{len(self.done)}/{len(self.jobs)}  {job.name}{': ' * bool(said)}{said}"
        self.reporter.message(f"{text}  ({duration(took)})")

    def failed(self, job: Job, failure: LsKerasError) -> None:
        """Tells that a job has failed, or can't start any more."""
        self.since.pop(job, None)
        self.lost.append(job)
        self.reporter.warning(f"{job.name}: {failure}")

    def show(self, workers: int) -> None:
        """Shows where all stand, so many of which run at a time."""
        self.workers = max(1, workers)
        self.reporter.status(self._standing)

    def _standing(self) -> Standing:
        text = f"{len(self.done)}/{len(self.jobs)} runs, {len(self.since)} running"
        text += f", {len(self.lost)} failed" * bool(self.lost)
        details = []
        now = time.monotonic()
        if len(self.done) > self.before:
            rate = 60 * (len(self.done) - self.before) / (now - self.start)
            details.append(f"{rate:.1f} runs/min")
        # How long one goes on that takes longer than the others is not known.
        if self.seconds and (left := self._left(now)) >= 1:
            details.append(f"{duration(left)} left")
        return Standing(text, len(self.done), len(self.jobs), tuple(details))

    def _left(self, now: float) -> float:
        """Returns how many seconds all that is to be done takes, as far as one can tell."""
        every = statistics.mean(s for of_kind in self.seconds.values() for s in of_kind)
        means = {kind: statistics.mean(of_kind) for kind, of_kind in self.seconds.items()}
        rests = {
            job: max(0.0, means.get(job.kind, every) - (now - self.since.get(job, now)))
            for job in self.jobs
            if job not in self.done and job not in self.lost
        }
        # Each that waits begins where one ends first.
        ends = [rest for job, rest in rests.items() if job in self.since]
        ends += [0.0] * (self.workers - len(ends))
        heapq.heapify(ends)
        for job, rest in rests.items():
            if job not in self.since:
                heapq.heapreplace(ends, ends[0] + rest)
        return max(ends)
