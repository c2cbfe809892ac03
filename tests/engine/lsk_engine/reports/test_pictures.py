import base64
import os

import pytest

from ls_base.errors import FileError
from lsk_engine.reports.pictures import read_picture
from reported_runs import png


def test_a_picture_is_its_bytes_and_its_size(tmp_path):
    file = tmp_path / "a.png"
    file.write_bytes(png(30, 20))
    found = read_picture(file)
    assert (found.width, found.height) == (30, 20)
    assert base64.b64decode(found.data) == png(30, 20)


@pytest.mark.parametrize(
    ("content", "received"),
    [
        (b"", "something else"),
        (b"<svg onload=alert(1)>", "something else"),
        (png()[:-5], "one without its end"),
        (png(2**20, 2), r"1048576 × 2"),
    ],
)
def test_what_is_no_picture_is_told(tmp_path, content, received):
    file = tmp_path / "a.png"
    file.write_bytes(content)
    with pytest.raises(FileError, match=f"a.png. Received: {received}"):
        read_picture(file)


def test_a_pipe_is_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "a.png")
    with pytest.raises(FileError, match="named pipe"):
        read_picture(tmp_path / "a.png")
