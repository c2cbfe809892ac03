"""How long the rest takes, of jobs that stand for trainings."""

import dataclasses
import io
import time

import pytest

from lsk_engine.progress import Reporter
from lsk_engine.studies.executors.job_progress import Board


@dataclasses.dataclass(frozen=True)
class Training:
    name: str
    kind: str = "run"
    finished: bool = False


@pytest.mark.parametrize(
    ("left", "workers", "minutes"),
    [(1, 4, 10), (4, 4, 10), (5, 4, 20), (8, 4, 20), (3, 1, 30)],
)
def test_no_job_ends_sooner_for_more_workers(left, workers, minutes):
    board = Board([Training(str(i)) for i in range(left + 1)], Reporter(stream=io.StringIO()))
    board.started(board.jobs[0])
    board.since[board.jobs[0]] -= 600  # it took ten minutes
    board.ended(board.jobs[0], "")
    board.show(workers)
    for job in board.jobs[1 : 1 + workers]:
        board.started(job)
    assert board._left(time.monotonic()) / 60 == pytest.approx(minutes, rel=0.01)
