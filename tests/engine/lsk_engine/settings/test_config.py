import json

import pytest

from ls_base.errors import InputError
from lsk_engine.settings.resolving import resolve_config, restore_config
from lsk_engine.tasks.registry import load_task


@pytest.fixture
def task():
    return load_task("translation")


def test_overrides_go_before_the_preset_and_the_preset_before_defaults(task):
    resolved = resolve_config(task, "multi30k-tiny", {"model.layers": "3", "training.alpha": 0.1})
    assert resolved.model.layers == 3
    assert resolved.model.feedforward == 256
    assert resolved.model.heads == 4
    assert resolved.training.alpha == 0.1


def test_without_a_preset_the_first_one_counts(task):
    assert resolve_config(task, None, {}).preset == task.presets[0].name


def test_epochs_replace_the_steps_of_a_preset(task):
    resolved = resolve_config(task, None, {"training.epochs": 2})
    assert (resolved.training.epochs, resolved.training.steps) == (2, None)


def test_round_trip_through_json(task):
    for preset in task.presets:
        resolved = resolve_config(task, preset.name, {"training.jit_compile": "false"})
        assert restore_config(task, json.loads(json.dumps(resolved.to_dict()))) == resolved


@pytest.mark.parametrize(
    ("key", "text", "value"),
    [
        ("training.steps", "none", None),
        ("training.steps", "12", 12),
        ("training.jit_compile", "yes", True),
        ("training.smooth_unused_classes", "0", False),
        ("optimizer.learning_rate", "1e-3", 1e-3),
        ("optimizer.name", "sgd", "sgd"),
        ("training.loss_options.gamma", "2", {"gamma": 2.0}),
        ("training.loss_options.gamma", "flsd53", {"gamma": "flsd53"}),
    ],
)
def test_strings_are_read_as_the_type_of_the_field(task, key, text, value):
    resolved = resolve_config(task, None, {"training.epochs": 1, key: text})
    part, field, *_ = key.split(".")
    assert getattr(getattr(resolved, part), field) == value


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        ({"training.alhpa": 0.1}, "Near matches: training.alpha.*Received: 'training.alhpa'"),
        ({"alpha": 0.1}, "training.alpha"),
        ({"model.layerz": 1}, "model.layers"),
        ({"training.alpha": 1.5}, r"training.alpha to be a number in \[0, 1\]. Received: 1.5"),
        ({"training.alpha": -0.1}, "Received: -0.1"),
        ({"training.alpha": float("nan")}, "training.alpha.*Received: nan"),
        ({"training.alpha": "lots"}, "to be a number in \\[0, 1\\]. Received: 'lots'"),
        ({"training.batch_size": 0}, "batch_size to be an integer of at least 1"),
        ({"training.batch_size": 1.5}, "to be an integer"),
        ({"training.steps": None, "training.epochs": None}, "Received: neither"),
        ({"training.smoothing": "gaussian"}, "uniform, unigram, prior or neighborhood"),
        ({"training.smoothing": "prior"}, "training.prior, a probability for each class"),
        ({"training.prior": "0.5,0.5"}, "Received: 2 numbers with smoothing=uniform"),
        ({"training.loss_option.gamma": 1}, "Near matches: training.loss_options"),
        ({"training.loss_options": "gamma=1"}, "Expected training.loss_options to be"),
        ({"training.precision": "int8"}, "mixed_bfloat16"),
        ({"training.strategy": "pigeons"}, "mirrored"),
        ({"training.jit_compile": "perhaps"}, "true or false or none"),
        ({"optimizer.schedule": "steep"}, "inverse_sqrt"),
        (
            {"optimizer.schedule": "piecewise"},
            r"boundaries with optimizer.schedule=piecewise only.*\(\)",
        ),
        ({"optimizer.boundaries": "5"}, r"Received: \(5,\) with"),
        ({"optimizer.schedule": "piecewise", "optimizer.boundaries": "5,3"}, "ascending"),
        (
            {"optimizer.schedule": "piecewise", "optimizer.boundaries": "0,3"},
            "a list .an integer of at least 1 each",
        ),
        ({"optimizer.logits_lr_multiplier": 0.1}, "with sgd only. Received: adam"),
        (
            {"optimizer.name": "sgd", "optimizer.nesterov": True, "optimizer.dampening": 0.9},
            "Received: both",
        ),
        ({"optimizer.global_clipnorm": -1}, "global_clipnorm to be a number of at least 0"),
        ({"optimizer.learning_rate": -1}, "a number of at least 0"),
        ({"optimizer.momentum": 1.5}, r"momentum to be a number in \[0, 1\]"),
        ({"optimizer.beta_2": -1}, r"beta_2 to be a number in \[0, 1\]"),
        ({"training.init_from": "runs/a"}, "--init-from RUN"),
    ],
)
def test_what_cannot_be_is_told(task, overrides, message):
    with pytest.raises(InputError, match=message):
        resolve_config(task, None, overrides)


def test_an_unknown_preset_is_told_with_near_matches(task):
    with pytest.raises(InputError, match="Near matches: cldr-small.*Received: 'cldr-smal'"):
        resolve_config(task, "cldr-smal", {})


def test_every_preset_says_what_to_expect(task):
    for preset in task.presets:
        assert preset.purpose
        assert preset.expected
