import gzip
import os

import pytest

from ls_base.errors import FileError, InputError, short_repr
from ls_base.safe_open import (
    check_unpacked,
    expand_user,
    is_regular,
    open_regular,
    read_bytes,
    read_unpacked,
    safe_join,
)


def pipe(path):
    os.mkfifo(path)


def circle(path):
    path.symlink_to(path.name)


@pytest.mark.parametrize(
    ("make", "received"),
    [
        (lambda path: None, "No such file"),
        (lambda path: path.mkdir(), "a folder"),
        (pipe, "a named pipe"),
        (circle, "a circle of links"),
        (lambda path: path.symlink_to("/dev/zero"), "a named pipe, a device or the like"),
    ],
    ids=["nothing", "folder", "pipe", "circle", "device"],
)
def test_what_is_no_regular_file_is_told_at_once(tmp_path, make, received):
    make(tmp_path / "x")
    with pytest.raises(FileError, match=f"file .*/x. Received: .*{received}"):
        read_bytes(tmp_path / "x")
    assert not is_regular(tmp_path / "x")


def test_links_to_files_are_followed(tmp_path):
    (tmp_path / "file").write_bytes(b"content")
    (tmp_path / "link").symlink_to("file")
    with open_regular(tmp_path / "link") as file:
        assert file.read() == b"content"


@pytest.mark.parametrize("name", ["a" * 5000, "a\0b"])
def test_names_that_no_file_can_have_are_told(tmp_path, name):
    with pytest.raises(InputError, match="Expected a readable file"):
        read_bytes(tmp_path / name, error=InputError)
    assert not is_regular(tmp_path / name)


def test_a_large_file_is_refused_before_it_is_read(tmp_path):
    with (tmp_path / "x").open("wb") as file:
        file.truncate(1 << 40)  # a hole
    with pytest.raises(FileError, match="at most 1,000 bytes in .*Received: 1,099,511,627,776"):
        read_bytes(tmp_path / "x", most=1000)


def test_a_bomb_is_refused_while_it_unpacks(tmp_path):
    """6 GiB of zeros in 6 MB: members of a megabyte, one after another."""
    (tmp_path / "x.gz").write_bytes(gzip.compress(bytes(1 << 20)) * 6144)
    with pytest.raises(FileError, match="x.gz to hold at most .* unpack it first. Received: "):
        read_unpacked(tmp_path / "x.gz", free=1 << 26)


def test_what_unpacks_to_little_is_read_whatever_its_ratio(tmp_path):
    (tmp_path / "x.gz").write_bytes(gzip.compress(bytes(1 << 22)))
    assert read_unpacked(tmp_path / "x.gz") == bytes(1 << 22)


def test_the_bound_grows_with_what_is_packed():
    check_unpacked("x", 1000, 100_000, free=10)
    with pytest.raises(InputError, match="x to hold at most 100,000 bytes unpacked"):
        check_unpacked("x", 1000, 100_001, free=10, error=InputError)


@pytest.mark.parametrize(
    "name", ["", "/etc/passwd", "..", "a/../../b", "a\0", "link/x", "circle", "x" * 5000]
)
def test_names_stay_inside_their_folder(tmp_path, name):
    folder = tmp_path / "data"
    folder.mkdir()
    (folder / "link").symlink_to(tmp_path)
    circle(folder / "circle")
    with pytest.raises(InputError, match="the name of a file inside .*data. Received: '"):
        safe_join(folder, name, error=InputError)


def test_names_below_the_folder_are_paths(tmp_path):
    assert safe_join(tmp_path, "a/b.wav") == tmp_path / "a" / "b.wav"
    (tmp_path / "a").mkdir()
    (tmp_path / "b").symlink_to("a")
    assert safe_join(tmp_path, "b/c") == tmp_path / "b" / "c"


@pytest.mark.parametrize("path", ["~nobody-of-that-name/x", "a\0", "\ud800"])
def test_paths_that_are_none_are_told(path):
    with pytest.raises(InputError, match="Expected a path"):
        expand_user(path)


def test_values_are_shown_on_one_short_line():
    assert short_repr("a\nb") == r"'a\nb'"
    assert len(short_repr("a" * 10**6)) < 120
