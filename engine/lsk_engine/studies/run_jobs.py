"""Training many runs in processes of their own, several at a time."""

import contextlib
import dataclasses
import os
import signal
import statistics
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import IO, NamedTuple

from ls_base.errors import LsKerasError
from lsk_engine.devices.gpus import VISIBLE, visible_gpus
from lsk_engine.progress import Reporter, Standing, duration
from lsk_engine.runs.run_directory import RunDirectory

WAITED_IN_VAIN = "Expected the run before it to be finished. Received: one that failed"
_POLL = 0.1  # seconds


@dataclasses.dataclass(frozen=True, eq=False)
class Job:
    """A run to be trained.

    Attributes:
        name: What people call it.
        kind: Jobs of a kind take about as long as one another.
        run: Where it goes.
        create: Makes the run directory; called when `after` is finished.
        after: A run that has to be finished first; `None`: none.
    """

    name: str
    kind: str
    run: RunDirectory
    create: Callable[[], object]
    after: RunDirectory | None = None

    @property
    def finished(self) -> bool:
        """Whether the run has its final scores."""
        return self.run.metrics_file.is_file()

    @property
    def ready(self) -> bool:
        """Whether it can start."""
        return self.after is None or self.after.metrics_file.is_file()


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
    command: Sequence[str],
    reporter: Reporter,
    *,
    workers: int = 1,
    ended: Callable[[Job], str] = lambda job: "",
    keep_going: bool = False,
) -> dict[Job, LsKerasError]:
    """Trains those jobs that are not finished, and resumes those that were interrupted.

    The cores are divided among the workers, and the GPUs dealt out, one each. Ctrl-C, SIGTERM and
    SIGHUP are handed on: each run saves its state before it ends; a second Ctrl-C kills them.

    Args:
        jobs: What to train; where several can start, the first does.
        command: What trains a run: the run's path goes behind it.
        reporter: Who is told.
        workers: How many run at a time.
        ended: Returns what to say of a run that ended, and may refuse it.
        keep_going: Whether the others go on when a training fails, those apart that wait for it.

    Returns:
        What failed, and how; nothing without `keep_going`.

    Raises:
        LsKerasError: If a training fails, without `keep_going`; the others are stopped, and can go
            on later.
        KeyboardInterrupt: After Ctrl-C; `Terminated`, which is one, after another signal.
    """
    board = Board(jobs, workers, reporter)
    waiting = [job for job in jobs if not job.finished]
    running: dict[Job, _Running] = {}
    failed: dict[Job, LsKerasError] = {}
    free = worker_environments(workers)
    with _signals_as_interrupts(), contextlib.ExitStack() as files:
        try:
            while waiting or running:
                for job in [job for job in waiting if job.ready][: len(free)]:
                    waiting.remove(job)
                    errors: IO[bytes] = files.enter_context(tempfile.TemporaryFile())
                    environment = free.pop(0)
                    process = _start(job, command, environment, errors)
                    running[job] = _Running(process, errors, environment)
                    board.started(job)
                board.show()
                time.sleep(_POLL)
                for job, (process, errors, environment) in list(running.items()):
                    if process.poll() is not None:
                        del running[job]
                        free.append(environment)
                        if process.returncode or not job.finished:
                            failure = _failure(job, process.returncode, errors)
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
            _stop([one.process for one in running.values()])
            raise
    return failed


class _Running(NamedTuple):
    process: subprocess.Popen
    errors: IO[bytes]
    environment: dict[str, str]  # whose GPU is free again afterwards


