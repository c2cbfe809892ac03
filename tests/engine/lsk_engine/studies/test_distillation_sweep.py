"""The sweep over teachers and students: what it trains, keeps and makes of it."""

import csv
import json

import keras
import numpy as np
import pytest

import ls_keras
from ls_base.errors import InputError
from ls_base.files import write_json
from lsk_engine.data import configuration
from lsk_engine.progress import Reporter
from lsk_engine.runs.lock import locked
from lsk_engine.runs.run_directory import RunDirectory
from lsk_engine.studies import distillation_sweep
from lsk_engine.studies.distillation_grid import Grid
from stored_files import metrics
from tiny_points import TinyPoints

pytestmark = pytest.mark.tensorflow

GRID = Grid((0.0, 0.5), (1.0, 4.0), seeds=1)
SPLITS = {"validation": 50.0, "test": 70.0}


@pytest.fixture(autouse=True)
def trained(monkeypatch):
    """In place of trainings: weights as drawn, scores that differ. Returns the runs' names."""
    names = []

    def run_jobs(jobs, command, reporter, *, workers, ended):
        task = TinyPoints()
        data = task.load_data(None)
        for job in (job for job in jobs if not job.finished):
            assert job.ready
            job.create()
            resolved = configuration.from_dict(task, job.run.read_config())
            keras.utils.set_random_seed(len(names))
            job.run.save_model(task.build_model(resolved, data))
            scores = {s: {"right": n + len(names), "nll": 1.0} for s, n in SPLITS.items()}
            write_json(job.run.metrics_file, metrics({"right": "right"}, **scores))
            ended(job)
            names.append(job.name)

    monkeypatch.setattr(distillation_sweep, "run_jobs", run_jobs)
    return names


def sweep(directory, grid=GRID, student=None, **options):
    student, teacher = (
        configuration.resolve(TinyPoints(), None, settings)
        for settings in (student or {"model.width": 4}, {"model.width": 16})
    )
    silent = Reporter(verbosity=-1)
    return distillation_sweep.sweep_distillation(
        TinyPoints(), student, teacher, grid, directory, silent, command=[], **options
    )


def gammas_of(run, temperatures):
    inputs, labels = TinyPoints().load_data(None).splits["train"].gather(np.arange(90), None)
    logits = RunDirectory(run).load_model().predict(inputs, verbose=0)
    return ls_keras.equivalent_smoothing(labels, logits, temperatures, from_logits=True)


def test_the_four_curves_and_what_is_kept_of_them(tmp_path, trained):
    score, rows = sweep(tmp_path / "out")
    assert score == "right"
    assert len(trained) == 7
    assert len(rows) == 8
    at = {(row["curve"], row["alpha"], row["temperature"]): row for row in rows}
    for row in rows:
        metrics = json.loads((tmp_path / "out" / row["run"] / "metrics.json").read_text())
        assert row["right"] == metrics["validation"]["right"]
    for curve in ("teacher", "student alone"):
        assert [at[curve, a, 1.0]["gamma"] for a in (0.0, 0.5)] == [0.0, 0.5]
    hard = tmp_path / "out" / "teachers" / "alpha0-seed0"
    gammas = [at["student of hard teacher", 0.0, t]["gamma"] for t in (1.0, 4.0)]
    np.testing.assert_allclose(gammas, gammas_of(hard, [1.0, 4.0]), rtol=1e-4)
    gamma = at["student of smoothed teacher", 0.5, 1.0]["gamma"]
    assert gamma != pytest.approx(gammas[0])
    assert gamma == pytest.approx(gammas_of(hard.with_name("alpha0.5-seed0"), 1.0), rel=1e-4)
    shared = at["student of smoothed teacher", 0.0, 1.0]
    assert shared["run"] == at["student of hard teacher", 0.0, 1.0]["run"]
    student = RunDirectory(tmp_path / "out" / "students" / "of-alpha0.5-seed0").read_config()
    assert student["training"]["alpha"] == 0
    assert student["model"]["width"] == 4
    assert student["distillation"]["teacher"].endswith("teachers/alpha0.5-seed0")
    assert student["distillation"]["beta"] == 1
    assert student["distillation"]["cache"] is None
    with (tmp_path / "out" / "distillation-sweep.csv").open() as file:
        assert [float(row["gamma"]) for row in csv.DictReader(file)] == [r["gamma"] for r in rows]
    assert (tmp_path / "out" / "distillation-sweep.png").read_bytes().startswith(b"\x89PNG")

    # A finer grid takes what is there; so does another split.
    trained.clear()
    _, more = sweep(tmp_path / "out", Grid((0.0, 0.5), (1.0, 2.0, 4.0), seeds=1), split="test")
    assert trained == ["student of hard teacher, T = 2, seed 0"]
    gammas = [r["gamma"] for r in more if r["curve"] == "student of hard teacher"]
    np.testing.assert_allclose(gammas, gammas_of(hard, [1.0, 2.0, 4.0]), rtol=1e-4)
    test = json.loads((hard / "metrics.json").read_text())["test"]["right"]
    assert more[0]["right"] == test

    # Other settings do not.
    with pytest.raises(
        InputError,
        match=r"the settings of the sweep in .*student.model.width=4.*model.width=5",
    ):
        sweep(tmp_path / "out", student={"model.width": 5})


