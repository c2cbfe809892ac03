"""NumPy's `.npz` and `.npy` files: arrays of declared types and shapes, or one line that says why.

Nothing is unpickled. Large arrays that NumPy stored without compression stay on the disk, behind a
memory map.
"""

import contextlib
import dataclasses
import math
import os
import struct
import threading
import zipfile
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from typing import BinaryIO

import numpy as np

from ls_base.errors import FileError, LsKerasError
from ls_base.safe_open import check_unpacked, open_regular, unreadable

_MAPPED = 1 << 26  # bytes from which an array stays on the disk
_LAST_CHARACTER = 0x10FFFF
_LOCAL_HEADER = struct.Struct("<4s5H3I2H")  # of a member of a ZIP file
_READ_HEADER = {
    (1, 0): np.lib.format.read_array_header_1_0,
    (2, 0): np.lib.format.read_array_header_2_0,
}
_KINDS = {"b": "booleans", "i": "integers", "u": "unsigned integers", "f": "floats", "U": "text"}


@dataclasses.dataclass(frozen=True)
class ArraySpec:
    """The expected type and shape of an array in a file.

    Attributes:
        kinds: The letters of the NumPy kinds it may have: `b`, `i`, `u`, `f`, `U`.
        shape: Its sizes, `None` where any will do; `None`: any shape.
    """

    kinds: str = "biufU"
    shape: tuple[int | None, ...] | None = None

    def __str__(self) -> str:
        what = " or ".join(_KINDS[kind] for kind in self.kinds)
        if self.shape is None:
            return what
        sizes = ", ".join("n" if size is None else str(size) for size in self.shape)
        return f"{what} of shape ({sizes}{',' * (len(self.shape) == 1)})"

    def check(
        self, dtype: np.dtype, shape: tuple[int, ...], what: str, error: type[LsKerasError]
    ) -> None:
        """Raises an error of the type `error` for an array of another type or shape."""
        fits = dtype.kind in self.kinds and min(shape, default=0) >= 0
        if fits and self.shape is not None:
            fits = len(shape) == len(self.shape) and all(
                want in (None, size) for want, size in zip(self.shape, shape, strict=True)
            )
        if not fits:
            received = f"{dtype} of shape {shape}"[:200]
            raise error(f"Expected {what} to be {self}. Received: {received}")


class NpzArray:
    """An array in an `.npz` file: its shape and type are known, its values are read on demand.

    Attributes:
        shape: Its sizes.
        dtype: Its type.
        mapped: Whether its values stay on the disk.
    """

    def __init__(
        self,
        path: Path,
        name: str,
        dtype: np.dtype,
        shape: tuple[int, ...],
        start: int | None,
        error: type[LsKerasError],
    ):
        self.dtype, self.shape, self.mapped = dtype, shape, start is not None
        self._path, self._name, self._start, self._error = path, name, start, error
        self._values: np.ndarray | None = None
        self._lock = threading.Lock()

    @property
    def ndim(self) -> int:
        """The number of its axes."""
        return len(self.shape)

    def read(self) -> np.ndarray:
        """Returns its values: read once, or behind a memory map.

        Raises:
            LsKerasError: If the file is damaged.
        """
        with self._lock:
            if self._values is None and self._start is not None:
                self._values = np.memmap(self._path, self.dtype, "r", self._start, self.shape)
            elif self._values is None:
                wanted = {self._name: ArraySpec()}
                self._values = read_npz(self._path, wanted, error=self._error)[self._name]
            return self._values

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, index) -> np.ndarray:
        return self.read()[index]

    def __array__(self, dtype=None, copy=None) -> np.ndarray:
        return np.array(self.read(), dtype, copy=copy)


def read_npz(
    path: Path,
    expected: Mapping[str, ArraySpec],
    *,
    optional: Collection[str] = (),
    error: type[LsKerasError] = FileError,
) -> dict[str, np.ndarray]:
    """Reads arrays of an `.npz` file; other arrays in it are not read.

    Args:
        path: The file.
        expected: The type and shape of each array, by name.
        optional: Those of `expected` that may be missing.
        error: The exception's type.

    Returns:
        The arrays by name, in the order of `expected`.

    Raises:
        LsKerasError: Of the type `error`: if the file is damaged, lacks an array, holds a pickled
            one or one of another type or shape, or would unpack to far more than its size.
    """
    with _open_archive(path, expected, optional, error) as (_, archive, members):
        arrays = {}
        for name, member in members.items():
            with archive.open(member) as content:
                array = np.lib.format.read_array(content, allow_pickle=False)
                if content.read(1):  # at the end, zipfile compares the checksum
                    raise ValueError(f"{name} with more bytes than its shape says")
            expected[name].check(array.dtype, array.shape, f"{name} in {path}", error)
            _check_text(array, name)
            arrays[name] = array
        return arrays


