"""Studies whose trainings are processes that write known scores."""

import io
import json
import sys

import pytest

from ls_base.errors import InputError, LsKerasError
from lsk_engine.progress import Reporter
from lsk_engine.reports.score_tables import arm_table, verdict_table
from lsk_engine.runs.locking import hold_lock
from lsk_engine.runs.run_directory import RunDirectory
from lsk_engine.runs.stored_run import model_sha256
from lsk_engine.studies.claims import Claim
from lsk_engine.studies.run_study import run_study
from lsk_engine.studies.smoothing import CLAIMS, smoothing_question
from lsk_engine.studies.study import Study
from lsk_engine.studies.study_result import RESULTS_FILE, read_study_result
from lsk_engine.tasks.registry import load_task
from stored_files import metrics

# The error falls by 2 points at α = 0.1, plus or minus 0.1, and by nothing at α = 0.2; NLL rises.
TRAINING = """
import json, pathlib, sys
run = pathlib.Path(sys.argv[1])
config = json.loads((run / "config.json").read_text())
training = config["training"]
alpha, seed = training["alpha"], training["seed"]
if (alpha, seed) == FAILING:
    print("Error: Expected a finite loss. Received: nan", file=sys.stderr)
    sys.exit(2)
error = 10 + 5 * seed - {0: 0, 0.1: 2 + 0.1 * (seed - 1), 0.2: 3.0 * (seed - 1)}[alpha]
if "distillation" in config:  # students of smoothed teachers err by 3 to 3.2 points more
    error += (3 + 0.1 * seed) * ("alpha0.1" in config["distillation"]["teacher"])
nll = 0.3 + alpha + 0.001 * seed * alpha
scores = {"top_1_error": error, "accuracy": 1 - error / 100, "nll": nll}
metrics = METRICS
metrics["validation"] = metrics["test"] = scores
(run / "model.keras").write_bytes(b"model")
(run / "metrics.json").write_text(json.dumps(metrics))
"""
METRICS = metrics({"top_1_error": "top-1 error (%)"}, better={"top_1_error": "less"})


def command(failing=None, metrics=METRICS):
    code = TRAINING.replace("FAILING", repr(failing)).replace("METRICS", repr(metrics))
    return [sys.executable, "-S", "-c", code]


def reporter():
    return Reporter(stream=io.StringIO())


@pytest.fixture(scope="module")
def task():
    return load_task("image")


def study(**changes):
    values = {"alphas": (0.1, 0.2), "measures": ("accuracy",), **changes}
    return smoothing_question("image", **values)


def verdicts(result):
    return {(one.name, one.arm): one.verdict for one in result.claims}


def test_settings_without_effect_are_reported_once(tmp_path, task):
    log = io.StringIO()
    settings = {"model.name": "resnet20", "training.keep_every": 300}
    definition = study(seeds=2, settings=settings, preset="digits-mlp")
    run_study(definition, task, tmp_path / "out", Reporter(stream=log), command=command(), jobs=4)
    lines = [line for line in log.getvalue().splitlines() if line.startswith("Warning: ")]
    assert lines == [
        "Warning: model.width=256 has no effect with model.name=resnet20 (preset digits-mlp)",
        "Warning: training.keep_every=300 keeps those of every 1,500th step only: "
        "they are saved every training.checkpoint_every=500 steps",
    ]


def test_a_study_yields_numbers_verdicts_and_sentences(tmp_path, task):
    result = run_study(study(), task, tmp_path / "out", reporter(), command=command(), jobs=4)
    assert {run.name for run in (tmp_path / "out" / "runs").iterdir()} == {
        f"alpha{alpha}-seed{seed}" for alpha in ("0", "0.1", "0.2") for seed in range(3)
    }
    assert result.values["top_1_error"]["alpha0"] == (10, 15, 20)
    assert result.values["top_1_error"]["alpha0.1"] == pytest.approx((8.1, 13, 17.9))
    assert verdicts(result) == {
        ("score", "alpha0.1"): "supported",
        ("score", "alpha0.2"): "inconclusive",
        ("likelihood", "alpha0.1"): "supported",
        ("likelihood", "alpha0.2"): "supported",
    }
    assert result.shown == "alpha0.1"
    score, likelihood, advice = result.sentences
    # Differences −1.9, −2, −2.1: t of 2 degrees of freedom is 4.303, standard error 0.1/√3.
    assert score == (
        "Smoothing improves the task's score: supported. At α 0.1, top-1 error (%) changed by -2 "
        "(95 % CI -2.25 to -1.75, 3 seeds)."
    )
    assert likelihood.startswith("Smoothing reduces the likelihood of the labels: supported.")
    assert advice.startswith("Use α 0.1")
    stored = json.loads((tmp_path / "out" / RESULTS_FILE).read_text())
    assert stored == json.loads(json.dumps(result.to_dict()))
    assert stored["claims"][-1]["paper"] == 0.052
    assert likelihood.endswith("3 seeds; paper: +0.052).")


