import math
import signal

import numpy as np
import pytest

from ls_base.errors import FileError, InputError
from lsk_engine.experiment import run_experiment
from lsk_engine.progress import Reporter
from lsk_engine.runs.checkpoints import Checkpoints
from lsk_engine.runs.resuming import apply_changes
from lsk_engine.runs.run_directory import RunDirectory
from lsk_engine.runs.stored_run import with_teacher
from lsk_engine.scoring.evaluate import evaluate
from lsk_engine.settings.resolving import resolve_config, restore_config
from lsk_engine.settings.training import TrainingConfig
from lsk_engine.training.checkpointing import Interrupted
from lsk_engine.training.early_stopping import EarlyStopping, trim_history
from lsk_engine.training.signals import StopRequest
from tiny_task import TinyTask

pytestmark = pytest.mark.usefixtures("undrawn")

TASK = TinyTask()
# A rate so high that validation is soon worse again.
HIGH = {
    "training.steps": 60,
    "training.patience": 2,
    "training.save_weights": "best",
    "optimizer.learning_rate": 0.5,
}
QUIET = Reporter(verbosity=-1)


def start(folder, **settings):
    config = resolve_config(TASK, None, settings)
    return config, RunDirectory.create(folder, config.to_dict())


def history(*scores):
    entry = {"epoch": 1, "train": {}}
    return [
        {**entry, "step": i, "validation": {} if s is None else {"nll": s, "accuracy": s}}
        for i, s in enumerate(scores, 1)
    ]


@pytest.mark.parametrize(
    ("scores", "watched", "step", "over"),
    [
        ([3.0, 2.0, None, 2.5], "nll", 2, False),
        ([3.0, 2.0, None, 2.0, 2.1], "nll", 2, True),  # as good is no better
        ([3.0, 2.0, 2.5], "accuracy", 1, True),
        ([3.0, 2.0, 3.5], "accuracy", 3, False),
        ([], "nll", 0, False),
        ([math.nan, 3.0, 2.0], "nll", 3, False),  # what is no number is no best
        ([2.0, math.nan, 3.0], "nll", 1, True),
        ([math.nan, 3.0, math.nan, 2.0], "accuracy", 2, True),
    ],
)
def test_the_best_of_a_history(scores, watched, step, over):
    options = TrainingConfig(patience=2, save_weights="best", monitor=watched)
    kept = {99}
    best = EarlyStopping(options, history(*scores), kept)
    assert (best.step, best.should_stop) == (step, over)
    assert kept == ({99, step} if step else {99})


@pytest.mark.parametrize(
    ("scores", "keep", "owed", "ended", "kept"),
    [
        ([3.0, 2.0, 1.0, 0.5], "last", False, True, 3),
        ([3.0, 2.0, 1.0, 0.5], "best", True, True, 2),  # it comes again
        ([3.0, 2.0, 1.0, 0.5], "last", False, False, 2),  # so does the part of an epoch
        ([3.0, 2.0, 1.0, 0.5], "best", False, False, 3),  # its weights are the best
        ([3.0, 2.0, 2.5, 0.5], "best", False, False, 2),
        ([3.0, 2.0, None, 0.5], "best", False, False, 2),
    ],
)
def test_what_is_kept_of_a_history(scores, keep, owed, ended, kept):
    options = TrainingConfig(save_weights=keep)
    entries = trim_history(history(*scores), 3, options, pending=owed, ended=ended)
    assert entries == history(*scores)[:kept]


def test_without_patience_training_is_never_over():
    assert not EarlyStopping(TrainingConfig(), history(*range(1, 50)), set()).should_stop


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    config, run = start(tmp_path_factory.mktemp("best") / "run", **HIGH)
    run_experiment(TASK, config, run, QUIET)
    return config, run


def test_training_ends_early_and_the_best_is_saved(finished):
    _, run = finished
    entries = [e for e in run.read_history() if e["validation"]]
    scores = [e["validation"]["nll"] for e in entries]
    at = int(np.argmin(scores))
    assert len(scores) == at + 3
    assert entries[-1]["step"] < 60
    assert entries[at]["step"] in Checkpoints(run.checkpoints).steps()
    saved = run.read_metrics().splits["validation"]["nll"]
    np.testing.assert_allclose(saved, scores[at], rtol=1e-5)


