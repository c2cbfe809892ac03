"""Files with checksums: each part is compared with its checksum when it is first read.

So a data set of any size opens at once, and damage is still noticed: a large file is divided into
shards of 1 MiB, and those of a memory map are hashed one by one, as rows in them are needed.
"""

import dataclasses
import hashlib
import os
import threading
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np

from ls_base.errors import InputError
from ls_base.npz import ArraySpec, open_npy
from ls_base.records import Count, Record
from ls_base.safe_open import is_regular, open_regular, safe_join
from lsk_engine.data.formats.ragged import Ragged, check_offsets

# Bytes. A first row costs the hash of its shard, and a data fingerprint reads 1,024 rows of each
# split: with 1 MiB, that takes a second. The hashes of 500 GB take 33 MB.
SHARD = 1 << 20

CheckRanges = Callable[[np.ndarray, np.ndarray], None]


class FileChecks(Record, frozen=True):
    """The size and checksums of a file.

    Attributes:
        bytes: Its size.
        sha256: The hash of the whole file.
        shards: The hash of each `SHARD` bytes, the last of fewer; `None`: the file has one shard.
    """

    bytes: Count
    sha256: str
    shards: list[str] | None = None


def checksum_file(file: Path, *, flush: bool = False) -> FileChecks:
    """Reads a file of any size once, and returns its size and checksums.

    Args:
        file: The file.
        flush: Whether to flush it to the disk.
    """
    whole, shards = hashlib.sha256(), []
    with open_regular(file, error=InputError) as content:
        while part := content.read(SHARD):
            whole.update(part)
            shards.append(hashlib.sha256(part).hexdigest())
        if flush:
            os.fsync(content.fileno())
        size = content.tell()
    return FileChecks(bytes=size, sha256=whole.hexdigest(), shards=shards if size > SHARD else None)


@dataclasses.dataclass(frozen=True)
class CheckedFiles:
    """Files below a folder, by name.

    Attributes:
        path: The folder.
        known: The checksums of each file; `None`: it is not checked.
    """

    path: Path
    known: Mapping[str, FileChecks | None]
    _whole: set[str] = dataclasses.field(default_factory=set, init=False, compare=False)

    @classmethod
    def of_folder(cls, path: Path) -> "CheckedFiles":
        """Returns the files of a folder without checksums."""
        found = (f.relative_to(path).as_posix() for f in path.rglob("*") if f.is_file())
        return cls(path, dict.fromkeys(found))

    def below(self, folder: str) -> "CheckedFiles":
        """Returns the files below a subfolder, by their names in it."""
        start = f"{folder}/"
        known = {n[len(start) :]: c for n, c in self.known.items() if n.startswith(start)}
        return CheckedFiles(safe_join(self.path, folder, error=InputError), known)

    def __contains__(self, name: str) -> bool:
        return name in self.known

    def check_sizes(self) -> None:
        """Compares the size of every file, without reading any.

        Raises:
            InputError: If a file is missing, or has another size.
        """
        for name, checks in self.known.items():
            file = safe_join(self.path, name, error=InputError)
            if checks is not None:
                size = file.stat().st_size if is_regular(file) else "no file"
                if size != checks.bytes:
                    raise _changed(file, "bytes", checks.bytes, size)

    def file(self, name: str) -> Path:
        """Returns the path of a file; the first time, the whole file is compared.

        Args:
            name: The file's name.

        Raises:
            InputError: If the file is not listed, or was changed.
        """
        file, checks = self._find(name)
        if checks is not None and name not in self._whole:
            found = checksum_file(file) if is_regular(file) else None
            for what in ("bytes", "sha256"):
                received = "no file" if found is None else getattr(found, what)
                if received != getattr(checks, what):
                    raise _changed(file, what, getattr(checks, what), received)
            self._whole.add(name)
        return file

    def ragged(
        self,
        values: str,
        offsets: str,
        expected: ArraySpec,
        validate: Callable[[np.ndarray, Path], None] = lambda values, file: None,
    ) -> Ragged:
        """Opens rows of unequal length; their values stay on the disk, and are checked by shard.

        Args:
            values: The name of the `.npy` file of the values.
            offsets: The name of the `.npy` file of the offsets.
            expected: The expected type and shape of the values.
            validate: Called once with each part of the values before it is used, and with the
                file; raises an error for wrong values.

        Raises:
            InputError: If a file is damaged; for values, once they are needed.
        """
        ends = open_npy(self.file(offsets), ArraySpec("i", (None,)), mapped=False, error=InputError)
        mapped, check = self.mapped(values, expected, validate)
        check_offsets(ends, len(mapped), str(self.path / offsets))
        return Ragged(mapped, ends, check)

    def mapped(
        self,
        name: str,
        expected: ArraySpec,
        validate: Callable[[np.ndarray, Path], None] = lambda values, file: None,
    ) -> tuple[np.ndarray, CheckRanges | None]:
        """Opens an array that stays on the disk.

        Args:
            name: The name of its `.npy` file.
            expected: Its expected type and shape.
            validate: As for `ragged`.

        Returns:
            The array, and a function to call with the first and the end of ranges along its first
            axis before they are read; `None`: the whole file was compared.
        """
        file, checks = self._find(name)
        if checks is None or checks.shards is None:
            values = open_npy(self.file(name), expected, error=InputError)
            validate(values, file)
            return values, None
        values = open_npy(file, expected, error=InputError)
        width = values.dtype.itemsize * int(np.prod(values.shape[1:]))
        start = checks.bytes - len(values) * width
        return values, _Shards(file, checks, values, start, width, validate).check

    def content(self, name: str) -> tuple[Path, CheckRanges | None]:
        """Returns a file of any kind that is read in pieces.

        Args:
            name: The file's name.

        Returns:
            Its path, and a function to call with the first byte and the end of pieces before they
            are read; `None`: the whole file was compared.
        """
        file, checks = self._find(name)
        if checks is None or checks.shards is None:
            return self.file(name), None
        return file, _Shards(file, checks, np.zeros(0), 0, 1, lambda values, file: None).check

    def _find(self, name: str) -> tuple[Path, FileChecks | None]:
        if name not in self.known:
            raise InputError(
                f"Expected {name} in the list of files of {self.path}; prepare the data set "
                "again. Received: a list without it"
            )
        return safe_join(self.path, name, error=InputError), self.known[name]


