import os
from pathlib import Path

import pytest

from ls_base.errors import InputError
from lsk_engine.data import configuration
from lsk_engine.data.fingerprint import fingerprint
from lsk_engine.data.shared_data import load_data, shared_data
from lsk_engine.progress import Reporter
from preparable_task import PreparableTask
from tiny_task import TinyTask

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
    return configuration.resolve(task, None, {f"data.{key}": value for key, value in data.items()})


def test_what_runs_have_in_common_is_made_once(tmp_path):
    task = CountingTask()
    short, long = resolve(task, length=5), resolve(task, length=6)
    with shared_data(task, [short, short, long], tmp_path, SILENT):
        assert task.made == 1
        first, second = (load_data(task, short, None) for _ in range(2))
        assert task.made == 1
        load_data(task, long, None)  # nobody else's
        assert task.made == 2
    assert fingerprint(first) == fingerprint(second) == fingerprint(load_data(task, short, None))
    assert first.notes == ("letters: made",)
    assert task.made == 3  # nobody shares any more
    with shared_data(task, [short, short], tmp_path, SILENT):
        load_data(task, short, None)
    assert task.made == 3  # it is there already
    assert {Path(source).parent for source in task.read} == {tmp_path}


def test_data_that_have_changed_are_told(tmp_path):
    source = tmp_path / "letters"
    shared = source / "runs" / "data"  # what is written there is none of the data
    source.mkdir()
    file = source / "a"
    file.write_text("a")
    task = CountingTask()
    config = resolve(task, source=str(source))
    with shared_data(task, [config, config], shared, SILENT):
        load_data(task, config, None)
    assert task.read == [str(source), str(next(shared.iterdir()))]
    file.write_text("ab")
    with (
        pytest.raises(InputError, match=r"letters as it was .* \(--out\).*Received: other files"),
        shared_data(task, [config, config], shared, SILENT),
    ):
        pass
    with shared_data(task, [], shared, SILENT):
        load_data(task, config, None)
    assert task.read[-1] == str(source)  # not what it was


def test_damaged_data_give_way_to_their_source(tmp_path):
    task = CountingTask()
    config = resolve(task)
    with shared_data(task, [config, config], tmp_path, SILENT):
        (folder,) = tmp_path.iterdir()
        (folder / "letters.npy").write_bytes(b"")
        assert fingerprint(load_data(task, config, None)) == fingerprint(TinyTask().load_data(None))
        assert task.made == 2


def test_what_can_not_be_made_is_left_to_the_runs(tmp_path):
    class Refusing(PreparableTask):
        def load_data(self, config, artifacts=None):
            raise InputError("Expected letters. Received: none")

    for task in (Refusing(), TinyTask()):
        config = resolve(task)
        with shared_data(task, [config, config], tmp_path, SILENT):
            assert not any(tmp_path.iterdir())


def test_the_environment_is_as_it_was(tmp_path):
    before, within = dict(os.environ), []

    def fail():
        within.append(dict(os.environ))
        raise KeyError

    with pytest.raises(KeyError), shared_data(CountingTask(), [], tmp_path, SILENT):
        fail()
    assert within != [before]  # what a study starts knows of it
    assert dict(os.environ) == before
