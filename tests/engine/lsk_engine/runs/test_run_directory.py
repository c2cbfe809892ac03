import json

import pytest

from ls_base.errors import FileError
from ls_base.files import write_json
from lsk_engine.runs.run_directory import RunDirectory


def test_create_then_open(tmp_path):
    run = RunDirectory.create(tmp_path / "run", {"task": "translation"})
    run.write_artifacts({"words": b"\x00\xff"})
    again = RunDirectory.open(tmp_path / "run")
    assert again.read_config() == {"task": "translation"}
    assert again.read_artifacts() == {"words": b"\x00\xff"}
    environment = json.loads(again.environment_file.read_text())
    assert environment["packages"]["keras"]


def test_a_directory_with_files_is_not_overwritten(tmp_path):
    (tmp_path / "thesis.txt").write_text("ten years")
    with pytest.raises(FileError, match="new or empty"):
        RunDirectory.create(tmp_path, {})
    assert (tmp_path / "thesis.txt").read_text() == "ten years"


@pytest.mark.parametrize("make", [lambda p: p, lambda p: p / "nothing"])
def test_a_directory_that_is_no_run_is_told(tmp_path, make):
    with pytest.raises(FileError, match=r"Expected a run directory.*Received"):
        RunDirectory.open(make(tmp_path))


def test_a_path_that_cannot_be_a_directory_is_told(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(FileError, match="Expected to be able to write"):
        RunDirectory.create(tmp_path / "file" / "run", {})


def test_history_is_cut_to_the_step_that_a_run_resumes_from(tmp_path):
    run = RunDirectory.create(tmp_path / "run", {})
    for step in (10, 20, 30):
        run.append_history({"step": step})
    with run.history_file.open("a") as file:
        file.write('{"step": 4')  # what a crash leaves
    assert [e["step"] for e in run.read_history()] == [10, 20, 30]
    run.truncate_history(20)
    assert [e["step"] for e in run.read_history()] == [10, 20]


def test_a_run_without_a_model_is_told(tmp_path):
    run = RunDirectory.create(tmp_path / "run", {})
    with pytest.raises(FileError, match=r"Expected a finished run"):
        run.load_model()


def test_a_model_that_was_cut_off_is_told(tmp_path):
    run = RunDirectory.create(tmp_path, {})
    run.model_file.write_bytes(b"PK\x03\x04 and no end")
    with pytest.raises(FileError, match=r"Received: .*model\.keras, which is damaged"):
        run.load_model()


def test_another_schema_is_refused(tmp_path):
    run = RunDirectory.create(tmp_path / "run", {})
    write_json(run.config_file, {"schema": 99})
    with pytest.raises(FileError, match="schema 1"):
        run.read_config()