class _StopsAt:
    """Asks for a stop when it has been asked so often."""

    def __init__(self, at):
        self.left = at

    def __enter__(self):
        outer = self

        class Request(StopRequest):
            def __call__(self):
                outer.left -= 1
                if outer.left == 0:
                    self.number = signal.SIGTERM
                return super().__call__()

        return Request()

    def __exit__(self, *_):
        return False


@pytest.mark.parametrize(
    "at", [20, *(pytest.param(at, marks=pytest.mark.slow) for at in (3, 12, 27))]
)
def test_stopped_and_resumed_it_ends_the_same(finished, tmp_path, at, monkeypatch):
    _, first = finished
    config, run = start(tmp_path / "run", **HIGH)
    with monkeypatch.context() as patch:
        patch.setattr("lsk_engine.training.train.stop_on_signal", lambda: _StopsAt(at))
        with pytest.raises(Interrupted):
            run_experiment(TASK, config, run, QUIET)
    run_experiment(TASK, config, run, QUIET, resume=True)
    assert run.read_history() == first.read_history()
    assert_same_weights(run, first)


def test_a_finished_run_is_not_trained_further(finished, tmp_path):
    config, run = start(tmp_path / "run", **HIGH)
    run_experiment(TASK, config, run, QUIET)
    before = run.read_history()
    run_experiment(TASK, config, run, QUIET, resume=True)
    assert run.read_history() == before


def test_without_the_best_checkpoint_it_says_what_to_do(tmp_path):
    config, run = start(tmp_path / "run", **HIGH)
    run_experiment(TASK, config, run, QUIET)
    best = EarlyStopping(config.training, run.read_history(), set()).step
    (run.checkpoints / f"step-{best:08}.npz").unlink()
    with pytest.raises(FileError, match=r"--set training.save_weights=last continues without"):
        run_experiment(TASK, config, run, QUIET, resume=True)
    config = apply_changes(config, {"training.save_weights": "last"})
    run_experiment(TASK, config, run, QUIET, resume=True)
    assert restore_config(TASK, run.read_config()).training.save_weights == "last"


@pytest.mark.parametrize(
    "settings",
    [
        {"training.save_weights": "best", "training.average_checkpoints": 2},
        {"training.patience": 1, "training.average_checkpoints": 2},
        {"training.save_weights": "best", "optimizer.ema_momentum": 0.9},
        {"training.patience": -1},
        {"training.monitor": "bleu"},
        {"training.save_weights": "first"},
    ],
)
def test_what_does_not_go_together_is_told(settings):
    with pytest.raises(InputError, match="Expected"):
        resolve_config(TASK, None, settings)


@pytest.mark.slow
@pytest.mark.parametrize(("first", "then"), [(12, 18), (13, 20), (7, 13)])
def test_a_longer_run_is_what_it_would_have_been(tmp_path, first, then):
    """Also where the shorter one ended within an epoch, of six steps."""
    config, straight = start(tmp_path / "straight", **{"training.steps": then})
    run_experiment(TASK, config, straight, QUIET)
    config, run = start(tmp_path / "run", **{"training.steps": first})
    run_experiment(TASK, config, run, QUIET)
    run_experiment(TASK, apply_changes(config, {"training.steps": then}), run, QUIET, resume=True)
    assert run.read_history() == straight.read_history()
    assert_same_weights(run, straight)
    assert run.read_starts()[1]["changed"] == {"training.steps": [first, then]}


def content(run):
    """Returns what a run holds; what was said goes on."""
    files = (file for file in run.path.rglob("*") if file.is_file())
    return {file: file.read_bytes() for file in files if file.name not in ("log.txt", ".lock")}


def test_a_run_whose_best_ended_within_an_epoch_goes_on_and_back(tmp_path):
    """The epoch has six steps; the checkpoint of its predecessor is long gone."""
    settings = {"training.steps": 17, "training.save_weights": "best", "training.max_to_keep": 1}
    config, run = start(tmp_path / "run", **settings)
    run_experiment(TASK, config, run, QUIET)
    before = run.read_history()
    assert [entry["step"] for entry in before] == [6, 12, 17]
    assert Checkpoints(run.checkpoints).steps() == [17]
    longer = apply_changes(config, {"training.steps": 26})
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("lsk_engine.training.train.stop_on_signal", lambda: _StopsAt(1))
        with pytest.raises(Interrupted):
            run_experiment(TASK, longer, run, QUIET, resume=True)
    with pytest.raises(FileError, match="Expected a finished run"):
        evaluate(TASK, longer, run, QUIET)  # the model was that of the shorter one
    with pytest.raises(InputError, match="Expected a finished teacher"):
        with_teacher(run.path, config)
    run_experiment(TASK, longer, run, QUIET, resume=True)
    entries = run.read_history()
    assert [entry["step"] for entry in entries] == [6, 12, 17, 18, 24, 26]
    best = EarlyStopping(longer.training, entries, set()).step
    saved = run.read_metrics().splits["validation"]["nll"]
    (expected,) = (e["validation"]["nll"] for e in entries if e["step"] == best)
    np.testing.assert_allclose(saved, expected, rtol=1e-5)


