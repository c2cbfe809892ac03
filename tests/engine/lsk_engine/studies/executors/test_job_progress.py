"""The remaining time of jobs that stand for trainings."""

import dataclasses
import io
import time

import pytest

from lsk_engine.progress import Reporter
from lsk_engine.studies.executors.job_progress import StudyProgress


@dataclasses.dataclass(frozen=True)
class Training:
    name: str
    kind: str = "run"
    finished: bool = False


@pytest.mark.parametrize(
    ("left", "workers", "minutes"),
    [(1, 4, 10), (4, 4, 10), (5, 4, 20), (8, 4, 20), (3, 1, 30)],
)
def test_remaining_time_depends_on_the_rounds_of_jobs(left, workers, minutes):
    progress = StudyProgress(
        [Training(str(i)) for i in range(left + 1)], Reporter(stream=io.StringIO())
    )
    progress.job_started(progress.jobs[0])
    progress.started_at[progress.jobs[0]] -= 600
    progress.job_finished(progress.jobs[0], "")
    progress.show(workers)
    for job in progress.jobs[1 : 1 + workers]:
        progress.job_started(job)
    assert progress._seconds_left(time.monotonic()) / 60 == pytest.approx(minutes, rel=0.01)
