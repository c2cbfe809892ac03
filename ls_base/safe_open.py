"""Opening files that somebody else may have made: regular ones, of a size that memory holds."""

import errno
import io
import os
import re
import stat
import zlib
from pathlib import Path

from ls_base.errors import FileError, InputError, LsKerasError, reason, short_repr

FREE_BYTES = 1 << 28  # bytes that may be unpacked from however few
RATIO = 100  # and beyond: so many times the packed bytes; deflate's most is about 1,000
_AT_ONCE = 1 << 20
_NO_TEXT = re.compile("[\0\ud800-\udfff]")


def is_text(value: str) -> bool:
    """Returns whether a string can be a path and be printed: without NUL and half characters."""
    return _NO_TEXT.search(value) is None


def is_regular(path: Path) -> bool:
    """Returns whether there is a regular file; of a path that can't be one, false.

    Args:
        path: Any path, also one that is too long for the system.
    """
    try:
        return stat.S_ISREG(path.stat().st_mode)
    except (OSError, ValueError):
        return False


def resolve_path(path: Path) -> Path:
    """Returns a path without links and `..`; it need not be there.

    Args:
        path: Any path.

    Raises:
        OSError: Of a circle of links. `Path.resolve` has a RuntimeError for it, and since Python
            3.13 none.
        ValueError: Of a path with a NUL.
    """
    try:
        path.stat()
    except OSError as error:
        if error.errno == errno.ELOOP:
            raise
    return path.resolve()


def expand_user(path: str) -> Path:
    """Returns a path that a user wrote, `~` expanded.

    Args:
        path: The path.

    Raises:
        InputError: If it has a NUL, or `~` names nobody.
    """
    if not is_text(path):
        raise InputError(f"Expected a path. Received: {short_repr(path)}")
    try:
        return Path(path).expanduser()
    except RuntimeError as error:
        raise InputError(
            f"Expected a path whose ~ is known. Received: {short_repr(path)}"
        ) from error


def open_regular(path: Path, *, error: type[LsKerasError] = FileError) -> io.BufferedReader:
    """Opens a regular file to be read, and never waits for one that is none.

    Args:
        path: The file; links are followed.
        error: What to raise.

    Raises:
        LsKerasError: Of the type `error`: if it is a folder, a named pipe, a device or a circle of
            links, or the system refuses.
    """
    # Without O_NONBLOCK, opening a named pipe waits for somebody to write into it.
    flags = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
    try:
        descriptor = os.open(path, flags)
    except (OSError, ValueError) as refused:  # ValueError: NUL in the name
        raise error(f"Expected a readable file {path}. Received: {reason(refused)}") from refused
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        what = "a folder" if path.is_dir() else "a named pipe, a device or the like"
        raise error(f"Expected a regular file {path}. Received: {what}")
    return io.BufferedReader(io.FileIO(descriptor))


def read_bytes(
    path: Path, *, most: int | None = None, error: type[LsKerasError] = FileError
) -> bytes:
    """Reads a regular file whole.

    Args:
        path: The file.
        most: How many bytes it may have; `None`: any number.
        error: What to raise.

    Raises:
        LsKerasError: Of the type `error`: as `open_regular`, or if the file is larger.
    """
    with open_regular(path, error=error) as file:
        size = os.fstat(file.fileno()).st_size
        if most is not None and size > most:
            raise error(f"Expected at most {most:,} bytes in {path}. Received: {size:,}")
        try:
            return file.read()
        except (OSError, MemoryError) as refused:
            raise error(
                f"Expected a readable file {path}. Received: {reason(refused)}"
            ) from refused


def read_unpacked(
    path: Path, *, free: int = FREE_BYTES, error: type[LsKerasError] = FileError
) -> bytes:
    """Reads a regular file whole, unpacked if its name ends in `.gz`.

    Args:
        path: The file.
        free: As for `check_unpacked`.
        error: What to raise.

    Raises:
        LsKerasError: Of the type `error`: as `open_regular`, if the file is damaged, or as
            `check_unpacked`.
    """
    if path.suffix != ".gz":
        return read_bytes(path, error=error)
    import gzip

    content = bytearray()
    with open_regular(path, error=error) as file, gzip.GzipFile(fileobj=file) as unpacked:
        packed = os.fstat(file.fileno()).st_size
        try:
            while part := unpacked.read(_AT_ONCE):
                content += part
                check_unpacked(path, packed, len(content), free=free, error=error)
        except (OSError, EOFError, zlib.error) as refused:
            if isinstance(refused, LsKerasError):
                raise
            raise error(
                f"Expected a readable file {path}. Received: {reason(refused)}"
            ) from refused
    return bytes(content)


def check_unpacked(
    path: Path | str,
    packed: int,
    unpacked: int,
    *,
    free: int = FREE_BYTES,
    error: type[LsKerasError] = FileError,
) -> None:
    """Refuses what would fill the memory from a small file.

    Args:
        path: The file, or what it is called.
        packed: Its bytes.
        unpacked: What they become, as far as it is known.
        free: Bytes that are never refused.
        error: What to raise.

    Raises:
        LsKerasError: Of the type `error`: if `unpacked` is above `free` and above `RATIO` times
            `packed`.
    """
    most = max(free, RATIO * packed)
    if unpacked > most:
        raise error(
            f"Expected {path} to hold at most {most:,} bytes unpacked ({free:,}, or {RATIO} times "
            f"its own size); if it is meant, unpack it first. Received: {unpacked:,} or more"
        )


def safe_join(folder: Path, name: str, *, error: type[LsKerasError] = FileError) -> Path:
    """Returns the path of what a list in a folder names, if it lies in that folder.

    Args:
        folder: The folder.
        name: A relative path.
        error: What to raise.

    Raises:
        LsKerasError: Of the type `error`: if the name is empty, absolute, climbs out by `..` or by
            a link, or can't be a path.

    Example:
    >>> safe_join(Path("data"), "a/b.wav").as_posix()
    'data/a/b.wav'
    >>> safe_join(Path("data"), "../b.wav")
    Traceback (most recent call last):
        ...
    ls_base.errors.FileError: Expected the name of a file inside data. Received: '../b.wav'
    """
    path = folder / name
    try:
        within = bool(name) and is_text(name) and not Path(name).is_absolute()
        within = within and ".." not in Path(name).parts
        within = within and all(len(os.fsencode(part)) < 256 for part in Path(name).parts)
        within = within and resolve_path(path).is_relative_to(folder.resolve())
    except (OSError, ValueError):  # a circle of links, a name too long
        within = False
    if not within:
        raise error(f"Expected the name of a file inside {folder}. Received: {short_repr(name)}")
    return path
