import numpy as np
import pytest

from ls_base.errors import InputError
from lsk_engine.experiment import run_experiment
from lsk_engine.progress import Reporter
from lsk_engine.runs.run_directory import RunDirectory
from lsk_engine.runs.stored_run import with_init_from
from lsk_engine.settings.resolving import resolve_config
from lsk_engine.training.init_from import load_initial_weights
from tiny_task import TinyTask
from untrained_run import untrained_run

pytestmark = pytest.mark.usefixtures("undrawn")

TASK = TinyTask()
QUIET = Reporter(verbosity=-1)


@pytest.fixture
def first(tmp_path):
    return untrained_run(TASK, tmp_path / "first", scale=0.3)


def second(first, **settings):
    return with_init_from(first.directory.path, resolve_config(TASK, None, settings))


def built(config):
    data = TASK.load_data(config)
    return TASK.build_model(config, data), data


def test_weights_are_those_of_the_run(first):
    config = second(first)
    model, data = built(config)
    load_initial_weights(model, config, data, QUIET)
    for to, value in zip(model.weights, first.directory.load_model().weights, strict=True):
        np.testing.assert_array_equal(to.numpy(), value.numpy())


def test_a_run_started_and_killed_ends_as_one_that_was_not(first, tmp_path):
    config = second(first, **{"optimizer.learning_rate": 0.0, "training.steps": 2})
    run = RunDirectory.create(tmp_path / "run", config.to_dict())
    run_experiment(TASK, config, run, QUIET)
    for to, value in zip(
        run.load_model().weights, first.directory.load_model().weights, strict=True
    ):
        np.testing.assert_array_equal(to.numpy(), value.numpy())
    assert run.read_config()["training"]["init_from"] == str(first.directory.path)
    killed = RunDirectory.create(tmp_path / "killed", config.to_dict())
    run_experiment(TASK, config, killed, QUIET, resume=True)  # before its first checkpoint
    assert killed.read_history() == run.read_history()


def test_other_classes_start_anew_and_it_is_said(first, monkeypatch):
    said = []
    reporter = Reporter(verbosity=-1)
    reporter.message = said.append
    config = second(first)
    monkeypatch.setattr("tiny_task.NUM_CLASSES", 6)
    model, data = built(config)
    old = first.directory.load_model()
    before = model.get_layer("logits").kernel.numpy()
    first.directory.write_artifacts({"classes.json": b'["x"]'})
    load_initial_weights(model, config, data, reporter)
    np.testing.assert_array_equal(model.get_layer("logits").kernel.numpy(), before)
    np.testing.assert_array_equal(model.weights[0].numpy(), old.weights[0].numpy())
    assert said == [
        f"Started from the weights of {first.directory.path}; `logits` starts from "
        "new weights: classes of other names"
    ]


def test_another_model_is_told_by_its_weights(first):
    config = second(first, **{"model.width": 4})
    model, data = built(config)
    with pytest.raises(InputError, match=r"same model.*embeddings \(6, 8\) for .* \(6, 4\)"):
        load_initial_weights(model, config, data, QUIET)


def test_a_model_that_has_changed_since_is_refused(first):
    config = second(first)
    model, data = built(config)
    first.directory.save_model(model)
    with pytest.raises(InputError, match="had when this run was started"):
        load_initial_weights(model, config, data, QUIET)


def test_runs_that_can_not_be_started_from(first, tmp_path):
    first.directory.model_file.unlink()
    with pytest.raises(InputError, match="Expected a finished run"):
        second(first)
