import gzip

import pytest

from ls_base.errors import InputError
from lsk_engine.data.formats.text_files import LONGEST_LINE, list_folder, read_file, read_lines


def test_plain_and_packed_files_read_alike(tmp_path):
    (tmp_path / "plain.de").write_bytes(b"eins\n")
    (tmp_path / "packed.de.gz").write_bytes(gzip.compress(b"eins\n"))
    assert read_file(tmp_path / "plain.de") == read_file(tmp_path / "packed.de.gz") == b"eins\n"


@pytest.mark.parametrize(
    "content",
    [None, b"no gzip", gzip.compress(b"eins\n")[:-9]],
    ids=["missing", "plain", "cut off"],
)
def test_what_cannot_be_read_is_told(tmp_path, content):
    file = tmp_path / "file.gz"
    if content is not None:
        file.write_bytes(content)
    with pytest.raises(InputError, match=r"Expected a readable file .*file\.gz\. Received: "):
        read_file(file)


def test_lines_are_stripped_and_separators_within_stay(tmp_path):
    (tmp_path / "x.de").write_bytes("\ufeffeins \r\n\nzw\u2028ei".encode())
    assert read_lines(tmp_path / "x.de") == ["eins", "", "zw\u2028ei"]


def test_a_line_that_is_no_sentence_is_told_by_its_number(tmp_path):
    """A line of a megabyte would keep the training of sub-words busy for hours."""
    (tmp_path / "x.de").write_bytes(b"eins\n" + b"a" * (LONGEST_LINE + 1) + b"\nzwei\n")
    with pytest.raises(InputError, match=r"at most 65,536 bytes.*65,537 bytes in line 2 of .*x.de"):
        read_lines(tmp_path / "x.de")
    (tmp_path / "x.de").write_bytes(b"eins\n" + b"a" * LONGEST_LINE)
    assert len(read_lines(tmp_path / "x.de")) == 2


def test_bytes_that_are_no_text_are_told_by_their_line(tmp_path):
    (tmp_path / "x.de").write_bytes(b"eins\nzw\xffei\n")
    with pytest.raises(InputError, match=r"byte 0xff in line 2 of .*x.de"):
        read_lines(tmp_path / "x.de")


def test_a_bomb_of_short_lines_is_refused(tmp_path):
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
