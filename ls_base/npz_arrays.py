"""Arrays of an `.npz` file that are read when somebody asks for their values.

What NumPy wrote without compressing it, and is large, stays on the disk, behind a memory map.
"""

import struct
import threading
import zipfile
from collections.abc import Collection, Mapping
from pathlib import Path

import numpy as np

from ls_base.errors import FileError, LsKerasError
from ls_base.npz_schema import ArraySpec, open_archive, read_header, read_npz

_MAPPED = 1 << 26  # bytes from which an array stays on the disk; smaller ones are checked and read
_LOCAL_HEADER = struct.Struct("<4s5H3I2H")  # of a member of a ZIP file


class NpzArray:
    """An array in an `.npz` file: its shape and type are known, its values are read on demand.

    Attributes:
        shape: Its sizes.
        dtype: Its type.
    """

    def __init__(
        self,
        path: Path,
        name: str,
        expected: ArraySpec,
        dtype: np.dtype,
        shape: tuple[int, ...],
        start: int | None,
        error: type[LsKerasError],
    ):
        self.dtype, self.shape = dtype, shape
        self._path, self._name, self._expected, self._error = path, name, expected, error
        self._start = start
        self._values: np.ndarray | None = None
        self._lock = threading.Lock()

    @property
    def ndim(self) -> int:
        """The number of its axes."""
        return len(self.shape)

    @property
    def mapped(self) -> bool:
        """Whether its values stay on the disk."""
        return self._start is not None

    def read(self) -> np.ndarray:
        """Returns its values: read once, or behind a memory map.

        Raises:
            LsKerasError: If the file is damaged.
        """
        with self._lock:
            if self._values is None and self._start is not None:
                self._values = np.memmap(self._path, self.dtype, "r", self._start, self.shape)
            elif self._values is None:
                wanted = {self._name: self._expected}
                self._values = read_npz(self._path, wanted, error=self._error)[self._name]
            return self._values

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, index) -> np.ndarray:
        return self.read()[index]

    def __array__(self, dtype=None, copy=None) -> np.ndarray:
        return np.array(self.read(), dtype, copy=copy)


def open_npz(
    path: Path,
    expected: Mapping[str, ArraySpec],
    *,
    optional: Collection[str] = (),
    error: type[LsKerasError] = FileError,
) -> dict[str, NpzArray]:
    """Opens arrays of an `.npz` file; those that nobody expects are left alone.

    Args:
        path: The file.
        expected: What is promised of each.
        optional: Those of `expected` that need not be there.
        error: What to raise.

    Returns:
        The arrays by name, in the order of `expected`.

    Raises:
        LsKerasError: Of the type `error`, under the same conditions as
            `ls_base.npz_schema.read_npz`; wrong values raise when they are read.
    """
    with open_archive(path, expected, optional=optional, error=error) as (file, archive, present):
        arrays = {}
        for name, member in present.items():
            with archive.open(member) as content:
                dtype, shape, fortran = read_header(
                    content, f"{name} in {path}", expected[name], member.file_size, error
                )
                begin = content.tell()
            start = None
            stored = member.compress_type == zipfile.ZIP_STORED and not fortran
            if stored and member.file_size >= _MAPPED and not expected[name].finite:
                start = _content_of(file, member) + begin
                if start - begin + member.file_size > path.stat().st_size:
                    raise EOFError("the file ends within an array")
            arrays[name] = NpzArray(path, name, expected[name], dtype, shape, start, error)
        return arrays


def _content_of(file, member: zipfile.ZipInfo) -> int:
    """Returns where a stored member's bytes begin: its local header may differ from the list's."""
    file.seek(member.header_offset)
    header = file.read(_LOCAL_HEADER.size)
    if len(header) < _LOCAL_HEADER.size:
        raise EOFError("the file ends within a header")
    *_, name, extra = _LOCAL_HEADER.unpack(header)
    return member.header_offset + _LOCAL_HEADER.size + name + extra