def test_settings_are_combined_and_the_printed_result_fits_80_columns(tmp_path, task):
    definition = study(smoothings=("uniform", "unigram", "neighborhood"), seeds=1)
    result = run_study(definition, task, tmp_path / "out", reporter(), command=command(), jobs=4)
    lines = str(result).splitlines()
    assert max(map(len, lines)) <= 80
    assert lines[2] == "test, 1 seed"
    assert lines[3].startswith("top-1 error (%): 10 (hard), 8.1 (α 0.1, uniform), ")
    assert {one.verdict for one in result.claims} == {"inconclusive"}
    assert result.sentences[-1] == "These runs do not show which α to use."


def test_finished_runs_are_reused_and_further_seeds_are_added(tmp_path, task):
    first = run_study(study(seeds=2), task, tmp_path, reporter(), command=command(), jobs=4)
    kept = (tmp_path / "runs" / "alpha0.1-seed1" / "environment.json").read_bytes()
    content = (tmp_path / RESULTS_FILE).read_bytes()
    log = reporter()
    again = run_study(study(seeds=2), task, tmp_path, log, command=["false"])
    assert "6 of 6 runs are finished already" in log.stream.getvalue()
    assert again == first
    assert (tmp_path / RESULTS_FILE).read_bytes() == content
    more = run_study(study(), task, tmp_path, reporter(), command=command(), jobs=4)
    assert more.seeds == 3
    assert (tmp_path / "runs" / "alpha0.1-seed1" / "environment.json").read_bytes() == kept


def test_a_failed_run_is_reported_and_its_claims_are_not_decided(tmp_path, task):
    log = reporter()
    result = run_study(study(), task, tmp_path, log, command=command((0.1, 1)), jobs=4)
    assert "Warning: alpha0.1-seed1" in log.stream.getvalue()
    assert list(result.missing) == ["alpha0.1-seed1"]
    assert "Expected a finite loss" in result.missing["alpha0.1-seed1"]
    assert verdicts(result)["score", "alpha0.1"] == "not measured"
    assert verdicts(result)["likelihood", "alpha0.2"] == "supported"
    stored = json.loads((tmp_path / RESULTS_FILE).read_text())
    assert stored["values"]["top_1_error"]["alpha0.1"][1] is None
    with pytest.raises(LsKerasError, match="alpha0.1-seed1.*a finite loss"):
        run_study(study(), task, tmp_path, reporter(), command=command((0.1, 1)), fail_fast=True)
    repaired = run_study(study(), task, tmp_path, reporter(), command=command())
    assert not repaired.missing
    assert verdicts(repaired)["score", "alpha0.1"] == "supported"


def test_the_measure_distillation_trains_a_student_of_each_run(tmp_path, task):
    """Students are trained after their teachers, and kept as all runs are."""
    options = {"alphas": (0.1,), "measures": ("accuracy", "distillation")}
    definition = study(**options, student={"model.width": 8})
    result = run_study(definition, task, tmp_path, reporter(), command=command(), jobs=2)
    students = {run.name for run in (tmp_path / "students").iterdir() if run.is_dir()}
    assert students == {run.name for run in (tmp_path / "runs").iterdir()}
    config = RunDirectory(tmp_path / "students" / "alpha0.1-seed1").read_config()
    assert config["distillation"]["teacher"] == str(tmp_path / "runs" / "alpha0.1-seed1")
    assert (config["training"]["alpha"], config["training"]["seed"]) == (0, 1)
    assert config["model"]["width"] == 8
    assert verdicts(result)["teaching", "alpha0.1"] == "supported"
    (teaching,) = (one for one in result.claims if one.name == "teaching")
    assert teaching.differences == pytest.approx((3, 3.1, 3.2))
    assert result.numbers["student_score"].label == "student top-1 error (%)"
    again = run_study(definition, task, tmp_path, reporter(), command=["false"])
    assert again == result
    with pytest.raises(InputError, match=r"settings of the study in .*students.*width=8.*width=9"):
        run_study(
            study(**options, student={"model.width": 9}), task, tmp_path, reporter(), command=[]
        )


