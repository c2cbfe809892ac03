import dataclasses
import io
import json
import os
import signal
import threading

import keras
import numpy as np
import pytest
from matplotlib.figure import Figure

from kills import differences
from lock_holder import held_by_another_process
from ls_base.errors import FileError, InputError, LsKerasError
from lsk_engine.data.batches import BatchSource
from lsk_engine.data.fingerprint import StoredFingerprint
from lsk_engine.data.lazy import lazy_array, map_splits
from lsk_engine.experiment import run_experiment
from lsk_engine.progress import Reporter
from lsk_engine.runs import checkpoints
from lsk_engine.runs.checkpoints import Checkpoints
from lsk_engine.runs.resuming import apply_changes
from lsk_engine.runs.run_data import NewData
from lsk_engine.runs.run_directory import RunDirectory
from lsk_engine.scoring.calibrate import calibrate
from lsk_engine.scoring.evaluate import evaluate
from lsk_engine.settings.resolving import resolve_config
from lsk_engine.training.checkpointing import CheckpointEvery, Interrupted
from lsk_engine.training.divergence import DivergenceError
from lsk_engine.training.optimizers import build_optimizer
from lsk_engine.training.validation import StopValidationOnRequest
from stored_arrays import arrays_of
from tiny_task import Letters, TinyTask

STEPS = 13  # of 6 an epoch (41 examples, batches of 8), so that the last is partial

pytestmark = [pytest.mark.tensorflow, pytest.mark.usefixtures("undrawn")]


def start(folder, **overrides):
    task = TinyTask()
    settings = {key.replace("__", "."): value for key, value in overrides.items()}
    resolved = resolve_config(task, None, settings)
    return task, resolved, RunDirectory.create(folder / "run", resolved.to_dict())


def silent():
    return Reporter(verbosity=-1, stream=io.StringIO())


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """A finished run, its task and configuration."""
    task, resolved, run = start(tmp_path_factory.mktemp("finished"))
    run_experiment(task, resolved, run, silent())
    return task, resolved, run


def test_a_run_leaves_everything_behind(finished):
    _, resolved, run = finished
    metrics = json.loads(run.metrics_file.read_text())
    assert metrics["schema"] == 1
    assert metrics["alpha"] == 0.1
    for split in ("validation", "test"):
        assert {"exact", "nll", "perplexity", "accuracy", "loss", "ece", "brier"} <= set(
            metrics[split]
        )
        assert metrics[split]["perplexity"] == pytest.approx(np.exp(metrics[split]["nll"]))
        assert json.loads((run.outputs / f"{split}.json").read_text())
        assert run.reliability_file(split).read_bytes()[:4] == b"\x89PNG"
        curve = run.reliability_file(split).with_suffix(".json").read_text()
        assert json.loads(curve)
    history = run.read_history()
    assert history[-1]["step"] == STEPS
    assert run.learning_curves_file.read_bytes()[:4] == b"\x89PNG"
    rows = json.loads(run.learning_curves_file.with_suffix(".json").read_text())
    assert [row["step"] for row in rows] == [entry["step"] for entry in history]
    assert rows[-1]["val_ece"] == history[-1]["validation"]["ece"]
    assert run.model_file.is_file()
    assert Checkpoints(run.checkpoints).steps() == [12, 13]
    assert run.read_config() == json.loads(json.dumps(resolved.to_dict()))


def test_validation_loss_and_final_loss_are_the_same_number(finished):
    _, _, run = finished
    last = run.read_history()[-1]["validation"]
    metrics = json.loads(run.metrics_file.read_text())["validation"]
    assert last["loss"] == pytest.approx(metrics["loss"], rel=1e-5)
    assert last["nll"] == pytest.approx(metrics["nll"], rel=1e-5)
    assert last["accuracy"] == pytest.approx(metrics["accuracy"], rel=1e-6)
    assert last["ece"] == pytest.approx(metrics["ece"], abs=1e-6)


