from pathlib import Path

import pytest

from ls_base.errors import InputError
from lsk_engine.reports.discover import find
from reported_runs import bare_run, study, taught


def test_runs_and_studies_are_told_apart(tmp_path):
    bare_run(tmp_path / "one")
    study(tmp_path / "deep" / "study", seeds=1)
    taught(tmp_path / "taught")
    (tmp_path / ".hidden").mkdir()
    bare_run(tmp_path / ".hidden" / "run")
    found = find([tmp_path])
    assert list(found.studies) == ["deep/study", "taught"]
    assert list(found.runs)[:3] == [
        *("deep/study/runs/alpha0-seed0", "deep/study/runs/alpha0.1-seed0", "one")
    ]
    assert len(found.runs) == 3 + 8


def test_a_run_is_called_by_its_folder(tmp_path, monkeypatch):
    bare_run(tmp_path / "one")
    bare_run(tmp_path / "other" / "one")
    monkeypatch.chdir(tmp_path / "one")
    found = find([Path(), tmp_path / "other" / "one"])
    assert list(found.runs) == ["one", str(tmp_path / "other" / "one")]


def test_what_is_given_twice_is_there_once(tmp_path):
    bare_run(tmp_path / "runs" / "one")
    found = find([tmp_path / "runs", tmp_path / "runs" / "one", tmp_path / "runs"])
    assert list(found.runs) == ["one"]


def test_a_folder_without_a_run_is_told(tmp_path):
    with pytest.raises(InputError, match="Expected a folder with a run .* which holds none"):
        find([tmp_path])
    with pytest.raises(InputError, match="Received: .*nowhere"):
        find([tmp_path / "nowhere"])


def test_a_file_that_is_called_like_a_study_s_makes_no_study(tmp_path):
    bare_run(tmp_path / "run")
    (tmp_path / "study.json").write_text("[]")  # lsk sweep-temperature --output study.png
    found = find([tmp_path])
    assert (found.studies, list(found.runs)) == ({}, ["run"])
