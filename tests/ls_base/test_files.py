import errno
import json
import os
import time
from pathlib import Path

import pytest

from ls_base import files
from ls_base.errors import FileError
from ls_base.files import check_writable, new_folder, wrap_os_errors, write_bytes, write_json


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


def test_errors_of_the_system_name_the_path_once(tmp_path):
    message = "able to write outer. Received: No space"
    with pytest.raises(FileError, match=message), wrap_os_errors(files.Path("outer")):
        raise OSError(28, "No space left on device")
    with pytest.raises(FileError, match="^inner$"), wrap_os_errors(files.Path("outer")):
        raise FileError("inner")


@pytest.mark.parametrize("name", ["new", "deep/er/new", "there"])
def test_a_writable_place_is_left_as_it_was(tmp_path, name):
    (tmp_path / "there").mkdir()
    check_writable(tmp_path / name)
    assert [path.name for path in tmp_path.iterdir()] == ["there"]


def test_a_place_that_is_not_writable_is_refused(tmp_path, monkeypatch):
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
def test_a_place_where_root_may_not_write_is_refused():
    with pytest.raises(FileError, match="write /proc/run"):
        check_writable(Path("/proc/run"))


def test_a_path_that_is_not_utf8_is_refused(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(FileError, match=r"path in UTF-8. Received: '\\udcff'"):
        check_writable(Path(os.fsdecode(b"\xff")))
    assert list(tmp_path.iterdir()) == []


def test_a_new_folder_appears_as_a_whole(tmp_path):
    path = tmp_path / "deep" / "folder"
    with new_folder(path) as folder:
        (folder / "file").write_text("text")
        assert not path.exists()
        assert folder.match(".folder.????????.unfinished")
    assert (path / "file").read_text() == "text"
    assert [p.name for p in path.parent.iterdir()] == ["folder"]
    (tmp_path / "other").mkdir()
    assert path.stat().st_mode == (tmp_path / "other").stat().st_mode


@pytest.mark.parametrize("error", [KeyboardInterrupt, ValueError, OSError])
def test_a_new_folder_leaves_nothing_after_an_error(tmp_path, error):
    def fill(folder):
        (folder / "file").write_text("half")
        raise error

    with pytest.raises(error), new_folder(tmp_path / "folder") as folder:
        fill(folder)
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_another_process_made_meanwhile_is_kept(tmp_path):
    def write_theirs():
        (tmp_path / "folder").mkdir()
        (tmp_path / "folder" / "theirs").touch()

    with pytest.raises(FileError, match="able to write .*folder"), new_folder(tmp_path / "folder"):
        write_theirs()
    assert [p.name for p in tmp_path.rglob("*")] == ["folder", "theirs"]


def test_a_folder_below_a_file_is_refused(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(FileError, match="able to write"), new_folder(tmp_path / "file" / "folder"):
        pass


@pytest.mark.parametrize(
    ("name", "hours", "youngest", "stays"),
    [
        (".words.01234567.unfinished", 23, 23, True),
        (".words.01234567.unfinished", 25, 25, False),
        (".words.01234567.unfinished", 25, 1, True),  # a file in it was written since
        (".words", 25, 25, True),
        ("words.unfinished", 25, 25, True),
    ],
)
def test_unfinished_folders_are_removed_after_a_day(tmp_path, name, hours, youngest, stays):
    path = tmp_path / name
    (path / "split").mkdir(parents=True)
    (path / "split" / "file").write_text("half")
    for entry, age in ((path / "split" / "file", youngest), (path / "split", hours), (path, hours)):
        os.utime(entry, (time.time() - age * 3600,) * 2)
    with new_folder(tmp_path / "folder"):
        pass
    assert path.exists() == stays
