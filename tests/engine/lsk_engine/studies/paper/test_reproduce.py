"""Results of the paper from stub studies that train nothing."""

import json

import msgspec
import pytest

from claim_results import make_result
from ls_base.errors import InputError, LsKerasError
from ls_base.files import write_json
from lsk_engine.progress import Reporter
from lsk_engine.runs.run_directory import RunDirectory
from lsk_engine.runs.stored_run import StoredRun
from lsk_engine.settings.resolving import resolve_config
from lsk_engine.studies.arms import arms_of
from lsk_engine.studies.measurements import numbers_of
from lsk_engine.studies.paper import reproduce as module
from lsk_engine.studies.paper.paper_studies import STUDIES
from lsk_engine.studies.paper.reproduce import (
    costs_of,
    draw_information,
    parts_of,
    reproduce,
    study_of,
)
from lsk_engine.studies.paper.results import RESULTS
from lsk_engine.studies.study_result import StudyResult
from lsk_engine.tasks.registry import load_task
from stored_files import metrics
from tiny_task import TinyTask

QUIET = Reporter(verbosity=-1)


@pytest.fixture(autouse=True)
def run(monkeypatch):
    """Replaces studies: the score is 10 − 10 α. Returns the studies that were run."""
    ran = {}

    def run_study(study, task, directory, reporter, *, command, jobs, scheduler):
        ran[directory.name] = study
        arms = {arm.name: arm for arm in arms_of(study, task)}
        numbers = numbers_of(study.measures)
        of_task = msgspec.structs.replace(
            next(iter(numbers.values())), label="errors", better="less"
        )
        alphas = {name: arm.config.training.alpha for name, arm in arms.items()}
        values = {
            number: {name: (10 - 10 * alpha,) * study.seeds for name, alpha in alphas.items()}
            for number in ("errors", *numbers)
        }
        decided = [
            make_result(claim, name, arm.baseline, (-1.0,) * study.seeds)
            for claim in study.claims
            for name, arm in arms.items()
            if arm.baseline is not None and claim.axis in (None, *arm.baselines)
        ]
        return StudyResult(
            question=study.question,
            task=study.task,
            preset=study.preset,
            split=study.split,
            seeds=study.seeds,
            arms={name: dict(arm.values) for name, arm in arms.items()},
            numbers={"errors": of_task, **numbers},
            values=values,
            claims=tuple(decided),
            shown=decided[0].arm,
            sentences=(),
            missing={},
            notes=("made up",),
        )

    monkeypatch.setattr(module, "run_study", run_study)
    return ran


def reproduce_demo(*names, directory, only=(), **options):
    chosen = {one: parts for name in names for one, parts in parts_of(name, "demo", only).items()}
    return reproduce(chosen, "demo", directory, QUIET, command=[], **options)


def test_a_result_has_the_papers_numbers_and_verdicts(tmp_path):
    (table,) = reproduce_demo("table2", directory=tmp_path, seeds=2)
    assert table.result.paper[0] == "CIFAR-10, AlexNet: 86.8 ± 0.2 → 86.7 ± 0.3 %"
    assert [one.name for one in table.claims_of("images")] == ["score"]
    stored = json.loads((tmp_path / "table2.json").read_text())
    assert stored == json.loads(json.dumps(table.to_dict()))
    (decided,) = stored["studies"]["images"]["claims"]
    assert (decided["name"], decided["paper"], decided["mean"]) == ("score", 0.1, -1.0)


def test_results_share_their_studies(tmp_path, run, monkeypatch):
    drawn = []
    monkeypatch.setattr(
        "lsk_engine.studies.paper.reproduce.draw",
        lambda figure, part, result, folder, file, reporter: drawn.append(file.name) or file,
    )
    every = reproduce_demo("all", directory=tmp_path, seeds=1)
    assert [one.result.name for one in every] == list(RESULTS)
    assert {*run} == {*STUDIES["demo"]}
    assert {study.seeds for study in run.values()} == {1}
    assert {*drawn} == {
        *("figure1-images.png", "figure2-images.png", "figure3-text.png", "figure4-text.png"),
        *("figure5-teachers.png", "figure6-images.png"),
    }
    assert tmp_path / "figure3-text.png" in every[5].figures


def test_a_figure_that_cannot_be_drawn_is_left_out(tmp_path, monkeypatch):
    def draw(*given):
        raise LsKerasError("Expected a finished run")

    monkeypatch.setattr("lsk_engine.studies.paper.reproduce.draw", draw)
    (one,) = reproduce_demo("figure1", directory=tmp_path)
    assert one.figures == ()


def test_a_failed_study_is_reported_and_the_others_continue(tmp_path, run, monkeypatch):
    works = module.run_study

    def run_study(study, task, *given, **options):
        if study.task == "speech":
            raise LsKerasError("Expected every training to end well")
        return works(study, task, *given, **options)

    monkeypatch.setattr(module, "run_study", run_study)
    (table,) = reproduce_demo("table1", directory=tmp_path, seeds=1)
    assert [*table.found] == ["images", "text"]
    assert table.missing == {"speech": "Expected every training to end well"}
    assert [*json.loads((tmp_path / "table1.json").read_text())["missing"]] == ["speech"]
    before = (tmp_path / "table1.json").read_bytes()
    with pytest.raises(LsKerasError, match="to end well"):
        reproduce_demo("table1", directory=tmp_path, only=["speech"])
    assert (tmp_path / "table1.json").read_bytes() == before  # what was found stays