def test_students_of_a_teacher_share_its_logits(tmp_path):
    sweep(tmp_path, Grid((0.0,), (2.0, 3.0), seeds=1), cached=True)
    for temperature in (2, 3):
        student = RunDirectory(tmp_path / "students" / f"of-hard-T{temperature}-seed0")
        cache = student.read_config()["distillation"]["cache"]
        assert cache == str(tmp_path / "teachers" / "alpha0-seed0" / "logits")


def test_gamma_is_of_the_model_that_is_there(tmp_path):
    grid = Grid((0.0,), (2.0,), seeds=1)
    before = sweep(tmp_path, grid)[1][-1]["gamma"]
    teacher = RunDirectory(tmp_path / "teachers" / "alpha0-seed0")
    model = teacher.load_model()
    model.set_weights([0 * w for w in model.get_weights()])
    teacher.save_model(model)
    after = sweep(tmp_path, grid)[1][-1]["gamma"]
    assert before != pytest.approx(1.0)
    assert after == pytest.approx(1.0)  # the same mass on each class


def test_folders_that_are_not_this_sweeps_are_refused(tmp_path):
    (tmp_path / "notes.txt").touch()
    with pytest.raises(InputError, match="a new or empty folder, or one that a sweep made"):
        sweep(tmp_path)
    assert [p.name for p in tmp_path.iterdir()] == ["notes.txt"]
    with (
        locked(tmp_path / "used" / ".lock", wait=False),
        pytest.raises(InputError, match="no other sweep is at work in"),
    ):
        sweep(tmp_path / "used")


def test_trainings_that_outlive_their_sweep_keep_the_next_one_out(tmp_path, trained):
    sweep(tmp_path, Grid((0.0,), (2.0,), seeds=1))
    run = RunDirectory(tmp_path / "teachers" / "alpha0-seed0")
    before = list(trained)
    with locked(run.lock_file, wait=False), pytest.raises(InputError, match="left its trainings"):
        sweep(tmp_path, Grid((0.0,), (2.0,), seeds=2))
    assert trained == before


def test_an_unknown_split_is_told_after_the_first_run(tmp_path, trained):
    with pytest.raises(InputError, match="a split of validation, test. Received: 'dev'"):
        sweep(tmp_path, split="dev")
    assert trained == []


def test_what_does_not_belong_together_is_refused(tmp_path):
    with pytest.raises(InputError, match="at least one job"):
        sweep(tmp_path, jobs=0)
    with pytest.raises(InputError, match="of the same data. Received: 'points' and 'others'"):
        sweep(tmp_path, student={"data.source": "others"})
    assert not list(tmp_path.iterdir())
