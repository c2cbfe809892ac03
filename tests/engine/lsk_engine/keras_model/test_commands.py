"""Every command of `lsk`, on one run of a model and data of a user's own."""

import json
import subprocess
import sys

import pytest
from click.testing import CliRunner

from ls_base.errors import InputError
from lsk.main import cli
from own_files import MODEL, write_data, write_model

pytestmark = [pytest.mark.slow, pytest.mark.tensorflow]


def lsk(*arguments):
    done = CliRunner().invoke(cli, [str(a) for a in arguments], catch_exceptions=False)
    assert done.exit_code == 0, done.output
    return done


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("own")


@pytest.fixture(scope="module")
def own(folder):
    """The options of every command."""
    return ["--model", write_model(folder), "--data", write_data(folder)]


@pytest.fixture(scope="module")
def run(folder, own):
    path = folder / "run"
    views = folder / "views.py"
    views.write_text("import keras\ndef noise(): return keras.layers.GaussianNoise(0.5)\n")
    own = [*own, "--set", f"model.augment={views}:noise"]
    small = ("--alpha", "0.1", "--epochs", 2, "--set", "training.checkpoint_every=2")
    lsk("train", "--task", "keras", *own, *small, "--run-dir", path, "-q")
    return path


def test_training_ends_with_scores(run):
    found = json.loads((run / "metrics.json").read_text())
    assert found["labels"] == {"error_rate": "error rate (%)"}
    assert {"accuracy", "nll", "ece", "brier"} <= set(found["test"])
    assert found["test"]["error_rate"] == pytest.approx(100 * (1 - found["test"]["accuracy"]))


def test_the_replaced_loss_is_reported_once(run):
    assert (run / "log.txt").read_text().count("replace its own") == 1


def test_a_run_resumes_with_the_unchanged_file_only(run, folder):
    assert json.loads(lsk("train", "--resume", run, "--json", "-q").stdout)["alpha"] == 0.1
    write_model(folder, MODEL + "\n# changed\n")
    try:
        with pytest.raises(InputError, match="model.py unchanged since the run started"):
            lsk("train", "--resume", run, "-q")
        # Scoring needs the saved model, and of its own classes those that are registered.
        lsk("evaluate", run, "-q")
    finally:
        write_model(folder)


def test_another_process_loads_custom_layers(run):
    arguments = [sys.executable, "-m", "lsk", "evaluate", str(run), "--json", "-q"]
    done = subprocess.run(arguments, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["test"] == json.loads((run / "metrics.json").read_text())["test"]


def test_other_commands_accept_the_run(run, folder, own):
    assert "T = " in lsk("calibrate", run, "-q").stdout
    lsk("evaluate", run, "--calibrated", "-q")
    lsk("reliability", run, "--output", folder / "reliability.png")
    lsk("project", run, "--classes", "0,1,2", "-q")
    lsk("probe", run, "--classes", "0,1", "-q")
    swept = ("--temperatures", "1,2", "--output", folder / "sweep.png", "-q")
    assert "error rate" in lsk("sweep-temperature", run, *swept).stdout
    student = (*own, "--epochs", 1, "--temperature", 2, "--run-dir", folder / "student", "-q")
    lsk("distill", "--teacher", run, *student)
    cached = (
        *own,
        "--epochs",
        1,
        "--cache",
        folder / "logits",
        "--run-dir",
        folder / "other",
        "-q",
    )
    lsk("distill", "--teacher", run, *cached)
    assert "error rate (%)" in lsk("compare", run, folder / "student").stdout
    assert "run" in lsk("runs", folder).stdout
    assert "error rate (%)" in lsk("show", run).stdout
    lsk("report", run)
    assert "error rate" in (run / "report.html").read_text()


def test_unsupported_commands_are_refused(run, folder, own):
    with pytest.raises(InputError, match="a task with a random augmentation"):
        lsk("probe", folder / "student", "--classes", "0,1")
    with pytest.raises(InputError, match="whose data can be prepared"):
        lsk("prepare", "--task", "keras", "--data", own[3], "--out", folder / "prepared")


def test_a_study_trains_in_processes(folder, own):
    asked = (*own, "--alphas", "0.1", "--seeds", 1, "--set", "training.steps=3", "--jobs", 2)
    out = folder / "study"
    done = lsk("study", "smoothing", "--task", "keras", *asked, "--out", out, "-q", "--json")
    assert not json.loads(done.stdout)["missing"]
    lsk("report", out)


def test_missing_options_create_no_run(folder, own, monkeypatch):
    monkeypatch.chdir(folder)
    with pytest.raises(InputError, match="Expected --model FILE.py:function, or"):
        lsk("train", "--task", "keras", "--data", own[3])
    with pytest.raises(InputError, match="Expected data: --data FILE.npz"):
        lsk("train", "--task", "keras", "--model", own[1])
    assert not (folder / "runs").exists()