@pytest.mark.parametrize(
    ("error", "told", "settings"),
    [
        (FileError, "of one of the run's 6 steps", {"training.steps": 6}),
        (FileError, "the best validation", {"training.steps": 24, "training.save_weights": "best"}),
        (FileNotFoundError, "unplugged", {"training.steps": 24}),
    ],
)
def test_what_is_refused_changes_nothing(tmp_path, monkeypatch, error, told, settings):
    config, run = start(tmp_path / "run", **{"training.steps": 12, "optimizer.learning_rate": 0.5})
    run_experiment(TASK, config, run, QUIET)
    history = run.read_history()
    history[0]["validation"]["nll"] = 0.0  # the best is the first, which isn't kept
    run.write_history(history)
    (run.evaluation / "projection.png").write_bytes(b"")

    def unplugged(*_, **__):
        raise FileNotFoundError("unplugged")

    before = content(run)
    with monkeypatch.context() as patch:
        if error is FileNotFoundError:
            patch.setattr("lsk_engine.experiment.reload_data", unplugged)
        with pytest.raises(error, match=told):
            run_experiment(TASK, apply_changes(config, settings), run, QUIET, resume=True)
    assert content(run) == before
    run_experiment(TASK, config, run, QUIET, resume=True)  # it is what it was


def test_a_model_that_others_know_by_its_bytes_stays(finished):
    config, run = finished
    before, at = run.model_file.read_bytes(), run.model_file.stat().st_mtime_ns
    run_experiment(TASK, config, run, QUIET, resume=True)
    assert (run.model_file.read_bytes(), run.model_file.stat().st_mtime_ns) == (before, at)
    run.model_file.write_bytes(before + b" ")
    run_experiment(TASK, config, run, QUIET, resume=True)
    run.load_model()  # a damaged one doesn't


def test_a_run_stopped_while_it_was_scored_is_finished_by_either(tmp_path, monkeypatch):
    config, run = start(tmp_path / "run", **{"training.steps": 6})

    def stopped(*_):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(TinyTask, "decode", stopped)
        with pytest.raises(KeyboardInterrupt):
            run_experiment(TASK, config, run, QUIET)
    before = run.model_file.read_bytes()
    assert not run.metrics_file.exists()
    evaluate(TASK, config, run, QUIET)
    assert run.metrics_file.exists()
    run.metrics_file.unlink()
    run_experiment(TASK, config, run, QUIET, resume=True)
    assert run.metrics_file.exists()
    assert run.model_file.read_bytes() == before


def test_epochs_take_the_place_of_steps(tmp_path):
    config, _ = start(tmp_path / "run", **{"training.steps": 7})
    longer = apply_changes(config, {"training.epochs": 3})
    assert (longer.training.epochs, longer.training.steps) == (3, None)
    with pytest.raises(InputError, match=r"--epochs or --steps, not both. Received: training"):
        apply_changes(config, {"training.epochs": 3, "training.steps": 9})


def test_a_schedule_that_knows_its_end_is_said(tmp_path):
    said = []
    reporter = Reporter(verbosity=-1)
    reporter.warning = said.append
    settings = {"training.steps": 6, "optimizer.schedule": "cosine"}
    config, run = start(tmp_path / "run", **settings)
    run_experiment(TASK, config, run, QUIET)
    run.calibration_file.write_text("{}")
    longer = apply_changes(config, {"training.steps": "12"})
    run_experiment(TASK, longer, run, reporter, resume=True)
    assert len(said) == 2
    assert "optimizer.schedule=cosine" in said[0]
    assert "the calibration is removed" in said[1]
    assert not run.calibration_file.exists()


def assert_same_weights(first, second):
    one, two = (run.load_model().weights for run in (first, second))
    for weight, other in zip(one, two, strict=True):
        np.testing.assert_array_equal(weight.numpy(), other.numpy())
