import json
import signal
import subprocess
import sys

import numpy as np
import pytest

from ls_base.errors import InputError
from lsk_engine.conformance import TaskContract
from lsk_engine.experiment import run_experiment
from lsk_engine.progress import Reporter
from lsk_engine.runs.run_directory import RunDirectory
from lsk_engine.settings.resolving import resolve_config
from lsk_engine.training.checkpointing import Interrupted
from lsk_engine.training.signals import StopRequest
from lsk_image.data import load
from lsk_image.task import ImageTask

SMALL = {
    "data.max_train_examples": 60,
    "data.test": 30,
    "data.validation": 20,
    "training.batch_size": 30,
}


class TestImage(TaskContract):
    def task(self):
        return ImageTask()

    def settings(self, folder):
        return {**SMALL, "model.width": 8, "model.dropout": 0.1, "model.input_dropout": 0.1}


class TestAlexNet(TaskContract):
    def task(self):
        return ImageTask()

    def settings(self, folder):
        return {
            **SMALL,
            "data.flip": True,
            "model.name": "alexnet",
            "model.normalization": "per_image",
            "optimizer.learning_rate": 0.03,
        }


def test_training_goes_on_after_an_interruption_as_if_there_had_been_none(tmp_path, monkeypatch):
    """Augmentation and dropout included: their random state is in the checkpoint."""
    settings = {
        **SMALL,
        "data.flip": True,
        "model.width": 8,
        "model.dropout": 0.5,
        "training.epochs": 2,
        "training.validate_every": 2,
        "optimizer.logits_lr_multiplier": 0.1,
    }
    monkeypatch.setattr("lsk_engine.experiment.evaluate", lambda *_, **__: {})
    task, config = ImageTask(), resolve_config(ImageTask(), None, settings)
    runs = [RunDirectory.create(tmp_path / name, config.to_dict()) for name in ("whole", "cut")]
    run_experiment(task, config, runs[0], Reporter(verbosity=-1))
    with monkeypatch.context() as patch:
        patch.setattr("lsk_engine.training.train.stop_on_signal", _Stop)
        with pytest.raises(Interrupted):
            run_experiment(task, config, runs[1], Reporter(verbosity=-1))
    run_experiment(task, config, runs[1], Reporter(verbosity=-1), resume=True)
    first, second = ((run.checkpoints / "step-00000004.npz").read_bytes() for run in runs)
    assert first == second


@pytest.mark.tensorflow
def test_two_replicas_augment_as_one_device_does(tmp_path, monkeypatch):
    """The weights are equal, also where a step's gradients are accumulated."""
    settings = {
        **SMALL,
        "data.shift": 1,
        "data.flip": True,
        "data.random_resized_crop": True,
        "model.width": 8,
        "training.batch_size": 4,
        "training.gradient_accumulation_steps": 3,
        "training.steps": 3,
        "training.validate_every": 3,
    }
    monkeypatch.setattr("lsk_engine.experiment.evaluate", lambda *_, **__: {})
    task, found = ImageTask(), []
    for devices in (1, 2):
        chosen = {"training.strategy": "mirrored" if devices > 1 else "one-device"}
        config = resolve_config(task, None, {**settings, **chosen, "training.devices": devices})
        run = RunDirectory.create(tmp_path / str(devices), config.to_dict())
        run_experiment(task, config, run, Reporter(verbosity=-1))
        found.append(run.load_model().get_weights())
    for one, two in zip(*found, strict=True):
        np.testing.assert_allclose(one, two, atol=1e-6)


class _Stop:
    """Stops training at its first step."""

    def __enter__(self):
        request = StopRequest()
        request.number = signal.SIGTERM
        return request

    def __exit__(self, *_):
        return False


def test_a_saved_model_does_not_augment(tmp_path):
    task = ImageTask()
    config = resolve_config(task, None, {**SMALL, "data.shift": 2, "model.width": 8})
    data = load(config)
    model = task.build_model(config, data)
    images, _ = data.splits["test"].gather(np.arange(9), None)
    still = np.asarray(model(images, training=False))
    np.testing.assert_array_equal(np.asarray(model(images)), still)
    np.testing.assert_allclose(model.predict_on_batch(images), still, atol=1e-5)
    assert np.abs(np.asarray(model(images, training=True)) - still).max() > 1e-3
    augment = task.augment(config)
    again = np.asarray(model({"image": augment(images["image"], training=True)}, training=False))
    assert np.abs(again - still).max() > 1e-3


def test_the_task_is_listed_without_a_framework(tmp_path):
    code = (
        "import json, sys; from lsk_engine.tasks.registry import load_task; t = load_task('image');"
        "print(json.dumps([[p.name for p in t.presets], [m for m in ('keras', 'tensorflow',"
        "'sklearn', 'PIL') if m in sys.modules]]))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        cwd=tmp_path,
    )
    assert done.returncode == 0, done.stderr
    presets, imported = json.loads(done.stdout)
    assert presets == [
        "digits-mlp",
        "few-pictures",
        "many-pictures",
        "gray-pictures",
        "mnist-mlp-teacher",
        "mnist-mlp-student",
        "cifar10-alexnet",
        "cifar10-resnet56",
        "cifar100-resnet56",
        "imagenet-inception-v3",
        "imagenet-inception-v4",
    ]
    assert imported == []


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ({"model.name": "vgg"}, "or resnetN .*Received: 'vgg'"),
        ({"model.name": "resnet57"}, "Received: 'resnet57'"),
        ({"model.dropout": 1.0}, r"model.dropout to be a number in \[0, 1\)"),
        ({"data.channels": 2}, "data.channels to be 1 or 3 or none. Received: 2"),
    ],
)
def test_bad_settings_are_told(setting, message):
    with pytest.raises(InputError, match=message):
        resolve_config(ImageTask(), None, setting)
