"""Opens untrusted files: regular files only, of bounded size."""

import errno
import io
import os
import re
import stat
import zlib
from pathlib import Path

from ls_base.errors import FileError, InputError, LsKerasError, reason, short_repr

FREE_BYTES = 1 << 28  # unpacked bytes that are always allowed
_MAX_RATIO = 100  # of unpacked to packed bytes beyond that; deflate reaches about 1,000
_CHUNK = 1 << 20
_NO_TEXT = re.compile("[\0\ud800-\udfff]")


def is_text(value: str) -> bool:
    """Returns whether a string can be a path and can be printed: no NUL, no lone surrogate."""
    return _NO_TEXT.search(value) is None


def is_regular(path: Path) -> bool:
    """Returns whether a path is a regular file; `False` for paths that no file can have."""
    try:
        return stat.S_ISREG(path.stat().st_mode)
    except (OSError, ValueError):
        return False


def resolve_path(path: Path) -> Path:
    """Returns a path without links and `..`; it need not exist.

    Args:
        path: Any path.

    Raises:
        OSError: If links form a loop, which `Path.resolve` reports as a RuntimeError or not at all.
        ValueError: If the path holds a NUL.
    """
    try:
        path.stat()
    except OSError as error:
        if error.errno == errno.ELOOP:
            raise
    return path.resolve()


def expand_user(path: str) -> Path:
    """Returns a path that a user wrote, with `~` expanded.

    Args:
        path: The path.

    Raises:
        InputError: If it holds a NUL, or `~` names an unknown user.
    """
    if not is_text(path):
        raise InputError(f"Expected a path. Received: {short_repr(path)}")
    try:
        return Path(path).expanduser()
    except RuntimeError as error:
        raise InputError(
            f"Expected a path with a known home directory. Received: {short_repr(path)}"
        ) from error


def open_regular(path: Path, *, error: type[LsKerasError] = FileError) -> io.BufferedReader:
    """Opens a regular file for reading; opening a named pipe or a device fails at once.

    Args:
        path: The file; links are followed.
        error: The exception's type.

    Raises:
        LsKerasError: Of the type `error`: if the path is no regular file or can't be opened.
    """
    # Without O_NONBLOCK, opening a named pipe waits for a writer.
    flags = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
    try:
        descriptor = os.open(path, flags)
    except (OSError, ValueError) as refused:  # ValueError: NUL in the name
        raise unreadable(path, refused, error) from refused
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        what = "a folder" if path.is_dir() else "a named pipe, a device or the like"
        raise error(f"Expected a regular file {path}. Received: {what}")
    return io.BufferedReader(io.FileIO(descriptor))


def unreadable(path: object, cause: BaseException, error: type[LsKerasError]) -> LsKerasError:
    """Returns the error about a file that a library could not read.

    Args:
        path: The file, or a description of it.
        cause: What the library raised.
        error: The exception's type.
    """
    return error(f"Expected a readable file {path}. Received: {reason(cause)}")


def read_bytes(
    path: Path, *, max_bytes: int | None = None, error: type[LsKerasError] = FileError
) -> bytes:
    """Reads a regular file as a whole.

    Args:
        path: The file.
        max_bytes: Its largest allowed size; `None`: any.
        error: The exception's type.

    Raises:
        LsKerasError: Of the type `error`: as `open_regular`, or if the file is larger.
    """
    with open_regular(path, error=error) as file:
        size = os.fstat(file.fileno()).st_size
        if max_bytes is not None and size > max_bytes:
            raise error(f"Expected at most {max_bytes:,} bytes in {path}. Received: {size:,}")
        try:
            return file.read()
        except (OSError, MemoryError) as refused:
            raise unreadable(path, refused, error) from refused


def read_end(path: Path, num_bytes: int) -> bytes:
    """Returns the last bytes of a regular file, or all of them if it has fewer.

    Args:
        path: The file.
        num_bytes: How many.

    Raises:
        FileError: As `open_regular`.
    """
    with open_regular(path) as file:
        file.seek(max(0, os.fstat(file.fileno()).st_size - num_bytes))
        return file.read(num_bytes)


def read_unpacked(
    path: Path, *, free: int = FREE_BYTES, error: type[LsKerasError] = FileError
) -> bytes:
    """Reads a regular file as a whole, and unpacks it if its name ends in `.gz`.

    Args:
        path: The file.
        free: As for `check_unpacked`.
        error: The exception's type.

    Raises:
        LsKerasError: Of the type `error`: as `open_regular` or `check_unpacked`, or if the file
            is damaged.
    """
    if path.suffix != ".gz":
        return read_bytes(path, error=error)
    import gzip

    content = bytearray()
    with open_regular(path, error=error) as file, gzip.GzipFile(fileobj=file) as unpacked:
        packed = os.fstat(file.fileno()).st_size
        try:
            while part := unpacked.read(_CHUNK):
                content += part
                check_unpacked(path, packed, len(content), free=free, error=error)
        except LsKerasError:
            raise
        except (OSError, EOFError, zlib.error, MemoryError) as refused:
            raise unreadable(path, refused, error) from refused
    return bytes(content)


def check_unpacked(
    path: Path | str,
    packed: int,
    unpacked: int,
    *,
    free: int = FREE_BYTES,
    error: type[LsKerasError] = FileError,
) -> None:
    """Refuses a small file that would unpack to fill the memory.

    Args:
        path: The file, or a description of it.
        packed: Its bytes.
        unpacked: Its unpacked bytes, as far as they are known.
        free: Unpacked bytes that are always allowed.
        error: The exception's type.

    Raises:
        LsKerasError: Of the type `error`: if `unpacked` is above `free` and above 100 times
            `packed`.
    """
    limit = max(free, _MAX_RATIO * packed)
    if unpacked > limit:
        raise error(
            f"Expected {path} to hold at most {limit:,} bytes unpacked ({free:,}, or {_MAX_RATIO} "
            f"times its own size); unpack it yourself if it is right. Received: {unpacked:,} or "
            "more"
        )


def safe_join(folder: Path, name: str, *, error: type[LsKerasError] = FileError) -> Path:
    """Returns the path of a name inside a folder, as a file in that folder lists it.

    Args:
        folder: The folder.
        name: A relative path.
        error: The exception's type.

    Raises:
        LsKerasError: Of the type `error`: if the name is empty, absolute, leaves the folder through
            `..` or a link, or can't be a path.

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
        inside = bool(name) and is_text(name) and not Path(name).is_absolute()
        inside = inside and ".." not in Path(name).parts
        inside = inside and all(len(os.fsencode(part)) < 256 for part in Path(name).parts)
        inside = inside and resolve_path(path).is_relative_to(folder.resolve())
    except (OSError, ValueError):  # a loop of links, a name too long
        inside = False
    if not inside:
        raise error(f"Expected the name of a file inside {folder}. Received: {short_repr(name)}")
    return path
