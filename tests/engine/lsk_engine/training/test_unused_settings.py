import math

import pytest

from lsk_engine.experiment import run_experiment
from lsk_engine.progress import Reporter
from lsk_engine.runs.run_directory import RunDirectory
from lsk_engine.settings.resolving import resolve_config
from lsk_engine.training.divergence import DivergenceMonitor
from lsk_engine.training.unused_settings import unused_settings
from lsk_image.task import ImageTask
from tiny_task import TinyTask


@pytest.mark.parametrize(
    ("every", "kept", "said"),
    [
        (4, 0, None),
        (4, 8, None),
        (4, 4, None),
        (4, 6, "keep_every=6 keeps those of every 12th step only"),
        (4, 20, "keep_every=20 keeps no checkpoint of the 13 steps"),
        (5, 3, "keep_every=3 keeps no checkpoint of the 13 steps"),
    ],
)
def test_checkpoints_that_are_never_kept(every, kept, said):
    settings = {"training.checkpoint_every": every, "training.keep_every": kept}
    found = unused_settings(TinyTask(), resolve_config(TinyTask(), None, settings), 13)
    assert len(found) == (said is not None)
    assert all(said in text for text in found)


def test_what_a_preset_sets_for_another_model():
    task = ImageTask()
    assert unused_settings(task, resolve_config(task, "digits-mlp", {}), 100) == []
    config = resolve_config(task, "digits-mlp", {"model.name": "resnet20"})
    assert unused_settings(task, config, 100) == [
        "model.width=256 has no effect with model.name=resnet20 (preset digits-mlp)"
    ]
    settings = {"model.name": "inception_v3", "model.dropout": 0.1, "optimizer.name": "adam"}
    config = resolve_config(task, "cifar10-resnet56", settings)
    assert unused_settings(task, config, 64000) == [
        "optimizer.nesterov=True has no effect with optimizer.name=adam (preset cifar10-resnet56)"
    ]


@pytest.mark.parametrize(
    ("loss", "alpha", "said"),
    [
        ("smoothed_ce", 0.1, []),
        ("max_sup", 0.1, []),
        ("max_sup", 0.0, ["training.loss=max_sup with training.alpha=0 is plain cross-entropy"]),
        ("focal_ce", 0.1, ["training.alpha=0.1 has no effect with training.loss=focal_ce"]),
    ],
)
def test_alpha_is_for_losses_that_have_it(loss, alpha, said):
    settings = {"training.loss": loss, "training.alpha": alpha}
    config = resolve_config(TinyTask(), None, settings)
    found = unused_settings(TinyTask(), config, 13)
    assert [text.removesuffix(" (preset tiny)") for text in found] == said


@pytest.mark.parametrize("preset", ImageTask.presets, ids=lambda preset: preset.name)
def test_no_preset_has_such_a_setting(preset):
    task = ImageTask()
    assert unused_settings(task, resolve_config(task, preset.name, {}), 10**6) == []


def test_a_loss_that_has_risen_tenfold_is_told_once(tmp_path):
    watch = DivergenceMonitor(RunDirectory(tmp_path), None, num_classes=10)
    assert watch.describe_rise(2.0, {}) == []
    assert watch.describe_rise(0.1, {"nll": 0.9}) == []
    (said,) = watch.describe_rise(1.2, {"nll": 3.0})
    assert said.startswith("the loss is 1.2, 12 times 0.1")
    assert watch.describe_rise(5.0, {}) == []


def test_a_loss_far_above_a_guess_is_told_in_the_first_epoch(tmp_path):
    watch = DivergenceMonitor(RunDirectory(tmp_path), None, num_classes=10)
    (said,) = watch.describe_rise(2.0, {"nll": 53.0})
    assert said.startswith(f"the NLL of validation is 53, 23 times {math.log(10):.4g}")
    assert DivergenceMonitor(RunDirectory(tmp_path), None).describe_rise(500.0, {}) == []


def test_training_says_both(tmp_path):
    said = []
    reporter = Reporter(verbosity=-1)
    reporter.warning = said.append
    settings = {"training.keep_every": 5, "optimizer.learning_rate": 100.0}
    config = resolve_config(TinyTask(), None, settings)
    run = RunDirectory.create(tmp_path / "run", config.to_dict())
    run_experiment(TinyTask(), config, run, reporter)
    assert "keep_every=5" in said[0]
    assert "times" in said[1]
    assert len(said) == 2