def test_evaluating_again_gives_the_same_scores(finished):
    task, resolved, run = finished
    before = json.loads(run.metrics_file.read_text())
    again = evaluate(task, resolved, run, silent())
    assert {k: v for k, v in again.items() if k != "seconds"} == {
        k: v for k, v in before.items() if k != "seconds"
    }


def test_pictures_of_a_task_are_saved_beside_the_evaluation(finished, monkeypatch):
    task, resolved, run = finished
    seen = []

    def illustrate(self, model, examples, outputs, config, data):
        seen.append((len(examples), len(outputs)))
        return {"first-outputs": (Figure(), [{"output": str(o)} for o in outputs[:2]])}

    monkeypatch.setattr(TinyTask, "illustrate", illustrate)
    evaluate(task, resolved, run, silent())
    assert seen == [(10, 10), (9, 9)]
    for split in ("validation", "test"):
        picture = run.evaluation / f"first-outputs-{split}.png"
        assert picture.read_bytes()[:4] == b"\x89PNG"
        outputs = json.loads((run.outputs / f"{split}.json").read_text())
        numbers = json.loads(picture.with_suffix(".json").read_text())
        assert [row["output"] for row in numbers] == [str(o) for o in outputs[:2]]


def test_the_same_seed_gives_the_same_bytes(finished, tmp_path):
    _, _, first = finished
    task, resolved, run = start(tmp_path)
    run_experiment(task, resolved, run, silent())
    assert_same_end(first, run)


def test_another_seed_gives_another_model(finished, tmp_path):
    _, _, first = finished
    task, resolved, run = start(tmp_path, training__seed=1)
    run_experiment(task, resolved, run, silent())
    assert run.read_history() != first.read_history()


@pytest.fixture(scope="module")
def finished_in_buckets(tmp_path_factory):
    """A finished run whose batches have two lengths."""
    task, resolved, run = start(tmp_path_factory.mktemp("buckets"), training__max_length_buckets=2)
    run_experiment(task, resolved, run, silent())
    return run


@pytest.mark.jax
@pytest.mark.parametrize(
    "stop_at", [2, pytest.param(5, marks=pytest.mark.slow), pytest.param(8, marks=pytest.mark.slow)]
)
def test_an_interrupted_run_goes_on_to_the_same_end(
    finished_in_buckets, tmp_path, stop_at, monkeypatch
):
    """In the middle of an epoch, at its end, and again right after a resume."""
    task, resolved, run = start(tmp_path, training__max_length_buckets=2)
    batch, seen = BatchSource.batch, []

    def interrupting(self, step):
        if self.shuffle and step == stop_at + 3 and not seen:  # prefetching reads steps ahead
            seen.append(step)
            os.kill(os.getpid(), signal.SIGINT)
        return batch(self, step)

    monkeypatch.setattr(BatchSource, "batch", interrupting)
    with pytest.raises(Interrupted) as stop:
        run_experiment(task, resolved, run, silent())
    monkeypatch.undo()
    assert Checkpoints(run.checkpoints).steps()[-1] == stop.value.step < STEPS
    run_experiment(task, resolved, run, silent(), resume=True)
    assert_same_end(finished_in_buckets, run)


@pytest.mark.jax
@pytest.mark.parametrize(
    "number",
    [
        signal.SIGTERM,
        pytest.param(signal.SIGHUP, marks=pytest.mark.slow),
        pytest.param(signal.SIGUSR1, marks=pytest.mark.slow),
    ],
)
@pytest.mark.parametrize(
    "during", ["the last step", pytest.param("validation", marks=pytest.mark.slow)]
)
def test_a_signal_at_the_end_of_an_epoch_is_heard(finished, tmp_path, during, number, monkeypatch):
    """Neither waits for the validation; the history of the epoch is made up for on resuming."""
    _, _, whole = finished
    task, resolved, run = start(tmp_path)
    end = STEPS if during == "the last step" else STEPS // 2
    with monkeypatch.context() as patch:
        if during == "the last step":
            _signal_at(patch, CheckpointEvery, "on_train_batch_end", number, STEPS)
        else:
            _signal_at(patch, StopValidationOnRequest, "on_test_batch_end", number, 1)
        with pytest.raises(Interrupted) as stop:
            run_experiment(task, resolved, run, silent())
    assert stop.value.exit_code == 128 + number
    assert Checkpoints(run.checkpoints).steps()[-1] == stop.value.step == end
    assert not run.model_file.exists()
    assert all(entry["step"] < end for entry in run.read_history())
    run_experiment(task, resolved, run, silent(), resume=True)
    assert_same_end(whole, run)


