import tomllib

import pytest

from ls_base.errors import FileError, InputError
from lsk_engine.settings.resolving import merge_settings, resolve_config
from lsk_engine.settings.toml_files import read_settings, settings_text
from lsk_engine.tasks.registry import load_task

PRESETS = [
    (task, preset.name)
    for task in ("image", "speech", "translation")
    for preset in load_task(task).presets
]


def through_a_file(folder, task, config):
    file = folder / "settings.toml"
    file.write_text(settings_text(task, config), encoding="utf-8")
    found = read_settings(file)
    return found.task, resolve_config(load_task(found.task), found.preset, found.values)


@pytest.mark.parametrize(("task", "preset"), PRESETS)
def test_what_is_printed_gives_the_same_configuration(tmp_path, task, preset):
    task = load_task(task)
    config = resolve_config(
        task, preset, {"training.alpha": 0.1, "optimizer.learning_rate": "3e-7"}
    )
    assert through_a_file(tmp_path, task, config) == (task.name, config)


def test_what_options_have_changed_comes_back(tmp_path):
    """Lists, none where the preset has a number, and a path with quotes and letters of its own."""
    task = load_task("image")
    settings = {
        "data.source": str(tmp_path / 'Blüten "2"\\'),
        "data.validation": None,
        "training.epochs": None,
        "training.steps": 7,
        "optimizer.l2_layers": "a,b",
        "training.loss_options.gamma": 2.0,
        "training.loss_options.kind": "x",
    }
    config = resolve_config(task, "mnist-mlp-teacher", settings)
    assert config.optimizer.l2_layers == ("a", "b")
    assert through_a_file(tmp_path, task, config) == ("image", config)


def test_own_code_comes_back_and_its_digest_is_not_fixed(tmp_path):
    code, task = tmp_path / "net.py", load_task("keras")
    code.write_text("def build(): ...\n")
    config = resolve_config(task, None, {"model.name": f"{code}:build", "data.source": "x.npz"})
    assert through_a_file(tmp_path, task, config) == ("keras", config)
    text = settings_text(task, config)
    assert f'# sha256 = "{config.model.sha256}"' in text
    assert "sha256" not in tomllib.loads(text)["model"]


def test_lines_are_no_longer_than_asked_for():
    task = load_task("speech")
    text = settings_text(task, resolve_config(task, None, {}), width=60)
    assert max(map(len, text.splitlines())) <= 60
    assert tomllib.loads(text) == tomllib.loads(settings_text(task, resolve_config(task, None, {})))


def test_dotted_keys_and_tables_are_alike(tmp_path):
    tables, dotted = tmp_path / "a.toml", tmp_path / "b.toml"
    tables.write_text("[training]\nalpha = 0.1\n[model]\nwidth = 8\n")
    dotted.write_text("training.alpha = 0.1\nmodel.width = 8\n")
    assert read_settings(tables) == read_settings(dotted)
    assert read_settings(tables).values == {"training.alpha": 0.1, "model.width": 8}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("training = ", "Expected TOML in"),
        ("x = [" * 5000, "Expected TOML in"),
        ("task = 3", "Expected task in .* to be a name. Received: 3"),
        ("preset = []", "Expected preset in"),
    ],
)
def test_what_is_no_such_file_is_told(tmp_path, text, message):
    (tmp_path / "a.toml").write_text(text)
    with pytest.raises(InputError, match=message):
        read_settings(tmp_path / "a.toml")
    with pytest.raises(FileError, match="b.toml"):
        read_settings(tmp_path / "b.toml")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("training.alhpa = 0.1", "Near matches: training.alpha"),
        ("alpha = 0.1", "Expected a configuration key"),
        ("training.alpha.x = 0.1", "Expected a configuration key"),
        ("training.alpha = 2026-01-01", "Expected training.alpha to be a number"),
        ("training.alpha = 2.0", r"Expected training.alpha to be a number in \[0, 1\]"),
        ("training.steps = true", "Expected training.steps to be an integer"),
    ],
)
def test_what_is_no_setting_is_told(tmp_path, text, message):
    (tmp_path / "a.toml").write_text(text)
    with pytest.raises(InputError, match=message):
        resolve_config(load_task("image"), None, read_settings(tmp_path / "a.toml").values)


@pytest.mark.parametrize(
    ("file", "options", "steps", "epochs"),
    [
        ({"training.steps": 5}, {}, 5, 60),
        ({"training.steps": 5}, {"training.epochs": 2}, None, 2),
        ({"training.steps": "none", "training.epochs": 3}, {"training.steps": 4}, 4, 3),
        ({"training.epochs": 3}, {"training.epochs": 2, "training.steps": 4}, 4, 2),
    ],
)
def test_options_go_before_a_file(file, options, steps, epochs):
    config = resolve_config(load_task("image"), None, merge_settings(file, options))
    assert (config.training.steps, config.training.epochs) == (steps, epochs)