def worker_environments(workers: int) -> list[dict[str, str]]:
    """Returns the environment of each of so many processes; what the user has set stays.

    Each gets its part of the cores, one GPU of those that are visible (more workers than GPUs take
    turns), and of that only the memory that it uses. One alone gets everything.
    """
    if workers == 1:
        return [dict(os.environ)]
    affinity = getattr(os, "sched_getaffinity", None)
    cores = len(affinity(0)) if affinity else os.cpu_count() or 1
    threads = str(max(1, cores // workers))
    divided: Mapping[str, str] = {
        "TF_NUM_INTRAOP_THREADS": threads,
        "TF_NUM_INTEROP_THREADS": threads,
        "OMP_NUM_THREADS": threads,
        "TF_FORCE_GPU_ALLOW_GROWTH": "true",
        "XLA_PYTHON_CLIENT_PREALLOCATE": "false",
    }
    gpus = visible_gpus()
    dealt = [{VISIBLE: gpus[i % len(gpus)]} if gpus else {} for i in range(workers)]
    return [{**divided, **os.environ, **one} for one in dealt]


def _start(job: Job, command, environment, errors) -> subprocess.Popen:
    if not job.run.config_file.is_file():
        job.create()
    return subprocess.Popen(
        [*command, str(job.run.path)],
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=errors,
        # Ctrl-C is for this process, which hands it on once: a second one would not let them save.
        start_new_session=True,
    )


def _failure(job: Job, code: int, errors: IO[bytes]) -> LsKerasError:
    errors.seek(0)
    lines = [line for line in errors.read().decode(errors="replace").splitlines() if line.strip()]
    said = next((line for line in lines if line.startswith("Error: ")), (lines or ["nothing"])[-1])
    return LsKerasError(
        f"Expected every training to end well; the same command goes on. Received: {job.name} "
        f"({job.run.path}), exit code {code}: {said.removeprefix('Error: ')}"
    )


def _stop(processes: Sequence[subprocess.Popen]) -> None:
    """Lets every process save its state; a second Ctrl-C does not."""
    try:
        for process in processes:
            process.terminate()
        for process in processes:
            process.wait()
    except KeyboardInterrupt:
        for process in processes:
            process.kill()
            process.wait()
        raise


@contextlib.contextmanager
def _signals_as_interrupts() -> Iterator[None]:
    if threading.current_thread() is not threading.main_thread():
        yield  # only the main thread may handle signals
        return

    def interrupt(number, frame):
        raise Terminated(number)

    numbers = [signal.SIGTERM, *([signal.SIGHUP] if hasattr(signal, "SIGHUP") else [])]
    before = {n: signal.getsignal(n) for n in numbers}
    before = {n: handler for n, handler in before.items() if handler is not signal.SIG_IGN}
    for number in before:
        signal.signal(number, interrupt)
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


class Board:
    """Tells how far the jobs are, at which rate, and how long the rest will take.

    Args:
        jobs: All of them.
        workers: How many run at a time.
        reporter: Who is told.
    """

    def __init__(self, jobs: Sequence[Job], workers: int, reporter: Reporter):
        self.jobs, self.workers, self.reporter = jobs, workers, reporter
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

    def show(self) -> None:
        """Shows where all stand."""
        self.reporter.status(self._standing)

    def _standing(self) -> Standing:
        text = f"{len(self.done)}/{len(self.jobs)} runs, {len(self.since)} running"
        text += f", {len(self.lost)} failed" * bool(self.lost)
        details = []
        now = time.monotonic()
        if len(self.done) > self.before:
            rate = 60 * (len(self.done) - self.before) / (now - self.start)
            details.append(f"{rate:.1f} runs/min")
        if self.seconds:
            details.append(f"{duration(self._left(now) / self.workers)} left")
        return Standing(text, len(self.done), len(self.jobs), tuple(details))

    def _left(self, now: float) -> float:
        """Returns how many seconds all that is to be done takes, as far as one can tell."""
        every = statistics.mean(s for of_kind in self.seconds.values() for s in of_kind)
        means = {kind: statistics.mean(of_kind) for kind, of_kind in self.seconds.items()}
        return sum(
            max(0.0, means.get(job.kind, every) - (now - self.since.get(job, now)))
            for job in self.jobs
            if job not in self.done and job not in self.lost
        )
