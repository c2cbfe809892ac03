import os
import platform
import time
import types

import pytest

from ls_base import files
from ls_base.errors import FileError
from ls_base.files import new_folder, remove_unfinished

HOST = platform.node()
DEAD = 99999999  # above what Linux gives out
DAY = 24 * 3600


def left(folder, name, *, age=0.0):
    """Makes what a process that was killed leaves, written to `age` seconds ago."""
    path = folder / name
    (path / "split").mkdir(parents=True)
    (path / "split" / "file").write_text("half")
    for entry in (path / "split" / "file", path / "split", path):
        os.utime(entry, (time.time() - age,) * 2)
    return path


def test_a_folder_is_there_once_it_is_whole(tmp_path):
    with new_folder(tmp_path / "new", mark="making") as folder:
        (folder / "file").write_text("text")
        assert not (tmp_path / "new").exists()
        assert folder.name == f".new.making-{HOST}-{os.getpid()}"
    assert [path.name for path in tmp_path.rglob("*")] == ["new", "file"]


def test_a_block_that_fails_leaves_nothing(tmp_path):
    def stop(folder):
        (folder / "file").write_text("text")
        raise RuntimeError("stopped")

    with pytest.raises(RuntimeError, match="stopped"), new_folder(tmp_path / "new") as folder:
        stop(folder)
    assert list(tmp_path.iterdir()) == []


def test_what_is_there_is_not_overwritten(tmp_path):
    (tmp_path / "new").mkdir()
    (tmp_path / "new" / "file").write_text("text")
    with (
        pytest.raises(FileError, match="Expected to be able to write .*new"),
        new_folder(tmp_path / "new"),
    ):
        pass
    assert [path.name for path in tmp_path.rglob("*")] == ["new", "file"]


@pytest.mark.parametrize(
    ("origin", "age", "stays"),
    [
        (f"{HOST}-{DEAD}", 0, False),
        (f"{HOST}-{os.getppid()}", 0, True),
        (f"another-host-{DEAD}", DAY - 600, True),  # it may run there
        (f"another-host-{DEAD}", DAY + 600, False),
        (f"other{HOST}-{DEAD}", 0, True),
        (f"{DEAD}", 0, True),  # without a host's name
        (f"{DEAD}", DAY + 600, False),
        (f"{HOST}-notes", DAY + 600, True),  # not made here
    ],
    ids=[
        *("ended here", "running here", "elsewhere", "elsewhere, old", "a longer name"),
        *("no host", "no host, old", "no process"),
    ],
)
def test_only_what_nobody_writes_to_is_removed(tmp_path, origin, age, stays):
    unfinished = left(tmp_path, f".words-0.making-{origin}", age=age)
    remove_unfinished(tmp_path, "making")
    assert unfinished.exists() == stays


def test_a_folder_is_as_old_as_the_youngest_file_in_it(tmp_path):
    unfinished = left(tmp_path, f".words.making-elsewhere-{DEAD}", age=2 * DAY)
    (unfinished / "split" / "file").write_text("more")
    os.utime(unfinished / "split", (time.time() - 2 * DAY,) * 2)
    remove_unfinished(tmp_path, "making")
    assert unfinished.exists()


def test_other_marks_and_other_folders_are_left_alone(tmp_path):
    kept = [
        left(tmp_path, f".words.preparing-{HOST}-{DEAD}", age=2 * DAY),
        left(tmp_path, f"words.making-{HOST}-{DEAD}", age=2 * DAY),
        left(tmp_path, "words", age=2 * DAY),
    ]
    remove_unfinished(tmp_path, "making")
    assert all(path.exists() for path in kept)


def test_no_process_is_asked_where_asking_would_end_it(tmp_path, monkeypatch):
    unfinished = left(tmp_path, f".words.making-{HOST}-{DEAD}")
    windows = types.SimpleNamespace(name="nt", kill=lambda *_: pytest.fail("asked"))
    monkeypatch.setattr(files, "os", windows)
    remove_unfinished(tmp_path, "making")
    assert unfinished.exists()