def test_a_failed_student_is_reported(tmp_path, task):
    options = {"alphas": (0.1,), "measures": ("accuracy", "distillation"), "seeds": 2}
    broken = command((0.1, 1))
    result = run_study(study(**options), task, tmp_path, reporter(), command=broken, jobs=2)
    assert {*result.missing} == {"alpha0.1-seed1", "students/alpha0.1-seed1"}
    (teaching,) = (one for one in result.claims if one.name == "teaching")
    assert teaching.verdict == "not measured"


def test_without_a_finished_run_there_is_no_result(tmp_path, task):
    with pytest.raises(LsKerasError, match="alpha0-seed0"):
        run_study(study(seeds=1), task, tmp_path, reporter(), command=["false"])
    assert not (tmp_path / RESULTS_FILE).exists()


def test_a_score_without_direction_has_no_claim(tmp_path, task):
    silent = metrics({"top_1_error": "top-1 error (%)"})
    result = run_study(study(), task, tmp_path, reporter(), command=command(metrics=silent), jobs=4)
    assert {name for name, _ in verdicts(result)} == {"accuracy", "likelihood"}
    assert "top-1 error (%)" in str(result)
    assert result.sentences[-1].startswith("Use α 0.1")


def test_the_folder_of_another_study_is_refused(tmp_path, task):
    run_study(study(seeds=1), task, tmp_path, reporter(), command=command(), jobs=4)
    for changes, message in (
        ({"settings": {"model.width": 8}}, r"settings.model.width=None.*settings.model.width=8"),
        ({"smoothings": ("unigram", "uniform")}, "axes="),
    ):
        with pytest.raises(InputError, match=f"the settings of the study in .*{message}"):
            run_study(study(**changes), task, tmp_path, reporter(), command=command())
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "thesis.txt").touch()
    with pytest.raises(InputError, match="a new or empty folder, or one of a study"):
        run_study(study(), task, tmp_path / "other", reporter(), command=command())


def test_a_study_whose_trainings_fail_at_once_leaves_no_folder(tmp_path, task):
    for code in ("import sys; sys.exit('Error: Expected a model. Received: none')", "1 / 0"):
        with pytest.raises(LsKerasError, match="the same command resumes it"):
            run_study(
                study(seeds=1),
                task,
                tmp_path / "out",
                reporter(),
                command=[sys.executable, "-S", "-c", code],
            )
        assert not (tmp_path / "out").exists()
    begun = "import pathlib, sys; (pathlib.Path(sys.argv[1]) / 'checkpoints' / 'a').touch(); 1 / 0"
    for _ in range(2):
        with pytest.raises(LsKerasError, match="the same command resumes it"):
            run_study(
                study(seeds=1),
                task,
                tmp_path / "out",
                reporter(),
                command=[sys.executable, "-S", "-c", begun],
            )
        begun = "1 / 0"
        assert (tmp_path / "out" / "study.json").exists()


