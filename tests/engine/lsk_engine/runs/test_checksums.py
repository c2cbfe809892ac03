import json

import pytest

from ls_base.errors import FileError
from lsk_engine.runs.checksums import Checksums

A, B, C = (
    # printf a | sha256sum, and so on
    "ca978112ca1bbdcafac231b39a23dc4da786eff8147c4e72b9807785afee48bb",
    "3e23e8160039594a33894f6564e1b1348bbd7a0088d42c4acb73eeaed59c009d",
    "2e7d2c03a9507ae265ecf5b5356885a53393a2029d241394997265a1a25aefc6",
)


def test_a_file_is_what_was_noted_last_or_before(tmp_path):
    """A process may be killed between the note and the file."""
    checksums = Checksums(tmp_path)
    file = tmp_path / "folder" / "x"
    file.parent.mkdir()
    for content, digest in (("a", A), ("b", B)):
        checksums.add(file, digest)
        file.write_text(content)
        checksums.check(file)
    checksums.add(file, C)
    checksums.check(file)
    checksums.check_content(file, b"c")
    file.write_text("a")
    with pytest.raises(FileError, match=f"folder/x as the run wrote it.*{C[:12]}.*{A[:12]}"):
        checksums.check(file)
    with pytest.raises(FileError, match="Received: 2d711642b726"):
        checksums.check_content(file, b"x")
    assert json.loads(checksums.file.read_text())["files"] == {"folder/x": [C, B]}


def test_a_file_survives_that_was_about_to_be_replaced_twice(tmp_path):
    checksums = Checksums(tmp_path)
    (tmp_path / "x").write_text("a")  # of a run from before there were checksums
    for digest in (B, C):
        checksums.add(tmp_path / "x", digest)  # and the process is killed
        checksums.check(tmp_path / "x")
    (tmp_path / "x").write_text("d")  # damaged, and then written anew
    checksums.add(tmp_path / "x", B)
    with pytest.raises(FileError):
        checksums.check(tmp_path / "x")


def test_files_without_a_checksum_are_taken_as_they_are(tmp_path):
    (tmp_path / "x").write_text("a")
    Checksums(tmp_path).check(tmp_path / "x")
    Checksums(tmp_path).add(tmp_path / "y", A)
    Checksums(tmp_path).check(tmp_path / "x")


@pytest.mark.parametrize("content", ["", "{}", '{"schema": 1}', '{"schema": 1, "files": {"x": 1}}'])
def test_checksums_that_are_none_are_refused(tmp_path, content):
    checksums = Checksums(tmp_path)
    checksums.file.write_text(content)
    (tmp_path / "x").write_text("a")
    with pytest.raises(FileError, match="checksums.json"):
        checksums.check(tmp_path / "x")
