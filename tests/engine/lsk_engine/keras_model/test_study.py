"""A study in one call, in this process."""

import re
from pathlib import Path

import keras
import numpy as np
import pytest

import lsk_engine
from ls_base.errors import InputError
from lsk_engine.keras_model.study import smoothing_study
from lsk_engine.runs.run_directory import RunDirectory
from lsk_engine.settings.resolving import resolve_config
from lsk_engine.tasks.registry import load_task
from own_files import points
from stored_files import metrics

pytestmark = pytest.mark.tensorflow
X, Y = points(60)
SMALL = {"alphas": (0.1,), "seeds": 1, "measure": ("accuracy",), "verbose": False}


def build_model(width=8):
    layers = [keras.Input((4,)), keras.layers.Dense(width), keras.layers.Dense(3)]
    return keras.Sequential(layers)


def study(folder, **changes):
    values = {"train": (X, Y), "out": folder, **SMALL, **changes}
    return smoothing_study(values.pop("build_model", build_model), **values)


@pytest.fixture
def trainings(monkeypatch):
    """Runs that are trained in a moment; those whose α is in `failing` fail once."""
    found, failing = [], set[float]()

    def train(task, config, run, reporter, *, resume):
        found.append((config.training.alpha, resume))
        if config.training.alpha in failing:
            failing.remove(config.training.alpha)
            raise InputError("Expected luck. Received: none")
        scores = {"error_rate": 10.0, "accuracy": 0.9, "nll": 0.3}
        run.write(run.model_file, b"model")
        labels, better = {"error_rate": "error rate (%)"}, {"error_rate": "less"}
        found_scores = metrics(labels, better=better, validation=scores, test=scores)
        run.write_json(run.metrics_file, found_scores)

    monkeypatch.setattr("lsk_engine.experiment.run_experiment", train)
    return found, failing


@pytest.mark.slow
def test_runs_are_trained_measured_and_reported(tmp_path):
    result = study(tmp_path, measure=("accuracy", "calibration", "representation"), epochs=1)
    assert list(result.arms) == ["alpha0", "alpha0.1"]
    assert not result.missing
    assert result.values["relative_spread"]["alpha0.1"][0] > 0
    assert str(result).startswith("Does label smoothing help? keras, own\n\ntest, 1 seed")
    assert "Does label smoothing help?" in (tmp_path / "report.html").read_text()
    config = RunDirectory.open(tmp_path / "runs" / "alpha0.1-seed0").read_config()
    assert config["training"]["alpha"] == 0.1
    assert config["model"]["name"] == "python:build_model"
    before = (tmp_path / "results.json").read_bytes()
    again = study(tmp_path, measure=("accuracy", "calibration", "representation"), epochs=1)
    assert str(again) == str(result)
    assert (tmp_path / "results.json").read_bytes() == before


@pytest.mark.slow
def test_the_code_of_the_docs_page_runs(tmp_path, monkeypatch):
    page = Path(__file__).parents[4] / "docs" / "own_model.md"
    model, data, program = re.findall(r"^```python\n(.*?)^```$", page.read_text(), re.M | re.S)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "model.py").write_text(model)
    exec(data, {})
    settings = {"model.name": "model.py:build_model", "data.source": "digits.npz"}
    config = resolve_config(load_task("keras"), None, settings)
    data = load_task("keras").load_data(config)
    assert load_task("keras").build_model(config, data).output_shape == (None, 10)
    small = program.replace("seeds=3", "seeds=1").replace("epochs=20", "epochs=1")
    assert small.count("=1") == 2
    found = {}
    exec(small, found)
    assert list(found["result"].arms) == ["alpha0", "alpha0.1"]


def test_the_study_is_exported_by_the_engine():
    assert lsk_engine.smoothing_study is smoothing_study


def test_finished_runs_are_reused_and_failed_ones_resumed(tmp_path, trainings):
    found, failing = trainings
    failing.add(0.1)
    result = study(tmp_path)
    assert found == [(0.0, True), (0.1, True)]
    assert result.missing == {"alpha0.1-seed0": "Expected luck. Received: none"}
    result = study(tmp_path, alphas=(0.1, 0.2))
    assert found[2:] == [(0.1, True), (0.2, True)]
    assert list(result.arms) == ["alpha0", "alpha0.1", "alpha0.2"]


def test_an_interruption_raises_keyboard_interrupt(tmp_path, monkeypatch):
    from lsk_engine.training.checkpointing import Interrupted

    def train(*_, **__):
        raise Interrupted(3, 2)

    monkeypatch.setattr("lsk_engine.experiment.run_experiment", train)
    with pytest.raises(KeyboardInterrupt):
        study(tmp_path)


def test_another_model_or_other_data_are_refused(tmp_path, trainings):
    study(tmp_path)
    for changes, key in (
        ({"train": (X + 1, Y)}, "data.source=python:"),
        ({"build_model": lambda: build_model(9)}, "model.sha256="),
        ({"epochs": 3}, "training.epochs=None"),
    ):
        with pytest.raises(InputError, match=f"the settings of the study in .*{key}"):
            study(tmp_path, **changes)
    build_model()  # Keras numbers its layers: the same model has other names
    study(tmp_path)


def test_arguments_become_settings(tmp_path, trainings):
    study(
        tmp_path,
        epochs=4,
        batch_size=7,
        optimizer="sgd",
        learning_rate=0.5,
        num_classes=3,
        settings={"optimizer.momentum": 0.5, "data.test": 10},
        validation=(X[:9], Y[:9]),
        class_names=["a", "b", "c"],
    )
    config = RunDirectory.open(tmp_path / "runs" / "alpha0-seed0").read_config()
    assert (config["training"]["epochs"], config["training"]["batch_size"]) == (4, 7)
    assert [config["optimizer"][key] for key in ("name", "learning_rate", "momentum")] == [
        *("sgd", 0.5, 0.5)
    ]
    assert config["data"]["test"] == 10


def test_without_a_folder_a_new_one_is_logged(tmp_path, trainings, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)

    def compiled():
        model = build_model()
        model.compile("sgd", "sparse_categorical_crossentropy")
        return model

    for name in ("study-smoothing-compiled", "study-smoothing-compiled-2"):
        study(None, build_model=compiled, verbose=True)
        log = capsys.readouterr().err
        assert f"Study: runs/{name}\n" in log
        assert log.count("loss and optimizer replace its own") == 1
        assert (tmp_path / "runs" / name / "report.html").is_file()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"build_model": build_model()}, "output|Keras model"),
        ({"build_model": "model.py:build"}, "build_model to be a function"),
        ({"build_model": lambda: None}, "python:<lambda> to return a Keras model"),
        ({"train": None}, r"Expected train=\(x, y\). Received: none"),
        ({"train": (np.full_like(X, np.nan), Y)}, "finite numbers in x of train"),
        ({"test": (X, Y + 3)}, r"output of shape \(None, 6\)"),
        ({"settings": {"optimizer.rate": 1}}, "Near matches: "),
        (
            {"settings": {"data.source": "x"}},
            "that are no arguments. Received: data.source",
        ),
        ({"seeds": 0}, "1 to 1,000 seeds"),
        ({"measure": ("acuracy",)}, "Near matches: accuracy"),
    ],
)
def test_invalid_arguments_are_refused_before_the_folder_is_created(tmp_path, changes, message):
    with pytest.raises(InputError, match=message):
        study(tmp_path / "out", **changes)
    assert not (tmp_path / "out").exists()
