"""NumPy's `.npz` and `.npy` files: declared names, types and shapes, or one line that says why not.

Nothing is unpickled, and nothing is allocated for an array before the file is known to hold it.
"""

import contextlib
import dataclasses
import math
import os
import zipfile
import zlib
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from typing import BinaryIO

import numpy as np

from ls_base.errors import FileError, LsKerasError, reason
from ls_base.safe_open import check_unpacked, open_regular

_AT_ONCE = 1 << 20
_LAST_CHARACTER = 0x10FFFF
_READ = {(1, 0): np.lib.format.read_array_header_1_0, (2, 0): np.lib.format.read_array_header_2_0}
_KINDS = {"b": "booleans", "i": "integers", "u": "unsigned integers", "f": "floats", "U": "text"}


@dataclasses.dataclass(frozen=True)
class ArraySpec:
    """What is promised of an array in a file.

    Attributes:
        kinds: The letters of the kinds that it may be of: `b`, `i`, `u`, `f`, `U`; several for any
            of them.
        shape: Its sizes, `None` where any will do; `None`: any shape.
        dtype: Its dtype, where one is promised.
        finite: Whether all its numbers are finite. Of arrays that stay on the disk, this is not
            looked at.
    """

    kinds: str = "biufU"
    shape: tuple[int | None, ...] | None = None
    dtype: str | None = None
    finite: bool = False

    def __str__(self) -> str:
        what = self.dtype or " or ".join(_KINDS[kind] for kind in self.kinds)
        if self.shape is None:
            return what
        sizes = ", ".join("n" if size is None else str(size) for size in self.shape)
        return f"{what} of shape ({sizes}{',' * (len(self.shape) == 1)})"

    def fits(self, dtype: np.dtype, shape: tuple[int, ...]) -> bool:
        """Returns whether an array of this type and shape is what is promised."""
        if dtype.kind not in self.kinds or (self.dtype is not None and dtype != self.dtype):
            return False
        return self.shape is None or (
            len(shape) == len(self.shape)
            and all(want in (None, size) for want, size in zip(self.shape, shape, strict=True))
        )


def read_npz(
    path: Path,
    expected: Mapping[str, ArraySpec],
    *,
    optional: Collection[str] = (),
    error: type[LsKerasError] = FileError,
) -> dict[str, np.ndarray]:
    """Reads arrays of an `.npz` file; those that nobody expects are left alone.

    Args:
        path: The file.
        expected: What is promised of each.
        optional: Those of `expected` that need not be there.
        error: What to raise.

    Returns:
        The arrays by name, in the order of `expected`.

    Raises:
        LsKerasError: Of the type `error`: if the file is damaged, lacks an array, holds one twice,
            pickled or of another type or shape, or would unpack to far more than its size.
    """
    with open_archive(path, expected, optional=optional, error=error) as (_, archive, present):
        arrays = {}
        for name, member in present.items():
            what = f"{name} in {path}"
            with archive.open(member) as content:
                dtype, shape, fortran = read_header(
                    content, what, expected[name], member.file_size, error
                )
                arrays[name] = _filled(content, dtype, shape, fortran)
                content.read(1)  # the end, where zipfile compares the checksum
            _check_values(arrays[name], what, expected[name], error)
        return arrays


@contextlib.contextmanager
def open_archive(
    path: Path,
    expected: Mapping[str, ArraySpec],
    *,
    optional: Collection[str] = (),
    error: type[LsKerasError] = FileError,
) -> Iterator[tuple[BinaryIO, zipfile.ZipFile, dict[str, zipfile.ZipInfo]]]:
    """Opens an `.npz` file; yields it, its archive, and the members that are expected, by name.

    Args:
        path: The file.
        expected: What is promised of each array.
        optional: Those of `expected` that need not be there.
        error: What to raise.

    Raises:
        LsKerasError: Of the type `error`: as `read_npz`, of what is read inside, too.
    """
    with open_regular(path, error=error) as file:
        try:
            with zipfile.ZipFile(file) as archive:
                yield file, archive, _members(path, file, archive, expected, optional, error)
        except LsKerasError:
            raise
        # NotImplementedError: a compression that zipfile does not know; RuntimeError: encrypted.
        except (
            OSError,
            EOFError,
            ValueError,
            KeyError,
            zlib.error,
            zipfile.BadZipFile,
            NotImplementedError,
            RuntimeError,
            MemoryError,
            OverflowError,
        ) as refused:
            raise error(
                f"Expected a readable .npz file {path}. Received: {reason(refused)}"
            ) from refused


def npz_names(path: Path, *, error: type[LsKerasError] = FileError) -> list[str]:
    """Returns the names of the arrays in an `.npz` file.

    Args:
        path: The file.
        error: What to raise.

    Raises:
        LsKerasError: Of the type `error`: if the file is no such archive.
    """
    with open_regular(path, error=error) as file:
        try:
            with zipfile.ZipFile(file) as archive:
                return [name.removesuffix(".npy") for name in archive.namelist()]
        except (OSError, ValueError, zipfile.BadZipFile, NotImplementedError) as refused:
            raise error(
                f"Expected a readable .npz file {path}. Received: {reason(refused)}"
            ) from refused


