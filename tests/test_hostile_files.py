"""Damaged and hostile files: refused in one line or read rightly, in bounded time and memory."""

import os

import pytest

import small_translation
from fault_cases import FAULTS, SECONDS
from hostile_files import counts, try_files
from lsk_engine.tasks.registry import load_task
from lsk_processes import lsk
from stored_files import metrics
from untrained_run import untrained_run

pytestmark = [pytest.mark.tensorflow, pytest.mark.slow]
CASES = 150  # make verify-faults tries 960


def test_hostile_files_are_refused_in_one_line_or_read():
    outcomes = try_files(CASES)
    faults = [str(outcome) for outcome in outcomes if outcome.result in FAULTS]
    assert len(outcomes) == CASES
    assert not faults, "\n".join([*faults, counts(outcomes)])


@pytest.fixture
def run(tmp_path):
    settings = {"model.layers": 1, "model.width": 4}
    directory = untrained_run(load_task("image"), tmp_path / "run", **settings).directory
    scores = {"nll": 1.0, "accuracy": 0.5, "loss": 1.0}
    directory.write_json(directory.metrics_file, metrics(test=scores))
    return directory


def pipe(file):
    file.unlink()
    os.mkfifo(file)


@pytest.mark.parametrize(
    "change",
    [
        lambda file: file.write_text("[" * 10**5),
        lambda file: file.write_text(file.read_text().replace("1", "2", 1)),
        lambda file: file.write_bytes(b"\xff"),
        pipe,
    ],
    ids=["nested", "changed", "no text", "a pipe"],
)
@pytest.mark.parametrize(
    ("command", "name"),
    [("show", "config.json"), ("show", "metrics.json"), ("evaluate", "model.keras")],
)
def test_commands_end_with_one_line(run, command, name, change):
    file = run.path / name
    if file.suffix == ".keras":
        change = pipe if change is pipe else lambda file: file.write_bytes(b"PK\x03\x04")
    change(file)
    done = lsk(command, run.path, timeout=SECONDS)
    assert done.returncode == 2
    assert done.stderr.startswith("Error: Expected")
    assert done.stderr.count("\n") == 1
    assert name in done.stderr


@pytest.mark.parametrize(
    "setting",
    ["training.alpha=" + "[" * 10**4, "training.steps=" + "9" * 5000, "data.source=" + "a" * 5000],
    ids=["nested", "huge", "long"],
)
def test_settings_end_with_one_line(tmp_path, setting):
    done = lsk("train", "--task", "image", "--set", setting, cwd=tmp_path, timeout=SECONDS)
    assert done.returncode == 2
    assert done.stderr.startswith("Error: Expected")
    assert done.stderr.count("\n") == 1
    assert not list(tmp_path.iterdir())


def test_a_line_of_a_megabyte_ends_training_before_it_begins(tmp_path):
    folder = small_translation.write_parallel_text(tmp_path / "text")
    with (folder / "train.en").open("a") as file:
        file.write("a" * (1 << 20))
    settings = [f"--set={key}={value}" for key, value in small_translation.SETTINGS.items()]
    options = ("--data", folder, "--run-dir", tmp_path / "run")
    done = lsk("train", "--task", "translation", *settings, *options, timeout=SECONDS)
    assert done.returncode == 2
    assert "1,048,576 bytes in line 41 of" in done.stderr
