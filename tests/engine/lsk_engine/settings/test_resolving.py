"""Configurations that were stored: complete, and of today's presets and defaults independent."""

import dataclasses
import json

import pytest

from ls_base.errors import InputError
from lsk_engine.data.configuration import from_dict, resolve
from lsk_engine.settings.config import PARTS, Preset
from lsk_engine.settings.parsing import added
from lsk_engine.tasks.registry import load_task
from tiny_task import TinyTask


@pytest.fixture
def stored():
    config = resolve(load_task("translation"), None, {"training.seed": 3, "data.split_seed": 4})
    return json.loads(json.dumps(config.to_dict()))


CAME_LATER = {
    "training.gradient_accumulation_steps",
    "training.tokens_per_batch",
    "training.sync_batch_norm",
    "training.drop_remainder",
    "training.init_from",
    "training.init_sha256",
    "training.save_weights",
    "training.max_examples",
    "training.patience",
    "training.monitor",
    "data.split_seed",
    "data.phrase_fraction",
    "data.split_digits",
    "decoding.unsmooth",
}


def test_every_key_has_to_be_there(stored):
    task = load_task("translation")
    assert from_dict(task, stored).data.split_seed == 4
    for part in PARTS:
        for key in stored[part]:
            if f"{part}.{key}" in CAME_LATER:
                continue
            less = {**stored, part: {k: v for k, v in stored[part].items() if k != key}}
            with pytest.raises(
                InputError, match=f"Expected {part}.{key} in a stored configuration"
            ):
                from_dict(task, less)


def test_a_run_from_before_a_setting_does_what_it_did(stored):
    """`training.seed` drew the data, and there was no way to leave examples out."""
    for key in CAME_LATER:
        part, _, name = key.partition(".")
        del stored[part][name]
    config = from_dict(load_task("translation"), stored)
    assert config.data.split_seed == 3
    assert config.training.drop_remainder is False
    assert (config.data.phrase_fraction, config.data.split_digits) == (0, False)
    assert config.decoding.unsmooth == 0


def test_keys_that_there_never_were_are_told(stored):
    stored["training"]["alhpa"] = 0.1
    with pytest.raises(InputError, match="configuration key. Near matches: training.alpha"):
        from_dict(load_task("translation"), stored)


@pytest.mark.parametrize("part", PARTS)
@pytest.mark.parametrize("value", [None, [], "x"])
def test_a_part_that_is_none_is_told(stored, part, value):
    with pytest.raises(InputError, match=f"Expected the part {part} of a configuration"):
        from_dict(load_task("translation"), {**stored, part: value})


def test_presets_and_defaults_of_today_change_nothing():
    class Later(TinyTask):
        presets = (Preset("other", "tests", "nothing", {"training.alpha": 0.9}),)

    config = resolve(TinyTask(), None, {})
    assert from_dict(Later(), config.to_dict()) == config


def test_distillation_has_every_key_too(stored):
    stored["distillation"] = {"teacher": "x", "teacher_sha256": "y"}
    with pytest.raises(InputError, match="Expected distillation.beta in a stored configuration"):
        from_dict(load_task("translation"), stored)


def test_a_setting_may_have_had_its_part_in_another():
    @dataclasses.dataclass(frozen=True)
    class Data:
        source: str = "letters"
        rows: int = added(5)
        seed: int = added(0, then="training.seed")

    class Later(TinyTask):
        data_config = Data

    values = resolve(TinyTask(), None, {"training.seed": 7}).to_dict()
    assert from_dict(Later(), values).data == Data(rows=5, seed=7)
