"""Stored configurations are complete, and independent of today's presets and defaults."""

import json

import pytest

from ls_base.errors import FileError, InputError
from lsk_engine.runs.run_directory import RunDirectory
from lsk_engine.settings.config import PARTS, Preset
from lsk_engine.settings.resolving import resolve_config, restore_config
from lsk_engine.tasks.registry import load_task
from tiny_task import TinyTask


@pytest.fixture
def stored():
    config = resolve_config(load_task("translation"), None, {"training.seed": 3})
    return json.loads(json.dumps(config.to_dict()))


def test_every_key_is_required(stored):
    task = load_task("translation")
    assert restore_config(task, stored).training.seed == 3
    for part in PARTS:
        for key in stored[part]:
            less = {**stored, part: {k: v for k, v in stored[part].items() if k != key}}
            message = f"Expected {part}.{key} in a stored configuration"
            with pytest.raises(InputError, match=message):
                restore_config(task, less)
    stored["distillation"] = {"teacher": "x", "teacher_sha256": "y"}
    with pytest.raises(InputError, match="Expected distillation.beta in a stored configuration"):
        restore_config(task, stored)


def test_unknown_keys_are_refused_with_near_matches(stored):
    stored["training"]["alhpa"] = 0.1
    with pytest.raises(InputError, match="configuration key. Near matches: training.alpha"):
        restore_config(load_task("translation"), stored)


@pytest.mark.parametrize("part", PARTS)
@pytest.mark.parametrize("value", [None, [], "x"])
def test_every_part_is_a_table(stored, part, value):
    with pytest.raises(InputError, match=f"Expected the part {part} of a configuration"):
        restore_config(load_task("translation"), {**stored, part: value})


def test_presets_and_defaults_of_today_change_nothing():
    class Later(TinyTask):
        presets = (Preset("other", "tests", "nothing", {"training.alpha": 0.9}),)

    config = resolve_config(TinyTask(), None, {})
    assert restore_config(Later(), config.to_dict()) == config


def test_a_configuration_of_another_schema_is_refused(tmp_path, stored):
    run = RunDirectory.create(tmp_path / "run", stored)
    run.write_json(run.config_file, {"schema": 1, **stored})
    with pytest.raises(FileError, match=r"Expected schema 2 in .*config.json. Received: 1"):
        run.read_config()
