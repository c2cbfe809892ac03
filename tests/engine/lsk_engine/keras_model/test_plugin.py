"""The task contract with files; trust, hashes and resumption of a run."""

import json
import signal

import numpy as np
import pytest

from ls_base.errors import InputError
from lsk_engine.conformance import TaskContract
from lsk_engine.experiment import run_experiment
from lsk_engine.keras_model.plugin import KerasTask
from lsk_engine.progress import Reporter
from lsk_engine.runs.run_directory import RunDirectory
from lsk_engine.settings.resolving import resolve_config, restore_config
from lsk_engine.training.checkpointing import Interrupted
from lsk_engine.training.signals import StopRequest
from own_files import MODEL, write_data, write_model

SEQUENCES = """
import keras
import numpy as np

def build_model():
    tokens = keras.Input((None,), dtype="int32", name="tokens")
    x = keras.layers.Embedding(5, 8, mask_zero=True)(tokens)
    return keras.Model(tokens, keras.layers.Dense(5)(x))

def load_data():
    rng = np.random.default_rng(0)
    x = rng.integers(1, 5, (60, 6))
    x[::2, 4:] = 0
    y = np.where(x > 0, 5 - x, -1)
    return {"train": (x[:40], y[:40]), "validation": (x[40:50], y[40:50]), "test": (x[50:], y[50:])}
"""


class TestKeras(TaskContract):
    def task(self):
        return KerasTask()

    def settings(self, folder):
        return {"model.name": write_model(folder), "data.source": write_data(folder)}

    required = settings


@pytest.mark.slow
class TestSequences(TaskContract):
    """Labels by position with padding; data from a function."""

    def task(self):
        return KerasTask()

    def settings(self, folder):
        write_model(folder, SEQUENCES)
        return {
            "model.name": f"{folder}/model.py:build_model",
            "data.source": f"{folder}/model.py:load_data",
            "data.ignore_class": -1,
            "optimizer.learning_rate": 0.01,
        }

    required = settings


@pytest.fixture
def settings(tmp_path):
    return {"model.name": write_model(tmp_path), "data.source": write_data(tmp_path)}


def test_paths_are_absolute_and_the_hash_of_the_file_is_stored(tmp_path, monkeypatch):
    write_model(tmp_path), write_data(tmp_path)
    monkeypatch.chdir(tmp_path)
    given = {"model.name": "model.py:build_model", "data.source": "points.npz"}
    config = resolve_config(KerasTask(), None, given)
    assert config.model.name == f"{tmp_path}/model.py:build_model"
    assert config.data.source == f"{tmp_path}/points.npz"
    assert len(config.model.sha256) == 64
    stored = json.loads(json.dumps(config.to_dict()))
    write_model(tmp_path, MODEL + "\n# another\n")
    restored = restore_config(KerasTask(), stored)
    assert restored == config
    data = KerasTask().load_data(restored)
    with pytest.raises(InputError, match=r"unchanged since the run started, \w{12}… .*Received"):
        KerasTask().build_model(restored, data)
    assert resolve_config(KerasTask(), None, given).model.sha256 != config.model.sha256


def test_a_run_from_elsewhere_executes_no_code(tmp_path, settings):
    stored = resolve_config(KerasTask(), None, settings).to_dict()
    (tmp_path / "sent").mkdir()
    sent = write_model(tmp_path / "sent", f"open({str(tmp_path / 'ran')!r}, 'w').close()\n{MODEL}")
    stored["model"] |= {"name": sent, "sha256": "", "augment": sent}
    stored["data"] |= {"source": sent}
    config = restore_config(KerasTask(), stored)
    with pytest.raises(InputError, match="named yourself"):
        KerasTask().load_data(config)
    with pytest.raises(InputError, match="named yourself"):
        KerasTask().builder(config)
    with pytest.raises(InputError, match="named yourself"):
        KerasTask().augment(config)
    KerasTask().import_layers(config)
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"model.name": ""}, "Expected --model FILE.py:function, or .* Received: none"),
        ({"model.name": "model.py"}, "--model FILE.py:function.* Received: 'model.py'"),
        ({"model.name": "nowhere.py:build"}, "nowhere.py:build to name .* no such file"),
        ({"model.augment": "flip"}, "Expected --set model.augment=FILE.py:function.* 'flip'"),
        ({"data.source": ""}, "Expected data: --data FILE.npz"),
        ({"model.output": "softmax"}, "model.output to be auto, logits or probabilities"),
    ],
)
def test_invalid_settings_are_refused(settings, changes, message):
    with pytest.raises(InputError, match=message):
        resolve_config(KerasTask(), None, {**settings, **changes})


