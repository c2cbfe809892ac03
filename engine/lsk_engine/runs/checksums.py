"""Checksums of a run's files: files that changed after the run wrote them are refused."""

import hashlib
from os.path import lexists
from pathlib import Path

from ls_base.errors import FileError
from ls_base.files import write_json
from ls_base.records import Record, read_record
from ls_base.safe_open import is_regular, open_regular

_SCHEMA = 1


class Checksums:
    """The SHA-256 of each file of a run, in `checksums.json`.

    A new checksum is stored before the new file replaces the old one, beside the old checksum:
    whenever the process is killed, the file has one of the two. Files without a checksum are not
    checked.

    Args:
        folder: The run's folder.
    """

    def __init__(self, folder: Path):
        self.folder, self.file = folder, folder / "checksums.json"

    def add(self, file: Path, digest: str) -> None:
        """Stores the checksum of a file that is about to be written.

        Args:
            file: A file inside the run.
            digest: Its SHA-256, hexadecimal.

        Raises:
            FileError: If `checksums.json` can't be read or written.
        """
        files, name = self._read(), self._name(file)
        known = files.get(name)
        before = sha256(file) if is_regular(file) else digest
        keep_old = before != digest and (known is None or before in known)
        files[name] = (digest, before) if keep_old else (digest,)
        write_json(self.file, {"schema": _SCHEMA, "files": dict(sorted(files.items()))})

    def check(self, file: Path) -> None:
        """Refuses a file that the run did not write; the file is read once.

        Args:
            file: A file inside the run.

        Raises:
            FileError: If it has another checksum or can't be read.
        """
        if known := self._read().get(self._name(file)):
            self._compare(file, sha256(file), known)

    def check_content(self, file: Path, content: bytes) -> None:
        """Does the same for a file whose content was read already.

        Args:
            file: A file inside the run.
            content: Its content.

        Raises:
            FileError: If it has another checksum.
        """
        if known := self._read().get(self._name(file)):
            self._compare(file, hashlib.sha256(content).hexdigest(), known)

    def _compare(self, file: Path, found: str, known: tuple[str, ...]) -> None:
        if found not in known:
            raise FileError(
                f"Expected {file} as the run wrote it, with the SHA-256 {known[0][:12]}…; restore "
                "it from a copy of the run or, if you changed it on purpose, remove its line from "
                f"{self.file}. Received: {found[:12]}…"
            )

    def _name(self, file: Path) -> str:
        return file.relative_to(self.folder).as_posix()

    def _read(self) -> dict[str, tuple[str, ...]]:
        if not lexists(self.file):
            return {}
        return dict(read_record(self.file, _Stored, schema=_SCHEMA).files)


def sha256(file: Path) -> str:
    """Returns the SHA-256 of a regular file, hexadecimal."""
    with open_regular(file) as content:
        return hashlib.file_digest(content, "sha256").hexdigest()


class _Stored(Record, frozen=True):
    files: dict[str, tuple[str, ...]]
