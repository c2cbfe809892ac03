"""Files with checksums, of which each part is compared with its own when it is first read.

So a data set of any size opens at once, and what is read is what was written all the same: a file
is cut into shards of 1 MiB, and a memory map's shards are hashed one by one, as rows of them are
asked for.
"""

import dataclasses
import hashlib
import threading
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np

from ls_base.errors import InputError
from ls_base.npz import ArraySpec, open_npy
from ls_base.safe_open import is_regular, open_regular, safe_join
from lsk_engine.data.formats.ragged import Ragged, check_offsets
from lsk_engine.data.prepared.file_checks import SHARD, FileChecks, checksum_file


@dataclasses.dataclass(frozen=True)
class CheckedFiles:
    """Files below a folder, by name.

    Attributes:
        path: The folder.
        known: What each is compared with; `None`: with nothing.
    """

    path: Path
    known: Mapping[str, FileChecks | None]
    _whole: set[str] = dataclasses.field(default_factory=set, init=False, compare=False)

    @classmethod
    def of_folder(cls, path: Path) -> "CheckedFiles":
        """Returns the files of a folder that has no checksums.

        Args:
            path: The folder.
        """
        found = (f.relative_to(path).as_posix() for f in path.rglob("*") if f.is_file())
        return cls(path, dict.fromkeys(found))

    def below(self, folder: str) -> "CheckedFiles":
        """Returns the files below one of the folders, by their names there.

        Args:
            folder: Its name.
        """
        start = f"{folder}/"
        known = {n[len(start) :]: c for n, c in self.known.items() if n.startswith(start)}
        return CheckedFiles(safe_join(self.path, folder, error=InputError), known)

    def __contains__(self, name: str) -> bool:
        return name in self.known

    def check_sizes(self) -> None:
        """Compares the size of every file, which reads none.

        Raises:
            InputError: If one is missing, or has another size.
        """
        for name, checks in self.known.items():
            file = safe_join(self.path, name, error=InputError)
            if checks is None:
                continue
            if not is_regular(file):
                raise _changed(file, "bytes", checks.bytes, "no file")
            if (size := file.stat().st_size) != checks.bytes:
                raise _changed(file, "bytes", checks.bytes, size)

    def file(self, name: str) -> Path:
        """Returns the path of a file that was compared as a whole, the first time.

        Args:
            name: Its name.

        Raises:
            InputError: If nobody knows what it should hold, or it holds something else.
        """
        file, checks = self._known(name)
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
        valid: Callable[[np.ndarray, Path], None] = lambda values, file: None,
    ) -> Ragged:
        """Opens rows of unequal length; their values stay on the disk, and are compared by shard.

        Args:
            values: The name of the `.npy` file of the values.
            offsets: Of that of the offsets.
            expected: What is promised of the values.
            valid: Called once with each part of the values, before anybody sees it, and with the
                file; raises an error if they are not what they should be.

        Raises:
            InputError: If a file is damaged; of values, once they are asked for.
        """
        ends = open_npy(self.file(offsets), ArraySpec("i", (None,)), mapped=False, error=InputError)
        mapped, check = self.mapped(values, expected, valid)
        check_offsets(ends, len(mapped), str(self.path / offsets))
        return Ragged(mapped, ends, check)

    def mapped(
        self,
        name: str,
        expected: ArraySpec,
        valid: Callable[[np.ndarray, Path], None] = lambda values, file: None,
    ) -> tuple[np.ndarray, Callable[[np.ndarray, np.ndarray], None] | None]:
        """Opens an array that stays on the disk.

        Args:
            name: The name of its `.npy` file.
            expected: What is promised of it.
            valid: As for `ragged`.

        Returns:
            The array, and what has to be called with the first and the end of ranges along its
            first axis before they are read; `None`: it was compared as a whole.
        """
        file, checks = self._known(name)
        if checks is None or checks.shards is None:
            values = open_npy(self.file(name), expected, error=InputError)
            valid(values, file)
            return values, None
        values = open_npy(file, expected, error=InputError)
        width = values.dtype.itemsize * int(np.prod(values.shape[1:]))
        start = checks.bytes - len(values) * width
        return values, _Shards(file, checks, values, start, width, valid).check

    def content(self, name: str) -> tuple[Path, Callable[[np.ndarray, np.ndarray], None] | None]:
        """Returns a file of any kind that is read piece by piece.

        Args:
            name: Its name.

        Returns:
            Its path, and what has to be called with the first byte and the end of pieces before
            they are read; `None`: it was compared as a whole.
        """
        file, checks = self._known(name)
        if checks is None or checks.shards is None:
            return self.file(name), None
        return file, _Shards(file, checks, np.zeros(0), 0, 1, lambda values, file: None).check

    def _known(self, name: str) -> tuple[Path, FileChecks | None]:
        if name not in self.known:
            raise InputError(
                f"Expected {name} in the list of files of {self.path}; prepare the data set "
                "again. Received: a list without it"
            )
        return safe_join(self.path, name, error=InputError), self.known[name]


class _Shards:
    """Which shards of a memory map were compared."""

    def __init__(self, file, checks, values, start, width, valid):
        self.file, self.expected = file, checks.shards
        self.values, self.start, self.width, self.valid = values, start, width, valid
        self.done = np.zeros(-(-checks.bytes // SHARD), bool)
        self.lock = threading.Lock()
        if len(self.expected) != len(self.done):
            raise InputError(
                f"Expected {len(self.done)} shards of {file}. Received: {len(self.expected)}"
            )

    def check(self, first: np.ndarray, end: np.ndarray) -> None:
        """Compares the shards that ranges of rows are in; an empty range is in none."""
        if self.done.all():
            return
        lowest = (self.start + first * self.width) // SHARD
        highest = (self.start + end * self.width - 1) // SHARD
        for low, high in zip(lowest, highest, strict=True):
            for shard in range(int(low), int(high) + 1):
                if not self.done[shard]:
                    self._compare(shard)

    def _compare(self, shard: int) -> None:
        with self.lock:  # of threads that ask for one shard, one reads it
            if self.done[shard]:
                return
            with open_regular(self.file, error=InputError) as content:
                content.seek(shard * SHARD)
                part = content.read(SHARD)
            found = hashlib.sha256(part).hexdigest()
            if found != self.expected[shard]:
                what = f"sha256 of shard {shard}"
                raise _changed(self.file, what, self.expected[shard], found)
            begin = max(shard * SHARD - self.start, 0) // self.width
            stop = -(-max(shard * SHARD + len(part) - self.start, 0) // self.width)
            self.valid(self.values[begin:stop], self.file)
            self.done[shard] = True


def _changed(file: Path, what: str, expected: object, received: object) -> InputError:
    return InputError(
        f"Expected {file} as it was prepared ({what} {expected}); prepare the data set again, or "
        f"copy it again. Received: {received}"
    )
