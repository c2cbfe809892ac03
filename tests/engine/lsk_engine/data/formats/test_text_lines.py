import gzip
import tempfile

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ls_base.errors import InputError
from lsk_engine.data.formats import text_lines
from lsk_engine.data.formats.text_files import read_lines
from lsk_engine.data.formats.text_lines import TextLines, open_lines, spool_lines, take_lines

LINES = st.lists(st.text(st.characters(exclude_characters="\n", codec="utf-8")), min_size=1)


def lines_of(content):
    with tempfile.TemporaryFile() as file:
        file.write(content)
        return TextLines(file, "FILE")


@given(LINES, st.booleans(), st.booleans(), st.integers(4, 40))
def test_lines_are_what_reading_at_once_gives(lines, mark, end, at_once):
    content = b"\xef\xbb\xbf" * mark + "\n".join(lines).encode() + b"\n" * end
    if not content:
        return
    with pytest.MonkeyPatch.context() as patch, tempfile.TemporaryDirectory() as folder:
        patch.setattr(text_lines, "_AT_ONCE", at_once * 4)
        file = text_lines.Path(folder) / "lines.txt"
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
    monkeypatch.setattr(text_lines, "ON_DISK", len(content))
    many = open_lines(file)
    assert isinstance(many, TextLines)
    assert not isinstance(few, TextLines)
    assert list(few) == list(many) == ["eins", "zwei", "", "vier"]


@pytest.mark.parametrize("at_once", [1 << 24, 8])
def test_bytes_that_are_no_text_are_told_with_their_line(monkeypatch, at_once):
    monkeypatch.setattr(text_lines, "_AT_ONCE", at_once)
    with pytest.raises(InputError, match=r"UTF-8 text. Received: byte 0xfc in line 4 of FILE"):
        lines_of(b"eins\nzwei\ndrei\nf\xfcnf\n")


def test_too_long_lines_are_told():
    with pytest.raises(InputError, match=r"at most 65,536 bytes.*70,000 bytes in line 2 of FILE"):
        lines_of(b"a\n" + b"b" * 70_000 + b"\nc\n")


@pytest.mark.parametrize("on_disk", [0, 5, 1 << 20])
def test_kept_lines(monkeypatch, on_disk):
    monkeypatch.setattr(text_lines, "ON_DISK", on_disk)
    rows = [("a", "ä"), ("", "bb"), ("c", "d")]
    first, second = spool_lines(iter(rows), 2)
    assert list(first) == ["a", "", "c"]
    assert list(second) == ["ä", "bb", "d"]
    assert list(take_lines(second, np.array([2, 0]))) == ["d", "ä"]
    assert [len(column) for column in spool_lines(iter([]), 2)] == [0, 0]
