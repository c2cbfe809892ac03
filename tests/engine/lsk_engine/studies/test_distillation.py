"""The study of teachers and students: its runs, curves and figure."""

import csv
import json

import keras
import msgspec
import numpy as np
import pytest

import ls_keras
from ls_base.errors import InputError, LsKerasError
from ls_base.files import write_json
from lsk_engine.progress import Reporter
from lsk_engine.runs.run_directory import RunDirectory
from lsk_engine.settings.resolving import restore_config
from lsk_engine.studies import run_study as studies
from lsk_engine.studies.distillation import CLAIMS, distillation_study, draw_figure
from stored_files import metrics
from tiny_points import TinyPoints

pytestmark = pytest.mark.tensorflow

SPLITS = {"validation": 50.0, "test": 70.0}


@pytest.fixture(autouse=True)
def trained(monkeypatch):
    """Replaces trainings by initial weights and made-up scores. Returns the names of the runs."""
    names = []
    task = TinyPoints()

    def run_jobs(jobs, executor, reporter, *, on_finish, keep_going):
        data = task.load_data(None)
        waiting = [job for job in jobs if not job.finished]
        while waiting:
            job = next(job for job in waiting if job.ready)
            waiting.remove(job)
            job.create()
            resolved = restore_config(task, job.run.read_config())
            keras.utils.set_random_seed(len(names))
            job.run.save_model(task.build_model(resolved, data))
            scores = {s: {"right": n + len(names), "nll": 1.0} for s, n in SPLITS.items()}
            found = metrics({"right": "right"}, **scores, better={"right": "more"})
            write_json(job.run.metrics_file, found)
            on_finish(job)
            names.append(job.name)
        return {}

    monkeypatch.setattr(studies, "run_jobs", run_jobs)
    return names


def sweep(directory, *, settings=None, **changes):
    grid = {"alphas": (0.0, 0.5), "temperatures": (1.0, 4.0), "seeds": 1, "split": "validation"}
    settings = {"model.width": 4, "teacher.model.width": 16, **(settings or {})}
    definition = distillation_study("points", settings=settings, **{**grid, **changes})
    silent = Reporter(verbosity=-1)
    result = studies.run_study(definition, TinyPoints(), directory, silent, command=[])
    return result, *draw_figure(result, directory, "points")


def gammas_of(run, temperatures):
    inputs, labels = TinyPoints().load_data(None).splits["train"].gather(np.arange(90), None)
    logits = RunDirectory(run).load_model().predict(inputs, verbose=0)
    return ls_keras.equivalent_smoothing(labels, logits, temperatures, from_logits=True)


def test_a_sweep_yields_four_curves_and_reuses_its_runs(tmp_path, trained):
    out = tmp_path / "out"
    result, score, rows = sweep(out)
    assert score == "right"
    assert len(trained) == 7
    assert len(rows) == 8
    at = {(row["curve"], row["alpha"], row["temperature"]): row for row in rows}
    for row in rows:
        stored = json.loads((out / row["run"] / "metrics.json").read_text())
        assert row["right"] == stored["validation"]["right"]
    for curve in ("teacher", "student alone"):
        assert [at[curve, a, 1.0]["gamma"] for a in (0.0, 0.5)] == [0.0, 0.5]
    hard = out / "teachers" / "alpha0-seed0"
    gammas = [at["student of hard teacher", 0.0, t]["gamma"] for t in (1.0, 4.0)]
    np.testing.assert_allclose(gammas, gammas_of(hard, [1.0, 4.0]), rtol=1e-4)
    gamma = at["student of smoothed teacher", 0.5, 1.0]["gamma"]
    assert gamma != pytest.approx(gammas[0])
    assert gamma == pytest.approx(gammas_of(hard.with_name("alpha0.5-seed0"), 1.0), rel=1e-4)
    shared = at["student of smoothed teacher", 0.0, 1.0]
    assert shared["run"] == at["student of hard teacher", 0.0, 1.0]["run"]
    student = RunDirectory(out / "runs" / "teacher_alpha0.5-T1-seed0").read_config()
    assert student["training"]["alpha"] == 0
    assert student["model"]["width"] == 4
    assert student["distillation"]["teacher"].endswith("teachers/alpha0.5-seed0")
    assert student["distillation"]["beta"] == 1
    assert student["distillation"]["cache"] is None
    with (out / "distillation-sweep.csv").open() as file:
        assert [float(row["gamma"]) for row in csv.DictReader(file)] == [r["gamma"] for r in rows]
    assert (out / "distillation-sweep.png").read_bytes().startswith(b"\x89PNG")

    # Claims are about students only.
    (arm,) = {one.arm for one in result.claims}
    assert arm == "teacher_alpha0.5-T1"
    assert [one.name for one in result.claims] == [claim.name for claim in CLAIMS]
    found = {one.name: one.differences[0] for one in result.claims}
    smoothed = at["student of smoothed teacher", 0.5, 1.0]
    assert found["teaching"] == smoothed["right"] - shared["right"]
    assert found["teachers"] == at["teacher", 0.5, 1.0]["right"] - at["teacher", 0.0, 1.0]["right"]
    assert found["transfer"] == found["teaching"] - found["teachers"]

    # A finer grid and another split reuse the runs.
    trained.clear()
    _, _, more = sweep(out, temperatures=(1.0, 2.0, 4.0), split="test")
    assert trained == ["teacher_alpha0-T2-seed0"]
    gammas = [r["gamma"] for r in more if r["curve"] == "student of hard teacher"]
    np.testing.assert_allclose(gammas, gammas_of(hard, [1.0, 2.0, 4.0]), rtol=1e-4)
    test = json.loads((hard / "metrics.json").read_text())["test"]["right"]
    assert next(row for row in more if row["curve"] == "teacher")["right"] == test

    # Other settings are refused.
    with pytest.raises(InputError, match=r"the settings of the study in .*model.width=5"):
        sweep(out, settings={"model.width": 5})


