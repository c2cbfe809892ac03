import pytest

from ls_base.errors import FileError
from lsk_engine.experiment import create_run
from lsk_engine.runs.run_directory import RunDirectory
from lsk_engine.settings.resolving import resolve_config
from lsk_engine.tasks.registry import load_task

TASK = load_task("image")


@pytest.fixture
def config(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    return resolve_config(TASK, None, {"training.alpha": 0.1})


def test_a_name_that_is_taken_gets_a_number(config):
    runs = [create_run(TASK, config, None) for _ in range(3)]
    assert [run.path.as_posix() for run in runs] == [
        "runs/image-digits-mlp-alpha0.1-seed0",
        "runs/image-digits-mlp-alpha0.1-seed0-2",
        "runs/image-digits-mlp-alpha0.1-seed0-3",
    ]


def test_a_name_that_another_takes_meanwhile(config, monkeypatch):
    """Between the look and the making; the next number is free."""
    create, takers = RunDirectory.create, iter([True])

    def beaten(path, values):
        if next(takers, False):
            create(path, values)
        return create(path, values)

    monkeypatch.setattr(RunDirectory, "create", beaten)
    assert create_run(TASK, config, None).path.name == "image-digits-mlp-alpha0.1-seed0-2"


def test_a_folder_that_can_not_be_written_is_told(config, monkeypatch):
    def refuse(path, values):
        raise FileError("Expected to be able to write it")

    monkeypatch.setattr(RunDirectory, "create", refuse)
    with pytest.raises(FileError, match="to write it"):
        create_run(TASK, config, None)


def test_a_path_is_taken_as_it_is(config, tmp_path):
    assert create_run(TASK, config, tmp_path / "mine").path == tmp_path / "mine"
    with pytest.raises(FileError, match="mine"):
        create_run(TASK, config, tmp_path / "mine")
