"""`lsk distill` in this process: what it makes of its options."""

import json

import numpy as np
import pytest
from click.testing import CliRunner

import lsk_processes as processes
from ls_base.errors import InputError
from lsk.main import cli
from lsk_engine.runs.run_directory import RunDirectory

pytestmark = pytest.mark.tensorflow

SMALL = ("--steps", "2", "--set", "model.width=8", "--set", "data.shift=0", "--json", "-q")


def lsk(*arguments):
    done = CliRunner().invoke(cli, [str(a) for a in arguments], catch_exceptions=False)
    assert done.exit_code == 0, done.output
    return json.loads(done.stdout)


@pytest.fixture(scope="module")
def teacher(tmp_path_factory):
    path = tmp_path_factory.mktemp("distill") / "teacher"
    lsk("train", "--task", "image", "--run-dir", path, *SMALL)
    return path


def test_a_student_of_a_run_is_a_run(teacher, tmp_path):
    options = ("--beta", 0.5, "--temperature", 4, "--alpha", 0.1, "--cache", tmp_path / "logits")
    results = lsk("distill", "--teacher", teacher, *options, "--run-dir", tmp_path / "run", *SMALL)
    assert results["task"] == "image"
    assert results["alpha"] == 0.1
    assert results["distillation"]["teacher"] == str(teacher)
    assert {k: results["distillation"][k] for k in ("beta", "teacher_temperature", "loss")} == {
        "beta": 0.5,
        "teacher_temperature": 4.0,
        "loss": "cross-entropy",
    }
    assert (tmp_path / "logits" / "teacher-logits.json").is_file()
    again = lsk("evaluate", tmp_path / "run", "--json", "-q")
    assert again["test"] == results["test"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--alpha", "0.1"], "--alpha with --beta below 1"),
        (["--beta", "2"], r"beta to be a number in \[0, 1\]"),
        (["--temperature", "0"], "temperature to be a number above 0"),
        (
            ["--teacher-loss", "squared-logits", "--temperature", "2"],
            "squared logits at temperatures of 1",
        ),
        (["--top-k", "2"], "with a cache"),
        (["--loss", "focal"], "Near matches: focal_ce"),
        (["--task", "translation"], "Expected a teacher of the student's task, 'translation'"),
        (["--preset", "digit-mlp"], "Near matches: digits-mlp"),
    ],
)
def test_options_that_cannot_be_are_told_before_anything_is_made(
    teacher, tmp_path, arguments, message
):
    with pytest.raises(InputError, match=message):
        lsk("distill", "--teacher", teacher, *arguments, "--run-dir", tmp_path / "run")
    assert not (tmp_path / "run").exists()


@pytest.mark.slow
def test_processes_of_this_machine_train_the_student_of_one(teacher, tmp_path):
    # Where nothing is yet, and a run that somebody else has made might not write.
    options = ("--teacher", teacher, "--beta", 0.5, "--set", "training.batch_size=16")
    options += ("--cache", tmp_path / "logits")
    for name, more in (("two", ("--local-workers", 2)), ("one", ())):
        done = processes.lsk(
            *("distill", *map(str, options), "--run-dir", tmp_path / name, *map(str, more), *SMALL)
        )
        assert done.returncode == 0, done.stderr
    assert "Strategy multi-worker: 2 devices" in (tmp_path / "two" / "log.txt").read_text()
    one, two = (RunDirectory.open(tmp_path / name).load_model() for name in ("one", "two"))
    for a, b in zip(one.get_weights(), two.get_weights(), strict=True):
        np.testing.assert_allclose(a, b, rtol=0, atol=1e-6)