def test_two_processes_in_one_folder_are_refused(tmp_path, task):
    with (
        hold_lock(tmp_path / ".lock", wait=False),
        pytest.raises(InputError, match="no other study uses"),
    ):
        run_study(study(), task, tmp_path, reporter(), command=command())


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"measures": ("acuracy",)}, "Expected a measure. Near matches: accuracy"),
        ({"measures": ("beam",)}, "without search. Received: beam for task 'image'"),
        ({"settings": {"model.widht": 8}}, "Near matches: model.width"),
        (
            {"claims": (Claim("c", "It falls", "ece_calibrated", "better", 0.01),)},
            r"what is measured \(ece_calibrated belongs to calibration\). Received: accuracy",
        ),
        (
            {"claims": (Claim("c", "It falls", "nll", "better", 0.01, axis="training.alhpa"),)},
            "first of a grid. Near matches: training.alpha",
        ),
        (
            {"claims": (Claim("c", "It falls", "relative_spred", "better", 0.01),)},
            "what is measured. .*Received: 'relative_spred'",
        ),
    ],
)
def test_invalid_studies_are_refused_before_the_folder_is_created(tmp_path, task, changes, message):
    if "relative_spred" in message:
        changes = {**changes, "measures": ("representation",)}
    with pytest.raises(InputError, match=message):
        run_study(study(**changes), task, tmp_path / "out", reporter(), command=command())
    with pytest.raises(InputError, match="at least one job"):
        run_study(study(), task, tmp_path / "out", reporter(), command=command(), jobs=0)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"split": "tset"}, "a split of validation, test. Received: 'tset'"),
        (
            {"claims": (Claim("c", "It falls", "top_2_error", "better", 1),)},
            "Near matches: top_1_error.*Received: 'top_2_error'",
        ),
    ],
)
def test_unknown_splits_and_scores_are_reported_after_the_first_run(
    tmp_path, task, changes, message
):
    with pytest.raises(InputError, match=message):
        run_study(study(seeds=1, **changes), task, tmp_path, reporter(), command=command())
    assert len(list(tmp_path.glob("runs/*/metrics.json"))) == 1
    run_study(study(seeds=1), task, tmp_path, reporter(), command=command(), jobs=4)
    with pytest.raises(InputError, match=message):  # with all runs finished
        run_study(study(seeds=1, **changes), task, tmp_path, reporter(), command=["false"])
    result = run_study(study(seeds=1), task, tmp_path, reporter(), command=["false"])
    assert result.values["top_1_error"]["alpha0"] == (10,)


def test_any_setting_can_be_an_axis(tmp_path, task):
    claim = Claim("likelihood", "It falls with the width", "nll", "better", 0.01)
    definition = Study(
        question="Does width help?",
        task="image",
        axes={"model.width": (8, 16)},
        measures=("accuracy",),
        claims=(claim,),
    )
    result = run_study(definition, task, tmp_path, reporter(), command=command(), jobs=4)
    assert verdicts(result) == {("likelihood", "width16"): "equivalent"}
    assert len(result.sentences) == 1


@pytest.mark.parametrize(
    ("axis", "values"),
    [
        ("model.width", (8, 16)),
        ("training.alpha", (0.1, 0.0)),
        ("training.alpha", (0.1, 0.2)),
    ],
)
def test_without_claims_only_smoothing_against_hard_targets_is_decided(
    tmp_path, task, axis, values
):
    definition = Study(question="?", task="image", axes={axis: values}, measures=("accuracy",))
    result = run_study(definition, task, tmp_path, reporter(), command=command(), jobs=4)
    assert result.claims == ()
    (sentence,) = result.sentences
    assert sentence.startswith(f"No claim is decided: {axis} does not compare an α with hard")
    assert len(result.values["top_1_error"]) == 2


def test_a_claim_without_measurements_is_not_decided(tmp_path, task):
    """The stub has no model, so activations cannot be measured; other claims are decided."""
    claims = (
        Claim("clusters", "They are tighter", "relative_spread", "better", 0.01),
        Claim("score", "It falls", "score", "better", 0.5),
    )
    definition = study(measures=("accuracy", "representation"), claims=claims)
    result = run_study(definition, task, tmp_path, reporter(), command=command(), jobs=4)
    assert verdicts(result)["clusters", "alpha0.1"] == "not measured"
    assert verdicts(result)["score", "alpha0.1"] == "supported"
    assert "alpha0-seed0, representation" in result.missing
    stored = json.loads((tmp_path / RESULTS_FILE).read_text())
    assert stored["values"]["relative_spread"]["alpha0"] == [None] * 3


