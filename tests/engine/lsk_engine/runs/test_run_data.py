"""What is undone is what the loss has mixed in: the same α, the same q."""

import dataclasses
import io

import pytest

from ls_keras.decoding import Unsmoothing
from lsk_engine.progress import Reporter
from lsk_engine.runs import run_data as module
from lsk_engine.runs.run_data import (
    announce_unsmoothing,
    build_unsmoothing,
    build_unsmoothing_for_run,
)
from lsk_engine.settings.resolving import resolve_config
from lsk_engine.tasks.loss import build_loss
from tiny_task import DecodingConfig, TinyTask
from untrained_run import untrained_run


@dataclasses.dataclass(frozen=True)
class Undoing(DecodingConfig):
    unsmooth: float | str = "fitted"


class UndoingTask(TinyTask):
    decoding_config = Undoing


@pytest.mark.parametrize("unused", [True, False])
@pytest.mark.parametrize("smoothing", ["uniform", "unigram"])
def test_q_is_that_of_the_loss(smoothing, unused):
    task = UndoingTask()
    settings = {"training.smoothing": smoothing, "training.smooth_unused_classes": unused}
    config = resolve_config(task, None, {**settings, "training.alpha": 0.2})
    data = task.load_data(config)
    loss = build_loss(config, data)
    assert build_unsmoothing(config, data) == Unsmoothing(loss.alpha, loss.smoothing)
    half = resolve_config(task, None, {**settings, "decoding.unsmooth": "0.1"})
    assert build_unsmoothing(half, data) == Unsmoothing(0.1, loss.smoothing)


@pytest.mark.parametrize("settings", [{"training.alpha": 0}, {"decoding.unsmooth": "0"}])
def test_nothing_is_undone_of_hard_targets_nor_unasked(settings):
    task = UndoingTask()
    config = resolve_config(task, None, settings)
    assert build_unsmoothing(config, task.load_data(config)) is None


@pytest.mark.parametrize("smoothing", ["uniform", "unigram"])
def test_data_are_loaded_only_where_their_counts_are_q(tmp_path, monkeypatch, smoothing):
    task = UndoingTask()
    settings = {"training.smoothing": smoothing, "training.smooth_unused_classes": False}
    run, _, config = untrained_run(task, tmp_path / "run", **settings)
    loaded = []

    def load(name):
        loaded.append(name)
        return task

    monkeypatch.setattr(module, "load_task", load)
    data = task.load_data(config)
    assert build_unsmoothing_for_run(config, run, data.unused_classes) == build_unsmoothing(
        config, data
    )
    assert loaded == ["tiny"] * (smoothing == "unigram")


def test_that_there_is_nothing_to_undo_is_said():
    said = io.StringIO()
    for settings in ({"training.alpha": 0}, {}, {"training.alpha": 0, "decoding.unsmooth": 0.1}):
        config = resolve_config(UndoingTask(), None, settings)
        announce_unsmoothing(config, Reporter(stream=said))
    assert said.getvalue() == (
        "decoding.unsmooth=fitted has no effect: the run was trained with α = 0\n"
    )