def test_a_failed_student_leaves_out_its_own_point(tmp_path):
    result, _, rows = sweep(tmp_path)
    failed = "teacher_alpha0-T4"
    values = {
        name: {**of_arms, failed: (None,)} if failed in of_arms else of_arms
        for name, of_arms in result.values.items()
    }
    (tmp_path / "distillation-sweep.png").unlink()
    _, left = draw_figure(msgspec.structs.replace(result, values=values), tmp_path, "points")
    assert left == [row for row in rows if row["run"] != f"runs/{failed}-seed0"]
    assert len(left) == len(rows) - 1
    assert (tmp_path / "distillation-sweep.png").exists()
    none = {name: dict.fromkeys(of_arms, (None,)) for name, of_arms in values.items()}
    with pytest.raises(LsKerasError, match="Expected a finished run"):
        draw_figure(msgspec.structs.replace(result, values=none), tmp_path, "points")


def test_students_of_a_teacher_share_its_logits(tmp_path):
    sweep(tmp_path, alphas=(0.0,), temperatures=(2.0, 3.0), cache=True)
    for temperature in (2, 3):
        student = RunDirectory(tmp_path / "runs" / f"teacher_alpha0-T{temperature}-seed0")
        cache = student.read_config()["distillation"]["cache"]
        assert cache == str(tmp_path / "teachers" / "alpha0-seed0" / "logits")


def test_gamma_is_measured_again_for_a_changed_model(tmp_path):
    grid = {"alphas": (0.0,), "temperatures": (2.0,)}
    before = sweep(tmp_path, **grid)[2][1]
    assert before["curve"] == "student of hard teacher"
    teacher = RunDirectory(tmp_path / "teachers" / "alpha0-seed0")
    model = teacher.load_model()
    model.set_weights([0 * w for w in model.get_weights()])
    teacher.save_model(model)
    after = sweep(tmp_path, **grid)[2][1]["gamma"]
    assert before["gamma"] != pytest.approx(1.0)
    assert after == pytest.approx(1.0)  # the same mass on each class


def test_without_gamma_there_are_no_curves(tmp_path):
    grid = {"alphas": (0.0,), "temperatures": (2.0,)}
    sweep(tmp_path, **grid)
    (tmp_path / "teachers" / "alpha0-seed0" / "model.keras").unlink()
    with pytest.raises(LsKerasError, match="γ of the teachers. Received: Expected a finished"):
        sweep(tmp_path, **grid)


def test_invalid_grids_are_refused():
    with pytest.raises(InputError, match="α = 0 among the alphas.*0.1"):
        distillation_study("image", alphas=(0.1,))
    with pytest.raises(InputError, match="at least one temperature"):
        distillation_study("image", temperatures=())