@pytest.mark.jax
@pytest.mark.slow
def test_what_was_owed_is_paid_once(finished, tmp_path, monkeypatch):
    """Stopped while an epoch is validated, resumed, killed before the next checkpoint, resumed."""
    _, _, whole = finished
    task, resolved, run = start(tmp_path)
    with monkeypatch.context() as patch:
        _signal_at(patch, StopValidationOnRequest, "on_test_batch_end", signal.SIGTERM, 1)
        with pytest.raises(Interrupted):
            run_experiment(task, resolved, run, silent())
    with monkeypatch.context() as patch:
        patch.setattr(os, "kill", _killed)
        _signal_at(patch, CheckpointEvery, "on_train_batch_end", signal.SIGKILL, 2)
        with pytest.raises(_Killed):
            run_experiment(task, resolved, run, silent(), resume=True)
    assert Checkpoints(run.checkpoints).steps()[-1] == STEPS // 2
    assert [entry["step"] for entry in run.read_history()] == [STEPS // 2]
    run_experiment(task, resolved, run, silent(), resume=True)
    assert_same_end(whole, run)


class _Killed(BaseException):
    """Stands for the end of the process."""


def _killed(*_):
    raise _Killed


def _signal_at(patch, owner, method, number, at):
    """Sends this process a signal at the `at`-th call of a callback's method."""
    original, calls = getattr(owner, method), []

    def signaling(self, *args, **kwargs):
        calls.append(method)
        if len(calls) == at:
            os.kill(os.getpid(), number)
        return original(self, *args, **kwargs)

    patch.setattr(owner, method, signaling)


def assert_same_end(first, second):
    name = f"step-{STEPS:08d}.npz"
    assert (first.checkpoints / name).read_bytes() == (second.checkpoints / name).read_bytes()
    assert first.read_history() == second.read_history()
    test = "test.json"
    assert (first.outputs / test).read_bytes() == (second.outputs / test).read_bytes()


def test_a_diverging_run_says_so(tmp_path):
    task, resolved, run = start(tmp_path, optimizer__learning_rate=1e30)
    with pytest.raises(LsKerasError, match=r"Expected a finite loss.*Received: (nan|inf)"):
        run_experiment(task, resolved, run, silent())


def spoil_bias(monkeypatch, value, at):
    """Makes training set one bias of the layer `logits` to `value` after step `at`."""
    count_step = CheckpointEvery.on_train_batch_end

    def spoiling(self, batch, logs=None):
        if self.step + 1 == at:
            bias = self.model.get_layer("logits").bias
            bias.assign(np.where(np.arange(6) == 0, value, bias))
        count_step(self, batch, logs)

    monkeypatch.setattr(CheckpointEvery, "on_train_batch_end", spoiling)


def test_a_state_that_is_no_number_never_replaces_a_good_one(finished, tmp_path, monkeypatch):
    """Told nothing meanwhile: no line on a terminal looks at the loss."""
    task, resolved, run = start(tmp_path)
    spoil_bias(monkeypatch, np.nan, at=5)
    with pytest.raises(DivergenceError) as told:
        run_experiment(task, resolved, run, silent())
    assert Checkpoints(run.checkpoints).steps() == [4]
    assert not run.model_file.exists()
    message = str(told.value)
    assert "Expected a finite loss. Received: nan by step 6 (loss " in message
    assert " at step 4); step 4 is kept: lsk train --resume " in message
    assert "\n" not in message
    monkeypatch.undo()
    run_experiment(task, resolved, run, silent(), resume=True)
    assert_same_end(finished[2], run)


def test_a_state_is_looked_at_even_where_the_loss_is_finite(tmp_path, monkeypatch):
    """Infinite weights that the loss of this step has not seen."""
    task, resolved, run = start(tmp_path)
    spoil_bias(monkeypatch, -np.inf, at=8)
    with pytest.raises(DivergenceError, match="state of model and optimizer. Received: NaN or inf"):
        run_experiment(task, resolved, run, silent())
    assert Checkpoints(run.checkpoints).steps() == [4]


@pytest.mark.parametrize("left", [{}, {"letters": b"ab"}], ids=["nothing", "half"])
def test_a_run_killed_before_its_first_checkpoint_starts_anew(finished, tmp_path, left):
    task, resolved, run = start(tmp_path)
    run.write_artifacts(left)
    run_experiment(task, resolved, run, silent(), resume=True)
    assert run.read_artifacts() == finished[2].read_artifacts() == {"letters": b"abcde"}
    assert_same_end(finished[2], run)


@pytest.mark.parametrize("method", ["temperature", "vector"])
def test_calibration_lowers_the_nll_where_it_was_fitted(finished, method):
    task, resolved, run = finished
    found = calibrate(task, resolved, run, silent(), method=method)
    assert found["validation"]["after"]["nll"] < found["validation"]["before"]["nll"]
    assert found["validation"]["before"]["nll"] == pytest.approx(
        json.loads(run.metrics_file.read_text())["validation"]["nll"], rel=1e-5
    )
    scored = evaluate(task, resolved, run, silent(), calibrated=True)
    for split in ("validation", "test"):
        assert scored[split]["nll"] == pytest.approx(found[split]["after"]["nll"], rel=1e-5)
        assert scored[split]["ece"] == pytest.approx(found[split]["after"]["ece"], abs=1e-5)
    assert run.statistics_file("test", calibrated=True).is_file()
    calibrate(task, resolved, run, silent(), objective="ece")
    assert not run.calibrated_metrics_file.exists()  # it was another model's
    assert not run.statistics_file("test", calibrated=True).exists()
    assert run.statistics_file("test").is_file()


def test_ema_weights_are_what_is_saved(tmp_path):
    task, resolved, run = start(tmp_path, optimizer__ema_momentum=0.9)
    run_experiment(task, resolved, run, silent())
    with np.load(run.checkpoints / f"step-{STEPS:08d}.npz") as state:
        trained = next(state[k] for k in state.files if k == "model/0")
        slots = [state[k] for k in state.files if k.startswith("optimizer/")]
    saved = run.load_model().get_weights()[0]
    assert any(slot.shape == saved.shape and np.array_equal(slot, saved) for slot in slots)
    assert not np.array_equal(saved, trained)


def test_ema_and_loss_scaling_go_together(tmp_path):
    settings = {"optimizer__ema_momentum": 0.9, "training__precision": "mixed_float16"}
    task, resolved, run = start(tmp_path, training__steps=3, **settings)
    run_experiment(task, resolved, run, silent())
    model, plain = run.load_model(), task.build_model(resolved, task.load_data(resolved))
    plain.compile(build_optimizer(resolved.optimizer, 3), "mse")
    stored = Checkpoints(run.checkpoints).read_model(plain, 3)
    assert any(np.abs(a - b).max() > 0 for a, b in zip(model.get_weights(), stored, strict=False))


def test_mixed_precision_trains_and_restores_the_policy(tmp_path):
    task, resolved, run = start(tmp_path, training__precision="mixed_bfloat16", training__steps=2)
    metrics = run_experiment(task, resolved, run, silent())
    assert np.isfinite(metrics["test"]["nll"])
    assert keras.config.dtype_policy().name == "float32"


def more_letters(monkeypatch):
    """Makes the task load more training examples than it did."""
    load_data = TinyTask.load_data

    def load_more(self, config, artifacts=None):
        data = load_data(self, config, artifacts)
        return dataclasses.replace(data, splits={**data.splits, "train": Letters(123, 0)})

    monkeypatch.setattr(TinyTask, "load_data", load_more)


CHANGED_DATA = r"that .*run began with, from letters.*Received: train: 41 examples, now 123, "


@pytest.fixture
def stopped(tmp_path, monkeypatch):
    """A run that was stopped after its fourth step, its task and configuration."""
    task, resolved, run = start(tmp_path)
    with monkeypatch.context() as patch:
        _signal_at(patch, CheckpointEvery, "on_train_batch_end", signal.SIGTERM, 4)
        with pytest.raises(Interrupted):
            run_experiment(task, resolved, run, silent())
    return task, resolved, run


def test_data_that_changed_are_refused(stopped, monkeypatch):
    task, resolved, run = stopped
    more_letters(monkeypatch)
    with pytest.raises(InputError, match=CHANGED_DATA):
        run_experiment(task, resolved, run, silent(), resume=True)


@pytest.mark.parametrize("stage", [evaluate, calibrate])
def test_no_stage_scores_on_other_data(finished, monkeypatch, stage):
    more_letters(monkeypatch)
    with pytest.raises(InputError, match=CHANGED_DATA):
        stage(*finished, silent())


def test_before_the_first_checkpoint_the_data_may_still_change(tmp_path, monkeypatch):
    task, resolved, run = start(tmp_path)
    NewData.read(task, resolved, None).save_to(run)
    more_letters(monkeypatch)
    run_experiment(task, resolved, run, silent(), resume=True)
    assert json.loads(run.data_file.read_text())["splits"]["train"]["examples"] == 123


def test_a_damaged_checkpoint_costs_the_steps_since_the_one_before(finished, stopped):
    task, resolved, run = stopped
    run_experiment(task, resolved, run, silent(), resume=True)
    newest = run.checkpoints / f"step-{STEPS:08d}.npz"
    newest.write_bytes(newest.read_bytes()[:-100])
    stream = io.StringIO()
    run_experiment(task, resolved, run, Reporter(verbosity=0, stream=stream), resume=True)
    assert "step-00000013.npz" in stream.getvalue()
    assert_same_end(finished[2], run)


def test_a_checkpoint_of_a_longer_run_is_refused(stopped):
    task, resolved, run = stopped
    state = arrays_of(run.checkpoints / "step-00000004.npz")
    del state["sha256"]
    state["step"] = np.int64(99)
    np.savez(run.checkpoints / "step-00000099.npz", sha256=checkpoints._hash(state), **state)
    with pytest.raises(FileError, match="of one of the run's 13 steps in .*Received: step 99"):
        run_experiment(task, resolved, run, silent(), resume=True)


@pytest.mark.slow
def test_another_learning_rate_is_taken_and_recorded(finished, stopped):
    task, resolved, run = stopped
    other = apply_changes(resolved, {"optimizer.learning_rate": 0.02})
    run_experiment(task, other, run, silent(), resume=True)
    assert run.read_history() != finished[2].read_history()
    assert run.read_config()["optimizer"]["learning_rate"] == 0.02
    assert run.read_starts()[1]["changed"] == {"optimizer.learning_rate": [0.01, 0.02]}


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (
            FileNotFoundError(2, "No such file", "7.png"),
            "able to read the data.*No such file.*7.png",
        ),
        pytest.param(
            InputError("Expected an image. Received: 7.png"),
            "^Expected an image. Received: 7.png$",
            marks=pytest.mark.slow,
        ),
    ],
    ids=["gone", "not usable"],
)
@pytest.mark.parametrize("at", ["first batch", "training", "scoring"])
def test_data_that_vanish_are_told_in_one_line(tmp_path, monkeypatch, error, told, at):
    gather, calls = Letters.gather, []

    def gone(self, rows, size):
        calls.append(rows)
        due = {"first batch": True, "training": len(calls) > 9, "scoring": len(self) == 9}
        if due[at]:
            raise error
        return gather(self, rows, size)

    task, resolved, run = start(tmp_path)
    state = NewData.read(task, resolved, None).fingerprint
    monkeypatch.setattr(Letters, "gather", gone)
    monkeypatch.setattr(
        StoredFingerprint, "of", lambda data: state
    )  # which reads some examples, too
    with pytest.raises(LsKerasError, match=told):
        run_experiment(task, resolved, run, silent(), resume=True)