def test_numbers_of_the_training_split_have_its_name(tmp_path, task):
    options = {"alphas": (0.1,), "seeds": 2}
    run_study(study(**options), task, tmp_path, reporter(), command=command(), jobs=4)
    for path in (tmp_path / "runs").iterdir():
        run = RunDirectory(path)
        spread = 1 - run.read_config()["training"]["alpha"]
        numbers = {split: {"relative_spread": spread} for split in ("train", "validation")}
        measured = {"schema": 1, "model_sha256": model_sha256(run), "numbers": numbers}
        run.write_json(run.measured_file("representation"), measured)
    definition = study(**options, measures=("accuracy", "representation"))
    result = run_study(definition, task, tmp_path, reporter(), command=["false"])
    assert result.values["relative_spread"]["alpha0.1"] == (0.9, 0.9)
    assert result.numbers["relative_spread"].split == "train"
    assert result.numbers["top_1_error"].split is None
    assert "\ntrain spread in classes: " in str(result)
    assert any(
        "train spread in classes changed by -0.1" in sentence for sentence in result.sentences
    )
    stored = read_study_result(tmp_path)
    heads = [head for head, _ in arm_table(stored).headings()]
    assert {"top-1 error (%) ↓", "train spread in classes ↓"} <= {*heads}
    claims = [cell.text for cell, *_ in verdict_table(stored, stored.claims).rows()]
    assert [claim for claim in claims if claim.startswith("train ")]
    before = json.loads((tmp_path / RESULTS_FILE).read_text())
    for number in before["numbers"].values():
        del number["split"]
    (tmp_path / RESULTS_FILE).write_text(json.dumps(before))
    assert read_study_result(tmp_path).numbers["relative_spread"].split is None


@pytest.mark.parametrize("seeds", [1, 2])
def test_a_run_with_other_settings_is_refused(tmp_path, task, seeds):
    run_study(study(seeds=1), task, tmp_path, reporter(), command=command(), jobs=4)
    run = RunDirectory(tmp_path / "runs" / "alpha0.1-seed0")
    config = run.read_config()
    config["training"]["epochs"] = 77  # `lsk train --resume` lets that change
    run.write_json(run.config_file, {"schema": 2, **config})
    with pytest.raises(InputError, match=r"alpha0.1-seed0 to have the study's .*epochs=77"):
        run_study(study(seeds=seeds), task, tmp_path, reporter(), command=["false"])
    assert len(list((tmp_path / "runs").iterdir())) == 3  # no run was started


def test_runs_on_changed_data_are_refused(tmp_path, task):
    run_study(study(seeds=1), task, tmp_path, reporter(), command=command(), jobs=4)
    for name, digest in (("alpha0", "a"), ("alpha0.1", "a"), ("alpha0.2", "b")):
        run = RunDirectory(tmp_path / "runs" / f"{name}-seed0")
        splits = {"test": {"examples": 1, "labels": 1, "sha256": digest}}
        state = {"schema": 1, "classes": 2, "class_counts": "1 1", "splits": splits}
        run.write_json(run.data_file, state)
    with pytest.raises(InputError, match=r"digits has changed.*alpha0-seed0 and .*alpha0.2-seed0"):
        run_study(study(seeds=1), task, tmp_path, reporter(), command=["false"])
    run_study(study(seeds=1, alphas=(0.1,)), task, tmp_path, reporter(), command=["false"])


def test_data_that_change_during_a_study_are_reported(tmp_path, task):
    keep = """
state = {"schema": 1, "classes": 2, "class_counts": "1 1",
         "splits": {"test": {"examples": 1, "labels": 1, "sha256": str(alpha)}}}
(run / "data.json").write_text(json.dumps(state))
"""
    training = [*command()[:-1], command()[-1] + keep]
    with pytest.raises(InputError, match="digits has changed between them"):
        run_study(study(seeds=1), task, tmp_path, reporter(), command=training, jobs=4)


def test_runs_of_another_backend_are_refused(tmp_path, task, monkeypatch):
    monkeypatch.setenv("KERAS_BACKEND", "tensorflow")
    run_study(study(seeds=1), task, tmp_path, reporter(), command=command(), jobs=4)
    monkeypatch.setenv("KERAS_BACKEND", "jax")
    run_study(study(seeds=1), task, tmp_path, reporter(), command=["false"])
    with pytest.raises(InputError, match=r"alpha0-seed0, tensorflow .*--backend.*Received: jax"):
        run_study(study(seeds=2), task, tmp_path, reporter(), command=["false"])
    assert len(list((tmp_path / "runs").iterdir())) == 3  # no run was started


def test_each_claim_of_the_paper_has_a_measure():
    from lsk_engine.studies.measurements import BEST_SCORE, MEASUREMENTS, SCORE, numbers_of

    known = {SCORE, BEST_SCORE, *numbers_of(list(MEASUREMENTS))}
    assert {claim.measure for claim in CLAIMS} <= known
    assert {claim.against for claim in CLAIMS} - {None} <= known
