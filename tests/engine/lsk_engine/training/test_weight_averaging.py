import io
import os
import signal

import keras
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ls_base.errors import FileError, InputError
from lsk_engine.experiment import run_experiment
from lsk_engine.progress import Reporter
from lsk_engine.runs.checkpoints import Checkpoints
from lsk_engine.runs.run_directory import RunDirectory
from lsk_engine.settings.resolving import resolve_config
from lsk_engine.training.checkpointing import CheckpointEvery, Interrupted
from lsk_engine.training.weight_averaging import average_checkpoints, steps_to_average
from stored_arrays import arrays_of
from tiny_task import TinyTask

pytestmark = [pytest.mark.tensorflow, pytest.mark.usefixtures("undrawn")]


@given(st.integers(1, 60), st.integers(1, 70), st.integers(0, 8))
def test_the_last_steps_that_are_saved_anyway(total, every, count):
    saved = [step for step in range(1, total + 1) if step % every == 0 or step == total]
    if count > len(saved):
        with pytest.raises(
            InputError, match=f"average_checkpoints={count} .*Received: {len(saved)}, "
        ):
            steps_to_average(total, every, count)
    else:
        assert steps_to_average(total, every, count) == tuple(saved[-count:] if count else [])


@pytest.fixture
def model():
    inputs = keras.Input((3,))
    x = keras.layers.Dense(4)(inputs)
    x = keras.layers.Dropout(0.5)(keras.layers.BatchNormalization(momentum=0.5)(x))
    model = keras.Model(inputs, keras.layers.Dense(2)(x))
    model.compile("adam", "mse")
    return model


def test_statistics_are_averaged_and_seeds_are_the_last(model, tmp_path, rng):
    checkpoints = Checkpoints(tmp_path, max_to_keep=3)
    states = []
    for step in (1, 2, 3):
        model.train_on_batch(rng.normal(size=(8, 3)), rng.normal(size=(8, 2)))
        checkpoints.save(model, step)
        states.append([np.asarray(v) for v in model.variables])
    slots = [np.asarray(v) for v in model.optimizer.variables]
    average_checkpoints(model, checkpoints, [1, 2, 3])
    seen = set()
    for variable, *values in zip(model.variables, *states, strict=True):
        if "seed" in variable.path:
            assert values[0].tolist() != values[2].tolist()
            np.testing.assert_array_equal(variable, values[2])
        else:
            np.testing.assert_array_equal(variable, np.mean(values, 0, np.float64).astype("f4"))
            assert not np.array_equal(values[0], values[2])
        seen.add(variable.name)
    assert {"kernel", "bias", "gamma", "beta", "moving_mean", "moving_variance"} < seen
    for variable, value in zip(model.optimizer.variables, slots, strict=True):
        np.testing.assert_array_equal(variable, value)


def test_a_missing_checkpoint_and_another_models_are_told(model, tmp_path):
    model.optimizer.build(model.trainable_variables)
    checkpoints = Checkpoints(tmp_path)
    checkpoints.save(model, 1)
    with pytest.raises(FileError, match=r"the checkpoint of step 2 in .*steps \[1\]"):
        average_checkpoints(model, checkpoints, [1, 2])
    other = keras.Sequential([keras.Input((3,)), keras.layers.Dense(5)])
    with pytest.raises(FileError, match=r"to hold model/0 .*of shape \(3, 5\)"):
        average_checkpoints(other, checkpoints, [1])


def start(folder, **settings):
    task = TinyTask()
    overrides = {f"training.{key}": value for key, value in settings.items()}
    resolved = resolve_config(task, None, overrides)
    run = RunDirectory.create(folder / "run", resolved.to_dict())
    return task, resolved, run, Reporter(verbosity=-1, stream=io.StringIO())


def saved_weights(run):
    return run.load_model().get_weights()


@pytest.fixture(scope="module")
def averaged(tmp_path_factory):
    """A run of 13 steps that saves after 4, 8, 12 and 13, and averages all."""
    task, resolved, run, reporter = start(
        tmp_path_factory.mktemp("averaged"), average_checkpoints=4
    )
    metrics = run_experiment(task, resolved, run, reporter)
    return run, metrics


def test_a_run_saves_the_mean_of_its_last_checkpoints(averaged):
    run, metrics = averaged
    assert Checkpoints(run.checkpoints).steps() == [4, 8, 12, 13]
    states = [arrays_of(run.checkpoints / f"step-{step:08d}.npz") for step in (4, 8, 12, 13)]
    names = [name for name in states[0] if name.startswith("model/")]
    names = [name for name in names if states[0][name].dtype == "float32"]  # no seeds
    for name, weight in zip(names, saved_weights(run), strict=True):
        mean = np.mean([state[name] for state in states], 0, np.float64)
        np.testing.assert_array_equal(weight, mean.astype("f4"))
        assert not np.array_equal(weight, states[-1][name])
    last = run.read_history()[-1]["validation"]
    assert metrics["validation"]["nll"] != pytest.approx(last["nll"], rel=1e-4)


@pytest.mark.slow
def test_an_interrupted_run_averages_the_same(averaged, tmp_path, monkeypatch):
    """A power cut saves nothing; a signal saves after a step that is not to be averaged."""
    task, resolved, run, reporter = start(tmp_path, average_checkpoints=4)
    monkeypatch.setattr("lsk_engine.experiment.evaluate", lambda *args, **kwargs: {})
    count_step = CheckpointEvery.on_train_batch_end

    def train(*, stop_after=None, how=None, resume=True):
        def stopping(self, batch, logs=None):
            if self.step + 1 == stop_after:
                how()
            count_step(self, batch, logs)

        monkeypatch.setattr(CheckpointEvery, "on_train_batch_end", stopping)
        run_experiment(task, resolved, run, reporter, resume=resume)

    def cut_power():
        raise ConnectionError("no power")

    with pytest.raises(ConnectionError):
        train(stop_after=7, how=cut_power, resume=False)
    assert Checkpoints(run.checkpoints).steps() == [4]
    with pytest.raises(Interrupted):
        train(stop_after=10, how=lambda: os.kill(os.getpid(), signal.SIGINT))
    assert Checkpoints(run.checkpoints).steps() == [4, 8, 10]
    train()
    assert Checkpoints(run.checkpoints).steps() == [4, 8, 12, 13]
    for a, b in zip(saved_weights(averaged[0]), saved_weights(run), strict=True):
        np.testing.assert_array_equal(a, b)


def test_averaging_and_ema_exclude_one_another():
    with pytest.raises(
        InputError, match="or optimizer.ema_momentum, not both. Received: 2 and 0.9"
    ):
        resolve_config(
            TinyTask(), None, {"training.average_checkpoints": 2, "optimizer.ema_momentum": 0.9}
        )


def test_too_few_checkpoints_are_told_before_training(tmp_path):
    task, resolved, run, reporter = start(tmp_path, average_checkpoints=5)
    with pytest.raises(
        InputError, match=r"average_checkpoints=5 .*13 steps.*Received: 4, with .*every=4"
    ):
        run_experiment(task, resolved, run, reporter)
    assert Checkpoints(run.checkpoints).steps() == []