@pytest.mark.parametrize("stage", [run_experiment, evaluate, calibrate])
def test_two_are_never_at_work_in_a_run(finished, stage):
    process = held_by_another_process(finished[2].lock_file)
    try:
        with pytest.raises(InputError, match="that no other process is at work in"):
            stage(*finished, silent())
    finally:
        process.kill()
        process.communicate()


@pytest.mark.parametrize(
    ("smoothing", "smooth_unused_classes"),
    [("uniform", True), ("uniform", False), ("unigram", False), ("neighborhood", True)],
)
def test_every_smoothing_trains(finished, tmp_path, smoothing, smooth_unused_classes):
    task, resolved, run = start(
        tmp_path,
        training__smoothing=smoothing,
        training__smooth_unused_classes=smooth_unused_classes,
        training__steps=2,
    )
    metrics = run_experiment(task, resolved, run, silent())
    assert metrics["smoothing"] == smoothing
    assert metrics["test"]["loss"] != pytest.approx(metrics["test"]["nll"], abs=1e-4)


@pytest.mark.parametrize("step", [4, pytest.param(8, marks=pytest.mark.slow)])
def test_a_checkpoint_that_is_lost_while_it_is_written_costs_steps_only(
    finished, tmp_path, monkeypatch, step
):
    """As of a process that is killed: the thread dies, and what it wrote is not there."""
    monkeypatch.setattr("lsk_engine.runs.checkpoints.BACKGROUND", 0)
    task, resolved, run = start(tmp_path)
    write = Checkpoints._write

    def dying(self, of_step, state, kept):
        assert threading.current_thread().name == "checkpoint"
        if of_step == step:
            raise KeyboardInterrupt
        write(self, of_step, state, kept)

    with monkeypatch.context() as patch:
        patch.setattr(Checkpoints, "_write", dying)
        with pytest.raises(KeyboardInterrupt):
            run_experiment(task, resolved, run, silent())
    assert max(Checkpoints(run.checkpoints).steps(), default=0) < step
    run_experiment(task, resolved, run, silent(), resume=True)
    assert_same_end(finished[2], run)