class _Shards:
    """The shards of a memory map, and which of them were compared."""

    def __init__(self, file, checks, values, start, width, validate):
        self.file, self.expected = file, checks.shards
        self.values, self.start, self.width, self.validate = values, start, width, validate
        self.done = np.zeros(-(-checks.bytes // SHARD), bool)
        self.lock = threading.Lock()
        if len(self.expected) != len(self.done):
            raise InputError(
                f"Expected {len(self.done)} shards of {file}. Received: {len(self.expected)}"
            )

    def check(self, first: np.ndarray, end: np.ndarray) -> None:
        """Compares the shards of ranges of rows; an empty range has none."""
        if self.done.all():
            return
        lowest = (self.start + first * self.width) // SHARD
        highest = (self.start + end * self.width - 1) // SHARD
        for low, high in zip(lowest, highest, strict=True):
            for shard in range(int(low), int(high) + 1):
                if not self.done[shard]:
                    self._compare(shard)

    def _compare(self, shard: int) -> None:
        with self.lock:  # one thread reads a shard that several need
            if self.done[shard]:
                return
            with open_regular(self.file, error=InputError) as content:
                content.seek(shard * SHARD)
                part = content.read(SHARD)
            found = hashlib.sha256(part).hexdigest()
            if found != self.expected[shard]:
                raise _changed(self.file, f"sha256 of shard {shard}", self.expected[shard], found)
            begin = max(shard * SHARD - self.start, 0) // self.width
            stop = -(-max(shard * SHARD + len(part) - self.start, 0) // self.width)
            self.validate(self.values[begin:stop], self.file)
            self.done[shard] = True


def _changed(file: Path, what: str, expected: object, received: object) -> InputError:
    return InputError(
        f"Expected {file} as it was prepared ({what} {expected}); prepare the data set again, or "
        f"copy it again. Received: {received}"
    )
