"""`lsk sweep-distillation`: in this process, the trainings in their own."""

import json

import pytest
from click.testing import CliRunner

import small_translation
from ls_base.errors import InputError
from lsk.main import cli
from lsk.sweep_distillation import sweep_distillation
from lsk_engine.studies.distillation import ALPHAS, SEEDS, TEMPERATURES

pytestmark = pytest.mark.tensorflow


def sweep(*arguments):
    arguments = ["sweep-distillation", *map(str, arguments)]
    return CliRunner().invoke(cli, arguments, catch_exceptions=False)


@pytest.mark.slow
def test_the_trainings_are_runs_and_their_scores_a_table(tmp_path):
    steps = ("--set", "training.steps=2", "--set", "teacher.training.steps=3")
    arguments = ("--alphas", "0", "--temperatures", "2", "--seeds", 1, "--jobs", 2, *steps)
    done = sweep(*arguments, "--set", "model.width=8", "--out", tmp_path / "out", "--json", "-q")
    assert done.exit_code == 0, done.output
    found = json.loads(done.stdout)
    assert found["score"] == "top_1_error"
    assert [p["curve"] for p in found["points"]] == [
        "teacher",
        "student alone",
        "student of hard teacher",
    ]
    (student,) = (
        tmp_path / "out" / row["run"]
        for row in found["rows"]
        if row["curve"] == "student of hard teacher"
    )
    config = json.loads((student / "config.json").read_text())
    assert config["distillation"]["teacher_temperature"] == 2
    assert (config["training"]["steps"], config["model"]["width"]) == (2, 8)
    again = sweep(*arguments, "--set", "model.width=8", "--out", tmp_path / "out")
    assert again.exit_code == 0, again.output
    lines = again.stdout.splitlines()
    for point in found["points"]:
        (line,) = (line for line in lines if line.startswith(f"{point['curve']} "))
        assert {f"{point['gamma']:.3f}", f"{point['gamma']:.4f}"} & {*line.split()}
    assert "3 of 3 runs are finished already" in again.stderr
    with pytest.raises(InputError, match=r"the settings of the study in .*settings.model.width=8"):
        sweep(*arguments, "--out", tmp_path / "out")


@pytest.mark.slow
def test_a_task_with_a_vocabulary_is_swept(tmp_path):
    """Every training begins with `--resume`; a student has its teacher's vocabulary.

    Speech is no other for a sweep; its students are trained in its own tests.
    """
    quick = {"training.epochs": None, "training.steps": 2, "decoding.beam_size": 1}
    settings = small_translation.settings(tmp_path) | quick
    given = [f"{key}={value}" for key, value in settings.items()]
    done = sweep(
        *("--task", "translation", "--alphas", "0", "--temperatures", "2"),
        *("--seeds", 1, "-q", "--json"),
        *(f"--set={text}" for text in given),
        *(f"--set=teacher.{text}" for text in given),
        *("--out", tmp_path / "out"),
    )
    assert done.exit_code == 0, done.output
    rows = json.loads(done.stdout)["rows"]
    teacher, _, student = (
        [*(tmp_path / "out" / row["run"] / "artifacts").iterdir()]
        for row in sorted(rows, key=lambda row: row["curve"] != "teacher")
    )
    assert [f.name for f in teacher] == [f.name for f in student]
    assert [f.read_bytes() for f in teacher] == [f.read_bytes() for f in student]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--alphas", "0,1.5"], r"training.alpha to be a number in \[0, 1\]"),
        (["--alphas", "0.1"], "α = 0 among the alphas"),
        (["--temperatures", "0,1"], "to be a number above 0"),
        (["--seeds", "0"], "1 to 1,000 seeds"),
        (["--jobs", "0"], "at least one job"),
        (["--preset", "digit-mlp"], "Near matches: digits-mlp"),
        (["--teacher-preset", "resnet"], "a preset of task 'image'"),
        (["--task", "images"], "Near matches: image"),
        (
            ["--set", "training.alpha=0.1"],
            "axes other than the settings. Received: training.alpha in both",
        ),
        (["--set", "teacher.training.seed=3"], "Received: teacher.training.seed"),
        (["--set", "teacher.data.source=cifar10"], "with the same data"),
        (["--set", "model.width"], "KEY=VALUE"),
    ],
)
def test_options_that_cannot_be_are_told_before_anything_is_made(tmp_path, arguments, message):
    with pytest.raises(InputError, match=message):
        sweep(*arguments, "--out", tmp_path / "out")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("numbers", ["", "0,,1", "0;1", "small"])
def test_lists_that_are_none_are_told(tmp_path, numbers):
    for name in ("--alphas", "--temperatures"):
        done = sweep(name, numbers, "--out", tmp_path / "out")
        assert done.exit_code == 2
        assert "Expected numbers separated by commas" in done.output


def test_the_defaults_are_those_of_the_study():
    """They stand in the command as well, which `lsk --help` is not to wait for."""
    defaults = {option.name: option.default for option in sweep_distillation.params}
    for name, expected in {"alphas": ALPHAS, "temperatures": TEMPERATURES}.items():
        assert tuple(map(float, defaults[name].split(","))) == expected
    assert defaults["seeds"] == SEEDS
