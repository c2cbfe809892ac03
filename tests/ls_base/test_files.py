import errno
import json
import os
import time
import types
from pathlib import Path

import pytest

from ls_base import files
from ls_base.errors import FileError
from ls_base.files import (
    check_writable,
    new_folder,
    remove_unfinished,
    wrap_os_errors,
    write_bytes,
    write_json,
)

HOST = files._host()
DEAD = 99999999  # above what Linux gives out
DAY = 24 * 3600


def test_a_failed_write_leaves_the_old_file(tmp_path, monkeypatch):
    file = tmp_path / "metrics.json"
    write_json(file, {"bleu": 1})

    def full(descriptor):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(files.os, "fsync", full)
    with pytest.raises(FileError, match=r"metrics.json. Received: No space left"):
        write_json(file, {"bleu": 2})
    assert json.loads(file.read_text()) == {"bleu": 1}
    assert [f.name for f in tmp_path.iterdir()] == ["metrics.json"]


def test_a_file_is_read_as_it_was_written(tmp_path):
    file = tmp_path / "new" / "values.json"
    write_json(file, {"α": [0.1, None]})
    assert json.loads(file.read_text()) == {"α": [0.1, None]}
    assert file.read_text().endswith("}\n")
    write_bytes(file, memoryview(b"[1]"))
    assert file.read_bytes() == b"[1]"


def test_a_refusal_of_the_system_names_the_path_and_is_told_once(tmp_path):
    message = "able to write outer. Received: No space"
    with pytest.raises(FileError, match=message), wrap_os_errors(files.Path("outer")):
        raise OSError(28, "No space left on device")
    with pytest.raises(FileError, match="^inner$"), wrap_os_errors(files.Path("outer")):
        raise FileError("inner")


@pytest.mark.parametrize("name", ["new", "deep/er/new", "there"])
def test_a_place_where_something_can_be_made(tmp_path, name):
    (tmp_path / "there").mkdir()
    check_writable(tmp_path / name)
    assert [path.name for path in tmp_path.iterdir()] == ["there"]


def test_a_place_where_nothing_can_be_made_is_told(tmp_path, monkeypatch):
    (tmp_path / "file").write_text("")
    with pytest.raises(FileError, match="write .*file/new. Received: Not a directory"):
        check_writable(tmp_path / "file" / "new")

    def refuse(dir):  # noqa: A002
        assert dir == tmp_path
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))

    monkeypatch.setattr("tempfile.TemporaryFile", refuse)
    with pytest.raises(FileError, match="write .*new. Received: Permission denied"):
        check_writable(tmp_path / "new")


@pytest.mark.skipif(not Path("/proc/self").exists(), reason="needs Linux's /proc")
def test_a_place_that_permissions_allow_to_root_is_tried():
    with pytest.raises(FileError, match="write /proc/run"):
        check_writable(Path("/proc/run"))


def test_a_path_that_no_json_file_could_name_is_told(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(FileError, match=r"letters are UTF-8. Received: '\\udcff'"):
        check_writable(Path(os.fsdecode(b"\xff")))
    assert list(tmp_path.iterdir()) == []


def test_a_folder_is_there_whole(tmp_path):
    with new_folder(tmp_path / "deep" / "folder") as folder:
        (folder / "file").write_text("text")
        assert not (tmp_path / "deep" / "folder").exists()
        token, _, origin = folder.name.removeprefix(".folder.").partition(".")
        assert len(token) == 8
        assert origin == f"writing-{HOST}-{os.getpid()}"
    assert (tmp_path / "deep" / "folder" / "file").read_text() == "text"
    assert [p.name for p in (tmp_path / "deep").iterdir()] == ["folder"]


def test_what_a_process_of_the_same_number_left_is_in_nobody_s_way(tmp_path):
    """As in containers, where each first process has the number 1."""
    earlier = left(tmp_path, f".folder.00000000.writing-{HOST}-{os.getpid()}")
    before = left(tmp_path, f".folder.writing-{HOST}-{os.getpid()}")  # of an older version
    ended = left(tmp_path, f".other.00000000.writing-{HOST}-{DEAD}")
    with new_folder(tmp_path / "folder"):
        assert earlier.exists()  # nobody can tell that its process has ended
        assert before.exists()
        assert not ended.exists()
    assert (tmp_path / "folder").is_dir()


def test_a_new_folder_has_the_permissions_of_any_other(tmp_path):
    (tmp_path / "other").mkdir()
    with new_folder(tmp_path / "folder"):
        pass
    assert (tmp_path / "folder").stat().st_mode == (tmp_path / "other").stat().st_mode


@pytest.mark.parametrize(("space", "name"), [(4026531836, "node"), (4026532201, "node.4026532201")])
def test_containers_of_one_name_are_told_apart(monkeypatch, space, name):
    monkeypatch.setattr(files.platform, "node", lambda: "node")
    monkeypatch.setattr(Path, "readlink", lambda self: Path(f"pid:[{space}]"))
    assert files._host() == name


def test_what_vanishes_while_it_is_looked_at_is_somebody_s(tmp_path, monkeypatch):
    unfinished = left(tmp_path, f".words.making-elsewhere-{DEAD}", age=2 * DAY)

    def vanished(self, pattern):
        raise FileNotFoundError

    monkeypatch.setattr(Path, "rglob", vanished)
    remove_unfinished(tmp_path, "making")
    assert unfinished.exists()


@pytest.mark.parametrize("error", [KeyboardInterrupt, ValueError, OSError])
def test_or_it_is_not_there_at_all(tmp_path, error):
    def fill(folder):
        (folder / "file").write_text("half")
        raise error

    with pytest.raises(error), new_folder(tmp_path / "folder") as folder:
        fill(folder)
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_somebody_else_has_made_meanwhile_is_kept(tmp_path):
    def write_theirs():
        (tmp_path / "folder").mkdir()
        (tmp_path / "folder" / "theirs").touch()

    with pytest.raises(FileError, match="able to write .*folder"), new_folder(tmp_path / "folder"):
        write_theirs()
    assert [p.name for p in tmp_path.rglob("*")] == ["folder", "theirs"]


def test_a_place_that_cannot_be_written_is_told(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(FileError, match="able to write"), new_folder(tmp_path / "file" / "folder"):
        pass


def left(folder, name, *, age=0.0):
    """Makes what a process that was killed leaves, written to `age` seconds ago."""
    path = folder / name
    (path / "split").mkdir(parents=True)
    (path / "split" / "file").write_text("half")
    for entry in (path / "split" / "file", path / "split", path):
        os.utime(entry, (time.time() - age,) * 2)
    return path


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