def test_an_augmentation_is_one_layer(tmp_path, settings):
    file = tmp_path / "views.py"
    file.write_text(
        "import keras\n"
        "def noise(): return keras.layers.GaussianNoise(0.1)\n"
        "def several(): return keras.Sequential([noise()])\n"
    )
    task = KerasTask()
    assert task.augment(resolve_config(task, None, settings)) is None
    found = task.augment(resolve_config(task, None, {**settings, "model.augment": f"{file}:noise"}))
    assert type(found).__name__ == "GaussianNoise"
    with pytest.raises(InputError, match="views.py:several to return a layer, not a model"):
        task.augment(resolve_config(task, None, {**settings, "model.augment": f"{file}:several"}))


@pytest.mark.parametrize("key", ["name", "source"])
def test_runs_of_a_python_program_resume_only_there(settings, key):
    stored = resolve_config(KerasTask(), None, settings).to_dict()
    stored["model" if key == "name" else "data"][key] = "python:abc"
    config = restore_config(KerasTask(), stored)
    with pytest.raises(InputError, match="Python program"):
        KerasTask().builder(config) if key == "name" else KerasTask().load_data(config)


def test_the_model_must_match_the_number_of_classes(tmp_path, settings):
    task = KerasTask()
    config = resolve_config(task, None, {**settings, "data.num_classes": 4})
    with pytest.raises(InputError, match=r"output of shape \(None, 4\).*Received: \(None, 3\)"):
        task.build_model(config, task.load_data(config))


def test_the_score_is_the_error_rate_with_its_interval(settings):
    task = KerasTask()
    data = task.load_data(resolve_config(task, None, settings))
    outputs = list(data.splits["test"].references)
    outputs[0] = (outputs[0] + 1) % 3
    scores = task.score(data.splits["test"], outputs)
    assert scores.values["error_rate"] == pytest.approx(100 / len(outputs))
    low, high = scores.intervals["error_rate"]
    assert low < scores.values["error_rate"] < high
    assert scores.better == {"error_rate": "less"}


def test_positions_are_scored_one_by_one():
    from lsk_engine.keras_model.data import score

    scores = score([[0, 1], [2]], [[0, 2], [2]])
    assert scores.values["error_rate"] == pytest.approx(100 / 3)
    assert scores.intervals == {}
    np.testing.assert_equal(score([[0], [2]], [[0], [2]]).intervals, {})


class _Stop:
    """Stops training at its first step."""

    def __enter__(self):
        request = StopRequest()
        request.number = signal.SIGTERM
        return request

    def __exit__(self, *_):
        return False


@pytest.mark.slow
def test_interrupted_training_resumes_to_the_same_checkpoint(tmp_path, settings, monkeypatch):
    """Also where a process has built models before, after which Keras names layers otherwise."""
    monkeypatch.setattr("lsk_engine.experiment.evaluate", lambda *_, **__: {})
    settings |= {"training.epochs": 2, "training.batch_size": 20, "training.validate_every": 2}
    task, config = KerasTask(), resolve_config(KerasTask(), None, settings)
    runs = [RunDirectory.create(tmp_path / name, config.to_dict()) for name in ("whole", "cut")]
    run_experiment(task, config, runs[0], Reporter(verbosity=-1))
    with monkeypatch.context() as patch:
        patch.setattr("lsk_engine.training.train.stop_on_signal", _Stop)
        with pytest.raises(Interrupted):
            run_experiment(task, config, runs[1], Reporter(verbosity=-1))
    run_experiment(task, config, runs[1], Reporter(verbosity=-1), resume=True)
    (last,) = {max(run.checkpoints.iterdir()).name for run in runs}
    first, second = ((run.checkpoints / last).read_bytes() for run in runs)
    assert first == second
