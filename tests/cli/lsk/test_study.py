"""`lsk study`: in this process, the trainings in their own."""

import json

import pytest
from click.testing import CliRunner

from claim_results import make_result
from ls_base.errors import InputError
from lsk.main import cli
from lsk.study import MEASURES
from lsk_engine.studies.claims import Claim
from lsk_engine.studies.measurements import MEASUREMENTS
from lsk_engine.studies.study_result import Number, StudyResult
from pictures import write_pictures

SMALL = ("--set", "training.steps=3", "--set", "model.width=8")
FILE = """
question = "Does width help?"
task = "image"
seeds = 1
measure = ["accuracy"]
axes = { "model.width" = [4, 8] }
settings = { "training.steps" = 2 }

[[claims]]
statement = "It makes fewer errors"
measure = "top_1_error"
direction = "better"
margin = 1
"""


def study(*arguments):
    return CliRunner().invoke(cli, ["study", *map(str, arguments)], catch_exceptions=False)


@pytest.mark.tensorflow
@pytest.mark.slow
def test_runs_are_trained_and_measured_and_the_answer_is_a_table(tmp_path):
    asked = ("smoothing", "--task", "image", "--alphas", "0.1", "--seeds", 2, *SMALL)
    asked = (*asked, "--measure", "accuracy,calibration", "--jobs", 2, "--out", tmp_path / "out")
    done = study(*asked, "--json", "-q")
    assert done.exit_code == 0, done.output
    found = json.loads(done.stdout)
    assert found == json.loads((tmp_path / "out" / "results.json").read_text())
    assert list(found["arms"]) == ["alpha0", "alpha0.1"]
    assert [one["name"] for one in found["claims"]] == [
        *("score", "calibration", "against a fitted T", "likelihood")
    ]
    for seed in range(2):
        run = tmp_path / "out" / "runs" / f"alpha0.1-seed{seed}"
        config = json.loads((run / "config.json").read_text())
        assert (config["training"]["alpha"], config["training"]["seed"]) == (0.1, seed)
        scaled = json.loads((run / "metrics-calibrated.json").read_text())
        assert found["values"]["ece_calibrated"]["alpha0.1"][seed] == scaled["test"]["ece"]
        fitted = json.loads((run / "calibration.json").read_text())
        assert found["values"]["temperature"]["alpha0.1"][seed] == fitted["temperature"]
        assert found["values"]["ece"]["alpha0.1"][seed] == fitted["test"]["before"]["ece"]
    again = study(*asked)
    assert again.exit_code == 0, again.output
    assert "4 of 4 runs are finished already" in again.stderr
    assert "Fitting" not in again.stderr
    lines = again.stdout.splitlines()
    assert max(map(len, lines[:-1])) <= 160  # the last names the folder
    assert lines[2].split() == ["Means", "over", "2", "seeds,", "test", "hard", "α", "0.1"]
    sentences = " ".join(again.stdout.split())
    assert all(sentence in sentences for sentence in found["sentences"])
    assert lines[-1] == f"Saved: {tmp_path / 'out' / 'results.json'}"


