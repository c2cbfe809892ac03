import gzip
import os

import pytest

from ls_base.errors import FileError, InputError
from ls_base.safe_open import (
    check_unpacked,
    expand_user,
    is_regular,
    open_regular,
    read_bytes,
    read_end,
    read_unpacked,
    safe_join,
)


def pipe(path):
    os.mkfifo(path)


def loop(path):
    path.symlink_to(path.name)


@pytest.mark.parametrize(
    ("make", "received"),
    [
        (lambda path: None, "No such file"),
        (lambda path: path.mkdir(), "a folder"),
        (pipe, "a named pipe"),
        (loop, "a loop of links"),
        (lambda path: path.symlink_to("/dev/zero"), "a named pipe, a device or the like"),
    ],
    ids=["nothing", "folder", "pipe", "loop", "device"],
)
def test_only_regular_files_are_opened(tmp_path, make, received):
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
def test_names_that_no_file_can_have_are_refused(tmp_path, name):
    with pytest.raises(InputError, match="Expected a readable file"):
        read_bytes(tmp_path / name, error=InputError)
    assert not is_regular(tmp_path / name)


def test_a_large_file_is_refused_before_it_is_read(tmp_path):
    with (tmp_path / "x").open("wb") as file:
        file.truncate(1 << 40)  # a hole
    with pytest.raises(FileError, match="at most 1,000 bytes in .*Received: 1,099,511,627,776"):
        read_bytes(tmp_path / "x", max_bytes=1000)


def test_a_gzip_bomb_is_refused_while_it_unpacks(tmp_path):
    """6 GiB of zeros in 6 MB: members of a megabyte, one after another."""
    (tmp_path / "x.gz").write_bytes(gzip.compress(bytes(1 << 20)) * 6144)
    with pytest.raises(FileError, match="x.gz to hold at most .* unpack it yourself .*Received: "):
        read_unpacked(tmp_path / "x.gz", free=1 << 26)


def test_small_content_is_unpacked_whatever_its_ratio(tmp_path):
    (tmp_path / "x.gz").write_bytes(gzip.compress(bytes(1 << 22)))
    assert read_unpacked(tmp_path / "x.gz") == bytes(1 << 22)


def test_the_limit_grows_with_the_packed_size():
    check_unpacked("x", 1000, 100_000, free=10)
    with pytest.raises(InputError, match="x to hold at most 100,000 bytes unpacked"):
        check_unpacked("x", 1000, 100_001, free=10, error=InputError)


@pytest.mark.parametrize(
    "name", ["", "/etc/passwd", "..", "a/../../b", "a\0", "link/x", "loop", "x" * 5000]
)
def test_names_stay_inside_their_folder(tmp_path, name):
    folder = tmp_path / "data"
    folder.mkdir()
    (folder / "link").symlink_to(tmp_path)
    loop(folder / "loop")
    with pytest.raises(InputError, match="the name of a file inside .*data. Received: '"):
        safe_join(folder, name, error=InputError)


def test_names_below_the_folder_are_paths(tmp_path):
    assert safe_join(tmp_path, "a/b.wav") == tmp_path / "a" / "b.wav"
    (tmp_path / "a").mkdir()
    (tmp_path / "b").symlink_to("a")
    assert safe_join(tmp_path, "b/c") == tmp_path / "b" / "c"


@pytest.mark.parametrize("path", ["~no-such-user/x", "a\0", "\ud800"])
def test_paths_of_unknown_users_and_with_nul_are_refused(path):
    with pytest.raises(InputError, match="Expected a path"):
        expand_user(path)


def test_the_end_of_a_file_is_read(tmp_path):
    (tmp_path / "x").write_bytes(b"0123456789")
    assert read_end(tmp_path / "x", 3) == b"789"
    assert read_end(tmp_path / "x", 30) == b"0123456789"
