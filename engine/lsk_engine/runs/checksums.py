"""What the files of a run were when the run wrote them, and whether they still are."""

import hashlib
from os.path import lexists
from pathlib import Path

from ls_base.errors import FileError
from ls_base.files import write_json
from ls_base.records import Record, read_record
from ls_base.safe_open import is_regular, open_regular

FILE = "checksums.json"
_SCHEMA = 1


class Checksums:
    """The SHA-256 of each file that a run wrote, in `checksums.json`.

    A file's checksum is noted before the file is put in place, beside that of the one that is
    there: whenever a process is killed, the file is one of the two. Files without a checksum, such
    as those of a run that was made before there were any, are taken as they are.

    Args:
        folder: The run's folder.
    """

    def __init__(self, folder: Path):
        self.folder, self.file = folder, folder / FILE

    def note(self, file: Path, digest: str) -> None:
        """Notes what a file is going to be.

        Args:
            file: A file inside the run.
            digest: Its SHA-256, hexadecimal.

        Raises:
            FileError: If `checksums.json` can't be read or written.
        """
        files = self._read()
        name = self._name(file)
        known = files.get(name)
        before = _sha256(file) if is_regular(file) else digest
        kept = before != digest and (known is None or before in known)
        files[name] = (digest, before) if kept else (digest,)
        write_json(self.file, {"schema": _SCHEMA, "files": dict(sorted(files.items()))})

    def check(self, file: Path) -> None:
        """Refuses a file that is not what the run wrote.

        Args:
            file: A file inside the run; it is read once.

        Raises:
            FileError: If it is another, or can't be read.
        """
        if known := self._read().get(self._name(file)):
            self._compare(file, _sha256(file), known)

    def check_content(self, file: Path, content: bytes) -> None:
        """Does what `check` does with a file that was read already.

        Args:
            file: A file inside the run.
            content: What it holds.

        Raises:
            FileError: If it is another.
        """
        if known := self._read().get(self._name(file)):
            self._compare(file, hashlib.sha256(content).hexdigest(), known)

    def _compare(self, file: Path, found: str, known: tuple[str, ...]) -> None:
        if found not in known:
            raise FileError(
                f"Expected {file} as the run wrote it, with the SHA-256 {known[0][:12]}…; take it "
                f"from a copy of the run or, if the change is meant, its line out of {self.file}. "
                f"Received: {found[:12]}…"
            )

    def _name(self, file: Path) -> str:
        return file.relative_to(self.folder).as_posix()

    def _read(self) -> dict[str, tuple[str, ...]]:
        if not lexists(self.file):
            return {}
        return dict(read_record(self.file, _Stored, schema=_SCHEMA).files)


def _sha256(file: Path) -> str:
    with open_regular(file) as content:
        return hashlib.file_digest(content, "sha256").hexdigest()


class _Stored(Record, frozen=True):
    files: dict[str, tuple[str, ...]]