@pytest.mark.slow
@pytest.mark.tensorflow
def test_a_file_asks_another_question(tmp_path):
    (tmp_path / "width.toml").write_text(FILE)
    done = study(tmp_path / "width.toml", "--out", tmp_path / "out", "--jobs", 2)
    assert done.exit_code == 0, done.output
    assert done.stdout.startswith("Does width help? image, digits-mlp\n\n")
    assert "\nMeans over 1 seed, test " in done.stdout
    assert "It makes fewer errors: inconclusive. At width 8" in done.stdout
    assert "one seed does not show" in done.stdout
    assert {run.name for run in (tmp_path / "out" / "runs").iterdir()} == {
        *("width4-seed0", "width8-seed0")
    }


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["smoothing"], "Expected --task NAME"),
        (["smoothing", "--task", "images"], "Near matches: image"),
        (["smoothing", "--task", "image", "--seeds", "0"], "1 to 1,000 seeds"),
        (["smoothing", "--task", "image", "--alphas", "0"], "at least two values of the first"),
        (
            ["smoothing", "--task", "image", "--alphas", "0,2"],
            r"training.alpha to be a number in \[0, 1\]",
        ),
        (["smoothing", "--task", "image", "--smoothings", "flat"], "Received: 'flat'"),
        (["smoothing", "--task", "image", "--measure", "acuracy"], "Near matches: accuracy"),
        (["smoothing", "--task", "image", "--measure", ","], "at least one measure"),
        (["smoothing", "--task", "image", "--jobs", "0"], "at least one job"),
        (
            ["smoothing", "--task", "image", "--set", "training.alpha=0.1"],
            "axes other than the settings. Received: training.alpha in both",
        ),
        (["smooth.toml"], "smooth.toml"),
        (["smooth.toml", "--seeds", "2"], "it defines the rest"),
        (["smooth.toml", "--task", "image"], "it defines the rest"),
    ],
)
def test_what_cannot_be_is_told_before_anything_is_made(tmp_path, arguments, message):
    with pytest.raises(Exception, match=message) as error:
        study(*arguments, "--out", tmp_path / "out")
    assert isinstance(error.value, InputError | OSError)
    assert not (tmp_path / "out").exists()


def test_the_help_names_every_measure():
    assert set(MEASURES) == set(MEASUREMENTS)


def asked_of(monkeypatch, *arguments):
    """Returns the study that a command would do, and what it says."""
    asked = []

    def stop(study, *_, **__):
        asked.append(study)
        raise InputError("enough")

    monkeypatch.setattr("lsk_engine.studies.run_study.run_study", stop)
    result = CliRunner().invoke(cli, [*map(str, arguments)])
    return asked[0], result.output


@pytest.mark.parametrize("command", ["study", "sweep-distillation"])
def test_for_own_pictures_a_preset_is_chosen_as_by_train(command, tmp_path, monkeypatch):
    write_pictures(tmp_path / "cat", [(12, 9), (9, 9)])
    write_pictures(tmp_path / "dog", [(9, 9)] * 3)
    begin = ("study", "smoothing") if command == "study" else (command,)
    own = ("--task", "image", "--data", tmp_path)
    study, said = asked_of(monkeypatch, *begin, *own)
    assert (study.preset, study.settings["data.size"]) == ("few-pictures", 9)
    assert "preset few-pictures (choose another with --preset)" in said
    study, said = asked_of(monkeypatch, *begin, *own, "--preset", "digits-mlp")
    assert (study.preset, study.settings["data.size"]) == ("digits-mlp", 9)


def test_an_incomplete_study_has_an_exit_code_of_its_own(tmp_path, monkeypatch):
    claim = Claim("score", "It falls", "error", "better", 0.5)
    result = StudyResult(
        question="Does it help?",
        task="image",
        preset="digits-mlp",
        split="test",
        seeds=1,
        arms={"alpha0": {"training.alpha": 0.0}, "alpha0.1": {"training.alpha": 0.1}},
        numbers={"error": Number("error (%)", "less")},
        values={"error": {"alpha0": (10.0,), "alpha0.1": (None,)}},
        claims=(make_result(claim, "alpha0.1", "alpha0", (None,)),),
        shown="alpha0.1",
        sentences=(),
        missing={"alpha0.1-seed0": "killed by signal 9 (Killed)"},
    )
    monkeypatch.setattr("lsk_engine.studies.run_study.run_study", lambda *_, **__: result)
    for more in ((), ("--json",)):
        done = study("smoothing", "--task", "image", "--out", tmp_path, *more)
        assert done.exit_code == 6
        assert "killed by signal 9" in done.stdout


@pytest.mark.parametrize("command", [("study", "smoothing"), ("sweep-distillation",)], ids=" ".join)
def test_epochs_and_steps_are_one_too_many(command):
    both = ("--set", "training.epochs=2", "--set", "training.steps=3")
    done = CliRunner().invoke(cli, [*command, "--task", "image", *both])
    assert isinstance(done.exception, InputError)
    assert "training.epochs=2 and training.steps=3" in str(done.exception)