class LazyTask(TinyTask):
    """Loads its splits when they are asked for, and says which those were."""

    def __init__(self):
        self.loaded = []

    def load_data(self, config, artifacts=None):
        data = super().load_data(config, artifacts)
        counts = lazy_array(lambda: self.loaded.append("counts") or data.class_counts)
        splits = map_splits(data.splits, lambda name, of: self.loaded.append(name) or of)
        return dataclasses.replace(data, splits=splits, class_counts=counts)


@pytest.mark.slow
def test_a_lazily_loaded_run_is_the_same_to_the_last_byte(tmp_path):
    eager, resolved, run = start(tmp_path / "eager")
    run_experiment(eager, resolved, run, silent())
    task = LazyTask()
    lazy = RunDirectory.create(tmp_path / "run", resolved.to_dict())
    run_experiment(task, resolved, lazy, silent())
    # Keras counts layers in a process, in their names; the weights are in the last checkpoint, too.
    assert differences(run.path, lazy.path) in ([], ["model.keras differs"])
    task.loaded.clear()
    before = lazy.read_metrics()
    evaluate(task, resolved, lazy, silent())
    calibrate(task, resolved, lazy, silent())
    assert set(task.loaded) == {"validation", "test"}
    assert lazy.read_metrics().splits == before.splits