def open_npz(
    path: Path,
    expected: Mapping[str, ArraySpec],
    *,
    optional: Collection[str] = (),
    error: type[LsKerasError] = FileError,
) -> dict[str, NpzArray]:
    """Opens arrays of an `.npz` file; their values are read on demand.

    Args:
        path: The file.
        expected: The type and shape of each array, by name.
        optional: Those of `expected` that may be missing.
        error: The exception's type.

    Returns:
        The arrays by name, in the order of `expected`.

    Raises:
        LsKerasError: As `read_npz`; damaged values raise when they are read.
    """
    with _open_archive(path, expected, optional, error) as (file, archive, members):
        arrays = {}
        for name, member in members.items():
            with archive.open(member) as content:
                version = np.lib.format.read_magic(content)
                shape, fortran, dtype = _READ_HEADER[version](content)
                begin = content.tell()
            expected[name].check(dtype, shape, f"{name} in {path}", error)
            if begin + math.prod(shape) * dtype.itemsize != member.file_size:
                raise ValueError(f"{name} with {member.file_size:,} bytes, other than its shape")
            start = None
            stored = member.compress_type == zipfile.ZIP_STORED and not fortran
            if stored and member.file_size >= _MAPPED:
                start = _content_start(file, member) + begin
                if start - begin + member.file_size > os.fstat(file.fileno()).st_size:
                    raise EOFError("the file ends within an array")
            arrays[name] = NpzArray(path, name, dtype, shape, start, error)
        return arrays


def npz_names(path: Path, *, error: type[LsKerasError] = FileError) -> list[str]:
    """Returns the names of the arrays in an `.npz` file.

    Args:
        path: The file.
        error: The exception's type.

    Raises:
        LsKerasError: Of the type `error`: if the file is no such archive.
    """
    with _open_archive(path, {}, (), error) as (_, archive, _):
        return [name.removesuffix(".npy") for name in archive.namelist()]


def open_npy(
    path: Path, expected: ArraySpec, *, mapped: bool = True, error: type[LsKerasError] = FileError
) -> np.ndarray:
    """Opens an `.npy` file.

    Args:
        path: The file.
        expected: The type and shape of the array.
        mapped: Whether the values stay on the disk, behind a memory map.
        error: The exception's type.

    Raises:
        LsKerasError: Of the type `error`: if the file is damaged, pickled, longer or shorter than
            its header says, or of another type or shape.
    """
    with open_regular(path, error=error) as file, _explain(path, error):
        array = np.lib.format.open_memmap(path, mode="r")
        if array.offset + array.nbytes != os.fstat(file.fileno()).st_size:
            raise ValueError("more bytes than the array's shape says")
        expected.check(array.dtype, array.shape, str(path), error)
        if mapped:
            return array
        values = np.array(array)
        _check_text(values, "an array")
        return values


@contextlib.contextmanager
def _explain(path: Path, error: type[LsKerasError]) -> Iterator[None]:
    """Turns whatever NumPy and zipfile raise about a damaged file into one line."""
    try:
        yield
    except LsKerasError:
        raise
    except Exception as cause:  # NumPy evaluates headers: its parser raises anything
        raise unreadable(path, cause, error) from cause


@contextlib.contextmanager
def _open_archive(
    path: Path,
    expected: Mapping[str, ArraySpec],
    optional: Collection[str],
    error: type[LsKerasError],
) -> Iterator[tuple[BinaryIO, zipfile.ZipFile, dict[str, zipfile.ZipInfo]]]:
    """Opens an `.npz` file; yields it, its archive, and the expected members by name."""
    with (
        open_regular(path, error=error) as file,
        _explain(path, error),
        zipfile.ZipFile(file) as archive,
    ):
        known = {member.filename.removesuffix(".npy"): member for member in archive.infolist()}
        for name in expected:
            if name not in known and name not in optional:
                found = ", ".join([*known][:12]) or "nothing"
                raise error(f"Expected an array {name!r} in {path}. Received: {found}")
        members = {name: known[name] for name in expected if name in known}
        unpacked = sum(member.file_size for member in members.values())
        check_unpacked(path, os.fstat(file.fileno()).st_size, unpacked, error=error)
        yield file, archive, members


def _content_start(file: BinaryIO, member: zipfile.ZipInfo) -> int:
    """Returns where a stored member's bytes begin; its local header may differ from the list's."""
    file.seek(member.header_offset)
    *_, name, extra = _LOCAL_HEADER.unpack(file.read(_LOCAL_HEADER.size))
    return member.header_offset + _LOCAL_HEADER.size + name + extra


def _check_text(array: np.ndarray, name: str) -> None:
    """Refuses codes that are no characters: Python raises a SystemError for such text later."""
    if array.dtype.kind == "U" and array.size:
        codes = np.ascontiguousarray(array).reshape(-1)
        codes = codes.view(np.dtype(np.uint32).newbyteorder(array.dtype.byteorder))
        if ((codes > _LAST_CHARACTER) | ((codes >= 0xD800) & (codes < 0xE000))).any():
            raise ValueError(f"{name}, whose text holds codes that are no characters")
