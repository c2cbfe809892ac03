import gzip
import tempfile

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ls_base.errors import InputError
from lsk_engine.data.formats import text_files
from lsk_engine.data.formats.text_files import (
    LONGEST_LINE,
    TextLines,
    list_folder,
    open_lines,
    read_file,
    read_lines,
    spool_lines,
    take_lines,
)

LINES = st.lists(st.text(st.characters(exclude_characters="\n", codec="utf-8")), min_size=1)


def lines_of(content):
    with tempfile.TemporaryFile() as file:
        file.write(content)
        return TextLines(file, "FILE")


def test_plain_and_packed_files_read_alike(tmp_path):
    (tmp_path / "plain.de").write_bytes(b"eins\n")
    (tmp_path / "packed.de.gz").write_bytes(gzip.compress(b"eins\n"))
    assert read_file(tmp_path / "plain.de") == read_file(tmp_path / "packed.de.gz") == b"eins\n"


@pytest.mark.parametrize(
    "content",
    [None, b"no gzip", gzip.compress(b"eins\n")[:-9]],
    ids=["missing", "plain", "cut off"],
)
def test_unreadable_files_are_refused(tmp_path, content):
    file = tmp_path / "file.gz"
    if content is not None:
        file.write_bytes(content)
    with pytest.raises(InputError, match=r"Expected a readable file .*file\.gz\. Received: "):
        read_file(file)


def test_lines_are_stripped_and_separators_within_stay(tmp_path):
    (tmp_path / "x.de").write_bytes("\ufeffeins \r\n\nzw\u2028ei".encode())
    assert read_lines(tmp_path / "x.de") == ["eins", "", "zw\u2028ei"]


def test_a_line_that_is_no_sentence_is_refused_with_its_number(tmp_path):
    """A line of a megabyte would keep the training of sub-words busy for hours."""
    (tmp_path / "x.de").write_bytes(b"eins\n" + b"a" * (LONGEST_LINE + 1) + b"\nzwei\n")
    with pytest.raises(InputError, match=r"at most 65,536 bytes.*65,537 bytes in line 2 of .*x.de"):
        read_lines(tmp_path / "x.de")
    (tmp_path / "x.de").write_bytes(b"eins\n" + b"a" * LONGEST_LINE)
    assert len(read_lines(tmp_path / "x.de")) == 2


def test_bytes_that_are_no_text_are_refused_with_their_number(tmp_path):
    (tmp_path / "x.de").write_bytes(b"eins\nzw\xffei\n")
    with pytest.raises(InputError, match=r"byte 0xff in line 2 of .*x.de"):
        read_lines(tmp_path / "x.de")


def test_a_gzip_bomb_of_short_lines_is_refused(tmp_path):
    (tmp_path / "x.de.gz").write_bytes(gzip.compress(b"a\n" * (1 << 19)) * 200)
    with pytest.raises(InputError, match="to hold at most 67,108,864 bytes unpacked"):
        read_lines(tmp_path / "x.de.gz")


@pytest.mark.parametrize(
    ("count", "expected"),
    [
        (0, "an empty folder"),
        (2, "00, 01"),
        (14, "00, 01, 02, 03, 04, 05, 06, 07, 08, 09, 10, 11 and 2 more"),
    ],
)
def test_a_listing_is_sorted_and_short(tmp_path, count, expected):
    for number in reversed(range(count)):
        (tmp_path / f"{number:02}").touch()
    assert list_folder(tmp_path) == expected


@given(LINES, st.booleans(), st.booleans(), st.integers(4, 40))
def test_lines_are_what_reading_chunk_gives(lines, mark, end, chunk):
    content = b"\xef\xbb\xbf" * mark + "\n".join(lines).encode() + b"\n" * end
    if not content:
        return
    with pytest.MonkeyPatch.context() as patch, tempfile.TemporaryDirectory() as folder:
        patch.setattr(text_files, "_CHUNK", chunk * 4)
        file = text_files.Path(folder) / "lines.txt"
        file.write_bytes(content)
        expected = read_lines(file)
        found = lines_of(content)
        assert list(found) == expected
        assert len(found) == len(expected)
        if expected:  # a file may hold a byte-order mark and no line
            assert found[-1] == expected[-1]
        assert found[1:] == expected[1:]
        rows = np.arange(len(expected))[::-1]
        assert list(found.take(rows)) == expected[::-1]


@pytest.mark.parametrize("packed", [False, True], ids=["plain", "packed"])
def test_large_files_stay_on_the_disk(tmp_path, monkeypatch, packed):
    content = b"eins\nzwei \n\nvier"
    file = tmp_path / ("lines.txt.gz" if packed else "lines.txt")
    file.write_bytes(gzip.compress(content) if packed else content)
    few = open_lines(file)
    monkeypatch.setattr(text_files, "ON_DISK", len(content))
    many = open_lines(file)
    assert isinstance(many, TextLines)
    assert not isinstance(few, TextLines)
    assert list(few) == list(many) == ["eins", "zwei", "", "vier"]


@pytest.mark.parametrize("chunk", [1 << 24, 8])
def test_bytes_that_are_no_text_are_refused_with_their_line(monkeypatch, chunk):
    monkeypatch.setattr(text_files, "_CHUNK", chunk)
    with pytest.raises(InputError, match=r"UTF-8 text. Received: byte 0xfc in line 4 of FILE"):
        lines_of(b"eins\nzwei\ndrei\nf\xfcnf\n")


def test_too_long_lines_on_the_disk_are_refused():
    with pytest.raises(InputError, match=r"at most 65,536 bytes.*70,000 bytes in line 2 of FILE"):
        lines_of(b"a\n" + b"b" * 70_000 + b"\nc\n")


@pytest.mark.parametrize("on_disk", [0, 5, 1 << 20])
def test_columns_of_lines_are_stored_in_memory_or_on_the_disk(monkeypatch, on_disk):
    monkeypatch.setattr(text_files, "ON_DISK", on_disk)
    rows = [("a", "ä"), ("", "bb"), ("c", "d")]
    first, second = spool_lines(iter(rows), 2)
    assert list(first) == ["a", "", "c"]
    assert list(second) == ["ä", "bb", "d"]
    assert list(take_lines(second, np.array([2, 0]))) == ["d", "ä"]
    assert [len(column) for column in spool_lines(iter([]), 2)] == [0, 0]