def open_npy(
    path: Path, expected: ArraySpec, *, mapped: bool = True, error: type[LsKerasError] = FileError
) -> np.ndarray:
    """Opens an `.npy` file.

    Args:
        path: The file.
        expected: What is promised of it.
        mapped: Whether the values stay on the disk, behind a memory map.
        error: What to raise.

    Raises:
        LsKerasError: Of the type `error`: if the file is damaged, pickled, longer or shorter than
            its header says, or of another type or shape.
    """
    with open_regular(path, error=error) as file:
        dtype, shape, fortran = _header(file, str(path), expected, error)
        start, size = file.tell(), os.fstat(file.fileno()).st_size
        _check_size(str(path), size - start, dtype, shape, error)
        if not mapped:
            values = _filled(file, dtype, shape, fortran)
            _check_values(values, str(path), expected, error)
            return values
    order = "F" if fortran else "C"
    return np.memmap(path, dtype, "r", start, shape, order)  # type: ignore[call-overload]


def read_header(
    file, what: str, expected: ArraySpec, size: int, error: type[LsKerasError] = FileError
) -> tuple[np.dtype, tuple[int, ...], bool]:
    """Reads the header of an array in `.npy` form, and holds it to what is expected.

    Args:
        file: Opened at its beginning.
        what: What it is called in an error.
        expected: What is promised of it.
        size: Bytes of the whole.
        error: What to raise.

    Returns:
        Type, shape, and whether the first axis varies fastest.

    Raises:
        LsKerasError: Of the type `error`: if it is another, or of another size than it says.
    """
    dtype, shape, fortran = _header(file, what, expected, error)
    _check_size(what, size - file.tell(), dtype, shape, error)
    return dtype, shape, fortran


def _members(
    path: Path,
    file: BinaryIO,
    archive: zipfile.ZipFile,
    expected: Mapping[str, ArraySpec],
    optional: Collection[str],
    error: type[LsKerasError],
) -> dict[str, zipfile.ZipInfo]:
    """Returns the members that are expected, which unpack to what their size allows."""
    members: dict[str, zipfile.ZipInfo] = {}
    for member in archive.infolist():
        if member.filename in members:
            raise error(f"Expected {member.filename} once in {path}. Received: it twice")
        members[member.filename] = member
    wanted = {name: members.get(f"{name}.npy") for name in expected}
    for name, found in wanted.items():
        if found is None and name not in optional:
            there = ", ".join(name.removesuffix(".npy") for name in [*members][:12]) or "nothing"
            raise error(f"Expected an array {name!r} in {path}. Received: {there}")
    present = {name: found for name, found in wanted.items() if found is not None}
    packed = os.fstat(file.fileno()).st_size
    unpacked = sum(member.file_size for member in present.values())
    check_unpacked(path, packed, unpacked, error=error)
    return present


def _header(
    file, what: str, expected: ArraySpec, error: type[LsKerasError]
) -> tuple[np.dtype, tuple[int, ...], bool]:
    """Reads the header of an array, and holds it to what is expected."""
    try:
        version = np.lib.format.read_magic(file)
        shape, fortran, dtype = _READ[version](file)
    except Exception as refused:  # NumPy evaluates text: its parser raises whatever it likes
        raise error(
            f"Expected {what} to be an array that NumPy saved. Received: {reason(refused)}"
        ) from refused
    received = f"{dtype} of shape {shape}"
    if dtype.hasobject:
        raise error(f"Expected {what} to be {expected}. Received: pickled objects")
    if not expected.fits(dtype, shape) or any(size < 0 for size in shape):
        raise error(f"Expected {what} to be {expected}. Received: {received[:200]}")
    return dtype, shape, fortran


def _check_size(
    what: str, size: int, dtype: np.dtype, shape: tuple[int, ...], error: type[LsKerasError]
) -> None:
    needed = math.prod(shape) * dtype.itemsize
    if needed != size:
        raise error(
            f"Expected {needed:,} bytes of {dtype} of shape {shape} in {what}. Received: {size:,}"
        )


def _filled(file, dtype: np.dtype, shape: tuple[int, ...], fortran: bool) -> np.ndarray:
    values = np.empty(math.prod(shape), dtype)
    if values.nbytes:
        into = values.view(np.uint8)
        done = 0
        while done < len(into):
            part = file.read(min(_AT_ONCE, len(into) - done))
            if not part:
                raise EOFError("the file ends within an array")
            into[done : done + len(part)] = np.frombuffer(part, np.uint8)
            done += len(part)
    return values.reshape(shape, order="F" if fortran else "C")


def _check_values(
    values: np.ndarray, what: str, expected: ArraySpec, error: type[LsKerasError]
) -> None:
    if expected.finite and values.dtype.kind == "f" and not np.isfinite(values).all():
        wrong = values[~np.isfinite(values)][0]
        raise error(f"Expected finite numbers in {what}. Received: {wrong}")
    if values.dtype.kind == "U" and values.size:
        codes = values.reshape(-1).view(np.dtype(np.uint32).newbyteorder(values.dtype.byteorder))
        if (codes > _LAST_CHARACTER).any() or ((codes >= 0xD800) & (codes < 0xE000)).any():
            raise error(f"Expected text in {what}. Received: codes that are no characters")