def test_studies_of_an_earlier_call_are_kept(tmp_path):
    file = tmp_path / "table1.json"
    reproduce_demo("table1", directory=tmp_path, seeds=1)
    every = json.loads(file.read_text())
    reproduce_demo("table1", directory=tmp_path, only=["text"], seeds=2)
    now = json.loads(file.read_text())
    assert {*now["studies"]} == {*every["studies"]} == {"images", "text", "speech"}
    assert now["studies"]["speech"] == every["studies"]["speech"]
    file.write_text("[]")
    reproduce_demo("table1", directory=tmp_path, only=["text"], seeds=1)
    assert [*json.loads(file.read_text())["studies"]] == ["text"]


def test_settings_apply_to_teachers_too(tmp_path, run):
    reproduce_demo("mnist", "table2", directory=tmp_path, settings={"training.steps": "7"}, seeds=1)
    assert run["mnist"].settings["teacher.training.steps"] == "7"
    assert "teacher.training.steps" not in run["images"].settings
    arms = arms_of(run["mnist"], load_task("image"))
    assert {arm.config.training.steps for arm in arms} == {7}
    assert {arm.teacher.config.training.steps for arm in arms if arm.teacher} == {7}
    settings = {"training.steps": "7", "teacher.training.steps": "5", "distillation.beta": "0.5"}
    reproduce_demo("mnist", directory=tmp_path, settings=settings, seeds=1)
    for arm in arms_of(run["mnist"], load_task("image")):
        if arm.teacher:
            steps = (arm.config.training.steps, arm.teacher.config.training.steps)
            assert (*steps, arm.distillation["beta"]) == (7, 5, 0.5)


def test_epochs_override_the_steps_of_a_study(tmp_path, run):
    reproduce_demo(
        "table1", "mnist", directory=tmp_path, settings={"training.epochs": "2"}, seeds=1
    )
    for name in ("speech", "mnist"):
        for arm in arms_of(run[name], load_task(run[name].task)):
            for one in filter(None, (arm, arm.teacher)):
                assert (one.config.training.epochs, one.config.training.steps) == (2, None)


def test_data_are_read_from_the_data_folder(tmp_path):
    part = STUDIES["data"]["speech"]
    for folder in (None, tmp_path):
        with pytest.raises(InputError, match="--data-dir DIR with an4_mfcc/an4_mfcc13.npz in it"):
            study_of(part, folder)
    (tmp_path / "an4_mfcc").mkdir()
    (tmp_path / "an4_mfcc" / "an4_mfcc13.npz").touch()
    study = study_of(part, tmp_path)
    assert study.settings["data.source"] == str(tmp_path / "an4_mfcc" / "an4_mfcc13.npz")
    assert study.seeds == part.study.seeds
    with pytest.raises(InputError, match="--data-dir DIR with"):
        reproduce(parts_of("table1", "data"), "data", tmp_path / "out", QUIET, command=[])
    assert not (tmp_path / "out").exists()


def test_invalid_options_are_refused_before_a_study_runs(tmp_path, run):
    with pytest.raises(InputError, match="a result of the paper. Near matches: table1"):
        parts_of("tabel1", "demo")
    for options, message in (
        ({"seeds": 0}, "at least one seed"),
        ({"jobs": 0}, "at least one job"),
        ({"settings": {"training.alpha": 1}}, "training.alpha in both"),
        ({"settings": {"model.wdith": 1}}, "Near matches: model.width"),
    ):
        with pytest.raises(InputError, match=message):
            reproduce_demo("table2", directory=tmp_path / "out", **options)
    assert not run
    assert not (tmp_path / "out").exists()


def test_costs_include_finished_runs(tmp_path):
    part = STUDIES["demo"]["images"]
    first = costs_of({"images": part}, tmp_path, seeds=2)
    assert (first.minutes, first.took, first.runs, first.finished) == (2 * part.minutes, 0, 4, 0)
    run = RunDirectory(tmp_path / "images" / "runs" / "alpha0.1-seed1")
    run.path.mkdir(parents=True)
    run.write_json(run.metrics_file, {**metrics(), "seconds": 90.0})
    now = costs_of({"images": part}, tmp_path, seeds=2)
    assert (now.took, now.finished) == (1.5, 1)
    assert sum(p.minutes for p in STUDIES["demo"].values()) <= 40


def test_each_run_has_a_curve_of_information(tmp_path, monkeypatch):
    drawn = []
    monkeypatch.setattr("ls_keras.plots.save_plot", lambda plot, curves, file: drawn.append(curves))
    runs = []
    for number, alpha in enumerate((0.0, 0.1, 0.1)):
        config = resolve_config(TinyTask(), None, {"training.alpha": alpha})
        run = RunDirectory.create(tmp_path / f"{number}", config.to_dict())
        information = {"mutual_information": 1.0 + number, "low": 0.9, "high": 9.0}
        point = {"curve": "", "step": 10, "num_examples": 60, **information}
        write_json(run.information_file.with_suffix(".json"), [point])
        runs.append(StoredRun(run, TinyTask(), config))
    draw_information(runs, tmp_path / "figure.png")
    (curves,) = drawn
    values = {name: points[0]["mutual_information"] for name, points in curves.items()}
    assert values == {"α = 0": 1.0, "α = 0.1 (1)": 2.0, "α = 0.1 (2)": 3.0}
