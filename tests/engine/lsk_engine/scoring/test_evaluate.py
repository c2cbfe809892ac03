"""Scoring a run anew: what is refused. Its numbers are tested where runs are trained."""

import pytest

from ls_base.errors import InputError
from lsk_engine.progress import Reporter
from lsk_engine.scoring.evaluate import evaluate
from lsk_engine.tasks.contract import Scores
from tiny_points import TinyPoints
from untrained_run import untrained_run


class Twice(TinyPoints):
    """Calls its own score what the engine calls one."""

    def score(self, examples, outputs):
        return Scores({"accuracy": 50.0}, {"accuracy": "accuracy (%)"})


def test_a_score_of_a_task_does_not_vanish_behind_the_engines(tmp_path):
    run, _, config = untrained_run(TinyPoints(), tmp_path / "run")
    with pytest.raises(InputError, match="engine names what .* Received: accuracy$"):
        evaluate(Twice(), config, run, Reporter(-1))
    assert not run.metrics_file.exists()
