"""Writing files and folders that are whole or missing; refusals of the system in one line."""

import contextlib
import errno
import json
import math
import os
import secrets
import shutil
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from ls_base.errors import FileError, short_repr
from ls_base.safe_open import is_text

_ABANDONED = 24 * 3600  # seconds without a write after which an unfinished folder is removed
_UNFINISHED = "unfinished"


@contextlib.contextmanager
def wrap_os_errors(path: Path) -> Iterator[None]:
    """Turns errors of the operating system into one line that names the path.

    Args:
        path: What is being written.

    Raises:
        FileError: In place of any other `OSError`.
    """
    try:
        yield
    except FileError:
        raise
    except OSError as error:
        raise FileError(
            f"Expected to be able to write {path}. Received: {error.strerror or error}"
        ) from error


def check_writable(path: Path) -> None:
    """Checks that a file or folder could be made at a path; leaves nothing behind.

    It tries to write, because permissions do not restrict root.

    Args:
        path: Of a file or folder, which need not exist, nor its parents.

    Raises:
        FileError: If the nearest existing parent is no folder or can't be written, or if the path
            is not UTF-8, so that no JSON file could name it.
    """
    if not is_text(str(path)):
        raise FileError(f"Expected a path in UTF-8. Received: {short_repr(str(path))}")
    existing = next(place for place in (path, *path.absolute().parents) if place.exists())
    with wrap_os_errors(path):
        if existing != path and not existing.is_dir():
            raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR))
        if existing.is_dir():
            tempfile.TemporaryFile(dir=existing).close()
        elif not os.access(existing, os.W_OK):
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))


def write_bytes(path: Path, content: bytes | memoryview) -> None:
    """Writes a file atomically, also across a power cut.

    Args:
        path: The file; its folder is made.
        content: The file's new content.

    Raises:
        FileError: If it can't be written.
    """
    with atomic_write(path) as temporary:
        temporary.write_bytes(content)


@contextlib.contextmanager
def atomic_write(path: Path) -> Iterator[Path]:
    """Replaces a file once the block has ended without an error, and flushes it to the disk.

    Args:
        path: The file; its folder is made.

    Yields:
        A temporary file beside it, of the same suffix, to be written.

    Raises:
        FileError: If it can't be written.
    """
    temporary = path.with_name(f".{path.stem}.writing{path.suffix}")
    with wrap_os_errors(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            yield temporary
            fsync(temporary)
            temporary.replace(path)
            fsync(path.parent)
        except BaseException:
            temporary.unlink(missing_ok=True)
            raise


def append_line(path: Path, line: str) -> None:
    """Adds a line to a file, and flushes it to the disk.

    Args:
        path: The file; it and its folder must be writable, the file is made if it is missing.
        line: The line, without its end.

    Raises:
        FileError: If it can't be written.
    """
    with wrap_os_errors(path):
        with path.open("a", encoding="utf-8") as file:
            file.write(f"{line}\n")
            file.flush()
            os.fsync(file.fileno())
        fsync(path.parent)


def fsync(path: Path) -> None:
    """Flushes a file, or the names in a folder, to the disk.

    Raises:
        OSError: If the system fails to.
    """
    folder = path.is_dir()
    if folder and os.name == "nt":  # Windows can't open folders; it flushes names at once
        return
    descriptor = os.open(path, os.O_RDWR if os.name == "nt" else os.O_RDONLY)
    try:
        os.fsync(descriptor)
    except OSError as error:
        # Some file systems can't flush folders, and say so.
        if not (folder and error.errno in (errno.EINVAL, errno.ENOTSUP)):
            raise
    finally:
        os.close(descriptor)


def write_json(path: Path, value: Any) -> None:
    """Writes JSON with a final newline, atomically; NaN is written as `NaN`."""
    write_bytes(path, json_bytes(value))


def json_bytes(value: Any) -> bytes:
    """Returns a value as the JSON that `write_json` writes."""
    text = json.dumps(value, indent=2, ensure_ascii=False, allow_nan=True)
    return (text + "\n").encode()


def nan_to_none(value: Any) -> Any:
    """Returns a value for standard JSON: numbers that are not finite become `None`.

    Example:
    >>> nan_to_none({"ece": [0.1, float("nan")], "alpha": 0})
    {'ece': [0.1, None], 'alpha': 0}
    """
    if isinstance(value, Mapping):
        return {key: nan_to_none(inner) for key, inner in value.items()}
    if isinstance(value, Sequence) and not isinstance(value, str):
        return [nan_to_none(inner) for inner in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


@contextlib.contextmanager
def new_folder(path: Path) -> Iterator[Path]:
    """Makes a folder that appears as a whole once the block has ended without an error.

    A killed process leaves its temporary folder; a later call for any folder beside it removes
    temporary folders that were not written to for a day.

    Args:
        path: The new folder: missing yet, or empty. Its parents are made.

    Yields:
        The temporary folder beside `path`, to be filled.

    Raises:
        FileError: If the folder can't be made or renamed.

    Example:
    >>> import tempfile
    >>> path = Path(tempfile.mkdtemp()) / "folder"
    >>> with new_folder(path) as folder:
    ...     _ = (folder / "file").write_text("text")
    >>> [file.name for file in path.iterdir()]
    ['file']
    """
    path = path.absolute()
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}.{_UNFINISHED}")
    with wrap_os_errors(path):
        temporary.mkdir(parents=True)
        for folder in path.parent.glob(f".*.{_UNFINISHED}"):
            if time.time() - _last_write(folder) > _ABANDONED:
                shutil.rmtree(folder, ignore_errors=True)
    try:
        yield temporary
        with wrap_os_errors(path):
            for file in sorted(temporary.rglob("*"), reverse=True):
                if not file.is_symlink():
                    fsync(file)
            fsync(temporary)
            temporary.rename(path)
            fsync(path.parent)
    except BaseException:
        shutil.rmtree(temporary, ignore_errors=True)
        raise


def _last_write(folder: Path) -> float:
    """Returns when a folder or a file below it was last written, in seconds since 1970."""
    try:
        return max(path.lstat().st_mtime for path in (folder, *folder.rglob("*")))
    except OSError:  # its process removes or renames it just now
        return time.time()
