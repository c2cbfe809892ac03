import gzip

import pytest

from ls_base.errors import InputError
from lsk_engine.data.own_files import listing, read_file


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
    assert listing(tmp_path) == expected
