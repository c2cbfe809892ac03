"""`lsk settings`, and `lsk train --config`, which reads what it prints."""

import json
import tomllib

import pytest
from click.testing import CliRunner

from ls_base.errors import InputError
from lsk.main import cli
from lsk.train import merge_config_file


def called(*arguments):
    return CliRunner().invoke(cli, arguments, catch_exceptions=False)


def test_every_key_is_there_with_its_meaning():
    text = called("settings", "image").stdout
    assert "# Smoothing α of the loss, 0 … 1" in text
    assert "(a number in [0, 1]; default 0.0)" in text
    found = tomllib.loads(text)
    assert (found["task"], found["preset"]) == ("image", "digits-mlp")
    assert found["training"]["epochs"] == 60


def test_options_are_resolved():
    options = ("--preset", "cifar10-resnet56", "--model", "resnet20")
    text = called("settings", "image", *options).stdout
    found = tomllib.loads(text)
    assert (found["model"]["name"], found["optimizer"]["boundaries"]) == (
        "resnet20",
        [32000, 48000],
    )
    text = called(*["settings", "image", "--set", "training.alpha=0.3", "--data", "/x/y"]).stdout
    found = tomllib.loads(text)
    assert (found["training"]["alpha"], found["data"]["source"]) == (0.3, "/x/y")


def test_as_json():
    found = json.loads(called("settings", "speech", "--json").stdout)
    assert found["schema"] == 1
    keys = {setting["key"]: setting for setting in found["settings"]}
    assert keys["training.steps"]["kind"] == "an integer of at least 1 or none"
    assert found["config"]["task"] == "speech"


def test_an_unknown_task_is_told():
    with pytest.raises(InputError, match="Near matches: speech"):
        called("settings", "spech")


def test_options_go_before_the_file_and_the_file_before_the_preset(tmp_path):
    file = tmp_path / "mine.toml"
    file.write_text('task = "image"\npreset = "digits-mlp"\ntraining.alpha = 0.2\n')
    assert merge_config_file(file, None, None, {}) == (
        "image",
        "digits-mlp",
        {"training.alpha": 0.2},
    )
    given = merge_config_file(file, "speech", "fsdd-digits", {"training.alpha": 0.1})
    assert given == ("speech", "fsdd-digits", {"training.alpha": 0.1})
    assert merge_config_file(None, None, "a", {}) == (None, "a", {})


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('task = "image"\ntraining.alhpa = 1', "Near matches: training.alpha"),
        ("training.alpha = 0.1", "FILE.toml that names it"),
        ('task = "imag"', "Near matches: image"),
    ],
)
def test_a_file_that_train_can_not_use_is_told(tmp_path, monkeypatch, text, message):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mine.toml").write_text(text)
    with pytest.raises(InputError, match=message):
        called("train", "--config", "mine.toml")
    with pytest.raises(InputError, match="--config"):
        called("train", "--config", "mine.toml", "--resume", "run")
    assert [file.name for file in tmp_path.iterdir()] == ["mine.toml"]
