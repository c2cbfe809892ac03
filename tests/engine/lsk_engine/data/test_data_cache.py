import dataclasses
import os
from pathlib import Path

import pytest

from ls_base.errors import InputError
from lsk_engine.data.data_cache import fill_cache, load_data
from lsk_engine.data.fingerprint import fingerprint_data
from lsk_engine.progress import Reporter
from lsk_engine.runs.run_data import reload_data
from lsk_engine.runs.run_directory import RunDirectory
from lsk_engine.settings.prepared_manifest import is_prepared
from lsk_engine.settings.resolving import resolve_config
from preparable_task import PreparableTask
from tiny_task import Letters, TinyTask

pytestmark = pytest.mark.tensorflow

SILENT = Reporter(verbosity=-1)


class CountingTask(PreparableTask):
    """Counts how often its data are made, and notes from where they are read."""

    def __init__(self):
        super().__init__()
        self.made, self.read = 0, []

    def load_data(self, config, artifacts=None):
        if config.data.source == "letters":
            self.made += 1
        else:
            self.read.append(config.data.source)
        return super().load_data(config, artifacts)


def resolve(task, **data):
    return resolve_config(task, None, {f"data.{key}": value for key, value in data.items()})


def test_data_of_several_runs_are_prepared_once(tmp_path):
    task = CountingTask()
    short, long = resolve(task, length=5), resolve(task, length=6)
    fill_cache(task, [short, short, long], tmp_path, SILENT)
    assert task.made == 1
    first, second = (load_data(task, short, None, tmp_path) for _ in range(2))
    assert task.made == 1
    load_data(task, long, None, tmp_path)  # used by one run only
    assert task.made == 2
    plain = load_data(task, short, None)
    assert task.made == 3
    assert fingerprint_data(first) == fingerprint_data(second) == fingerprint_data(plain)
    assert first.notes == ("letters: made",)
    fill_cache(task, [short, short], tmp_path, SILENT)
    load_data(task, short, None, tmp_path)
    assert task.made == 3
    assert {Path(source).parent for source in task.read} == {tmp_path}


class RecordedTask(PreparableTask):
    """Its training split is made of what is in `wav/a`."""

    def load_data(self, config, artifacts=None):
        source = Path(config.data.source)
        there = source / "spoken" if is_prepared(str(source)) else source / "wav" / "a"
        data = TinyTask.load_data(self, config)
        train = Letters(41, len(there.read_bytes()))
        return dataclasses.replace(data, splits={**data.splits, "train": train})

    def prepare(self, config, data, directory):
        content = (Path(config.data.source) / "wav" / "a").read_bytes()
        (directory / "spoken").write_bytes(content)


@pytest.fixture
def recorded(tmp_path):
    """A folder of recordings, with a study in it that has prepared them; and how it goes on."""
    source = tmp_path / "recordings"
    (source / "wav").mkdir(parents=True)
    (source / "manifest.tsv").write_text("a")
    (source / "wav" / "a").write_bytes(b"0")
    task = RecordedTask()
    config = resolve(task, source=str(source))
    shared = source / "study" / "data"

    def go_on():
        fill_cache(task, [config, config], shared, SILENT)
        return load_data(task, config, None, shared)

    go_on()
    return source, shared, go_on


def test_recordings_that_have_changed_in_a_folder_below_are_refused(recorded):
    source, shared, go_on = recorded
    (older,) = shared.iterdir()
    (source / "wav" / "a").write_bytes(b"01")
    with pytest.raises(InputError, match=r"recordings as it was .* \(--out\)") as told:
        go_on()
    assert f"Received: other data than those of {older} (train: " in str(told.value)
    assert list(shared.iterdir()) == [older]


def test_files_beside_the_data_do_not_change_them(recorded):
    source, shared, go_on = recorded
    (older,) = shared.iterdir()
    (source / ".DS_Store").touch()
    for name, file in (("run", "config.json"), ("another", "study.json")):  # and what is in them
        (source / name / "runs").mkdir(parents=True)
        (source / name / file).write_text('{"schema": 2}')
        (source / name / "runs" / "log").touch()
    (source / "wav" / "all").symlink_to(source)
    before = fingerprint_data(go_on())
    assert list(shared.iterdir()) == [older]
    (source / "notes.txt").touch()
    os.utime(source / "wav" / "a", (0, 0))  # copied
    assert fingerprint_data(go_on()) == before
    (now,) = shared.iterdir()
    assert now != older  # and not looked at once more


def test_runs_that_share_nothing_of_what_there_is_now_read_their_source(tmp_path):
    source, shared = tmp_path / "letters", tmp_path / "shared"
    source.mkdir()
    task = CountingTask()
    config = resolve(task, source=str(source))
    fill_cache(task, [config, config], shared, SILENT)
    load_data(task, config, None, shared)
    assert task.read == [str(source), str(next(shared.iterdir()))]
    (source / "a").touch()
    load_data(task, config, None, shared)
    assert task.read[-1] == str(source)  # not what it was


def test_damaged_entries_give_way_to_the_source(tmp_path):
    task = CountingTask()
    config = resolve(task)
    fill_cache(task, [config, config], tmp_path, SILENT)
    (folder,) = tmp_path.iterdir()
    (folder / "letters.npy").write_bytes(b"")
    found = load_data(task, config, None, tmp_path)
    assert fingerprint_data(found) == fingerprint_data(TinyTask().load_data(None))
    assert task.made == 2


def test_data_that_cannot_be_prepared_are_left_to_the_runs(tmp_path):
    class Refusing(PreparableTask):
        def load_data(self, config, artifacts=None):
            raise InputError("Expected letters. Received: none")

    for task in (Refusing(), TinyTask()):
        config = resolve(task)
        fill_cache(task, [config, config], tmp_path, SILENT)
        assert not any(tmp_path.iterdir())


def test_a_run_finds_its_cache_after_the_study_has_moved(tmp_path):
    task = CountingTask()
    config = resolve(task)
    study, moved = tmp_path / "study", tmp_path / "moved"
    fill_cache(task, [config, config], study / "data", SILENT)
    RunDirectory.create(study / "runs" / "a", config.to_dict(), study / "data")
    study.rename(moved)
    reload_data(task, config, RunDirectory.open(moved / "runs" / "a"))
    assert task.made == 1
