"""Scoring a run again; the numbers are tested where runs are trained."""

import dataclasses
import io

import pytest

from ls_base.errors import InputError
from lsk_engine.progress import Reporter
from lsk_engine.scoring.calibrate import calibrate
from lsk_engine.scoring.evaluate import evaluate
from lsk_engine.tasks.contract import Scores
from tiny_points import NAMES, DecodingConfig, TinyPoints
from untrained_run import untrained_run


class Twice(TinyPoints):
    """A task whose score has the name of an engine score."""

    def score(self, examples, outputs):
        return Scores({"accuracy": 50.0}, {"accuracy": "accuracy (%)"})


def test_a_score_with_the_name_of_an_engine_score_is_refused(tmp_path):
    run, _, config = untrained_run(TinyPoints(), tmp_path / "run")
    with pytest.raises(InputError, match="with other names than the engine.* Received: accuracy$"):
        evaluate(Twice(), config, run, Reporter(-1))
    assert not run.metrics_file.exists()


class Named(TinyPoints):
    """A task whose outputs are texts."""

    def load_data(self, config, artifacts=None):
        data = super().load_data(config, artifacts)
        for examples in data.splits.values():
            examples.references = [NAMES[label] for label in examples.labels]
        return data

    def decode(self, model, examples, config, data, progress):
        return [NAMES[i] for i in super().decode(model, examples, config, data, progress)]


def test_references_that_are_texts_are_stored_beside_the_outputs(tmp_path):
    run, _, config = untrained_run(Named(), tmp_path / "run")
    evaluate(Named(), config, run, Reporter(-1))
    references = run.read(run.references_file("test"), list[str])
    assert len(references) == len(run.read(run.outputs_file("test"), list[str])) == 20
    assert set(references) <= set(NAMES)


def test_scoring_again_keeps_the_training_time(tmp_path):
    run, task, config = untrained_run(TinyPoints(), tmp_path / "run")
    first = evaluate(task, config, run, Reporter(-1), seconds=7200.0)
    assert first["seconds"] > 7200
    assert evaluate(task, config, run, Reporter(-1))["seconds"] == first["seconds"]


def test_other_references_are_not_stored(tmp_path):
    run, _, config = untrained_run(TinyPoints(), tmp_path / "run")
    evaluate(TinyPoints(), config, run, Reporter(-1))
    assert run.outputs_file("test").is_file()
    assert not run.references_file("test").exists()


@dataclasses.dataclass(frozen=True)
class Undoing(DecodingConfig):
    unsmooth: float | str = "fitted"


class UndoingTask(TinyPoints):
    """Records the removed α of each call."""

    decoding_config = Undoing

    def __init__(self):
        self.removed = []

    def decode(self, model, examples, config, data, progress):
        self.removed.append(config.decoding.unsmooth)
        return super().decode(model, examples, config, data, progress)


def evaluate_with_log(task, config, run, **options):
    said = io.StringIO()
    found = evaluate(task, config, run, Reporter(stream=said), **options)
    return found, said.getvalue()


def test_removing_alpha_0_is_reported_once(tmp_path):
    task = UndoingTask()
    run, _, config = untrained_run(task, tmp_path / "run", **{"training.alpha": 0})
    _, said = evaluate_with_log(task, config, run)
    assert said.count("has no effect: the run was trained with α = 0") == 1
    assert task.removed == ["fitted"] * 2


def test_the_calibrated_model_is_searched_without_removing_smoothing(tmp_path):
    task = UndoingTask()
    run, _, config = untrained_run(task, tmp_path / "run")
    calibrate(task, config, run, Reporter(-1))
    _, said = evaluate_with_log(task, config, run, calibrated=True)
    assert task.removed == [0.0] * 2
    assert "The calibrated model is decoded with decoding.unsmooth=0" in said
