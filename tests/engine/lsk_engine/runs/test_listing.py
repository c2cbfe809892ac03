"""Runs in every state that a run can be in; none is trained."""

import json
import os

import pytest

from ls_base.errors import InputError
from lsk_engine.runs.listing import list_runs
from lsk_engine.runs.run_directory import RunDirectory
from stored_files import CONFIG, history, metrics

TRAINED = {**CONFIG, "training": {"alpha": 0.1, "seed": 3}}


@pytest.fixture
def folder(tmp_path):
    for name in ("a", "study/runs/b", "study/runs/c"):
        RunDirectory.create(tmp_path / name, TRAINED)
    (tmp_path / "notes").mkdir()
    return tmp_path


def state_of(folder):
    return {str(run.path.relative_to(folder)): run.state for run in list_runs(folder)}


def test_runs_are_found_at_any_depth_and_in_every_state(folder):
    finished = RunDirectory(folder / "study/runs/b")
    finished.write_json(
        finished.metrics_file, metrics({"bleu": "BLEU"}, test={"nll": 1.0, "bleu": 25.8})
    )
    (folder / "a" / "metrics.json").write_text("{")
    RunDirectory(folder / "study/runs/c").append_history(history(40))
    damaged, done, stopped = list_runs(folder)
    assert [run.state for run in (damaged, done, stopped)] == ["damaged", "finished", "stopped"]
    assert "metrics.json" in damaged.note
    assert (done.score, done.split) == (("bleu", "BLEU", 25.8), "test")
    assert (done.task, done.preset, done.alpha, done.seed) == ("tiny", "tiny", 0.1, 3)
    assert (stopped.step, stopped.score) == (40, None)
    with RunDirectory(folder / "study/runs/c").lock():
        assert state_of(folder)["study/runs/c"] == "running"
    assert state_of(folder)["study/runs/c"] == "stopped"


def test_age_is_that_of_the_last_file(folder):
    config = folder / "a" / "config.json"
    os.utime(config, (1000, 1000))
    assert list_runs(folder)[0].written == 1000
    RunDirectory(folder / "a").append_history(history(1))
    assert list_runs(folder)[0].written > 1000


def test_a_run_is_listed_itself_and_nothing_inside_of_one(folder):
    RunDirectory.create(folder / "inner", CONFIG).path.rename(folder / "a" / "artifacts" / "inner")
    assert list(state_of(folder)) == ["a", "study/runs/b", "study/runs/c"]
    assert [run.path for run in list_runs(folder / "a")] == [folder / "a"]


def test_a_folder_that_is_none_is_refused(tmp_path):
    with pytest.raises(InputError, match="a folder with runs.*nowhere"):
        list_runs(tmp_path / "nowhere")
    assert list_runs(tmp_path) == []


def test_reading_changes_nothing(folder):
    def files():
        return {p: p.stat().st_mtime_ns for p in folder.rglob("*") if p.name != ".lock"}

    before = files()
    list_runs(folder)
    assert files() == before
    assert json.loads((folder / "a" / "config.json").read_text())["task"] == "tiny"
