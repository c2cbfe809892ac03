"""Files and folders that are there whole or not at all, and the system's refusals in one line."""

import contextlib
import errno
import json
import math
import os
import platform
import re
import secrets
import shutil
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from ls_base.errors import FileError, short_repr
from ls_base.safe_open import is_text

_ABANDONED = 24 * 3600  # seconds after which an unfinished folder is nobody's, wherever it is from
_ALL_PROCESSES = "4026531836"  # Linux's number of the namespace that is no container's


@contextlib.contextmanager
def wrap_os_errors(path: Path) -> Iterator[None]:
    """Turns the operating system's refusal into one line that names the path.

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
    """Tries whether something could be made at a path, and leaves nothing.

    What permissions say is not enough: to root they allow everything.

    Args:
        path: Of a file or folder, which need not be there, nor what it is to lie in.

    Raises:
        FileError: If the nearest folder that is there is none, or can't be written, or if the path
            is no text: no JSON file could name it.
    """
    if not is_text(str(path)):
        raise FileError(
            f"Expected a path whose letters are UTF-8. Received: {short_repr(str(path))}"
        )
    there = next(place for place in (path, *path.absolute().parents) if place.exists())
    with wrap_os_errors(path):
        if there != path and not there.is_dir():
            raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR))
        if there.is_dir():
            tempfile.TemporaryFile(dir=there).close()
        elif not os.access(there, os.W_OK):
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))


def write_bytes(path: Path, content: bytes | memoryview) -> None:
    """Writes a file so that it is there whole or not at all, also after a power cut.

    Args:
        path: The file; its folder is made.
        content: What it will hold.

    Raises:
        FileError: If it can't be written.
    """
    with atomic_write(path) as temporary:
        temporary.write_bytes(content)


@contextlib.contextmanager
def atomic_write(path: Path) -> Iterator[Path]:
    """Makes a file that takes the place of another once the block has ended well, and is on disk.

    Args:
        path: The file; its folder is made.

    Yields:
        A file beside it, of the same suffix, to be written.

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
    """Adds a line to a file, and returns when it is on disk.

    Args:
        path: The file; made if it isn't there, its folder is.
        line: Without its end.

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
    """Waits until a file, or the names in a folder, are on disk.

    Raises:
        OSError: If the system can't promise it.
    """
    folder = path.is_dir()
    if folder and os.name == "nt":  # there folders can't be opened; their names go to disk at once
        return
    descriptor = os.open(path, os.O_RDWR if os.name == "nt" else os.O_RDONLY)
    try:
        os.fsync(descriptor)
    except OSError as error:
        # Some file systems keep no promise about folders, and say so.
        if not (folder and error.errno in (errno.EINVAL, errno.ENOTSUP)):
            raise
    finally:
        os.close(descriptor)


def write_json(path: Path, value: Any) -> None:
    """Writes JSON with a final newline, whole or not at all."""
    write_bytes(path, json_bytes(value))


def json_bytes(value: Any) -> bytes:
    """Returns a value as the JSON that `write_json` writes."""
    text = json.dumps(value, indent=2, ensure_ascii=False, allow_nan=True)
    return (text + "\n").encode()


def nan_to_none(value: Any) -> Any:
    """Returns a value as JSON proper can hold it: numbers that are not finite are `None`.

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
def new_folder(path: Path, *, mark: str = "writing") -> Iterator[Path]:
    """Makes a folder that is there whole once the block has ended well, and not at all if not.

    A process that is killed leaves the temporary folder, which is in nobody's way; what others left
    so beside `path` goes away: see `remove_unfinished`.

    Args:
        path: Where it will be: nothing yet, or an empty folder. Its parents are made.
        mark: Stands in the name that it has until then, `.NAME.TOKEN.MARK-HOST-PID`.

    Yields:
        The temporary folder beside `path`, to be filled.

    Raises:
        FileError: If the system refuses to make or to rename the folder.

    Example:
    >>> import tempfile
    >>> path = Path(tempfile.mkdtemp()) / "folder"
    >>> with new_folder(path) as folder:
    ...     written = (folder / "file").write_text("text")
    >>> [file.name for file in path.iterdir()]
    ['file']
    """
    # Another time, or in another container, a process may have the same number.
    token = secrets.token_hex(4)
    name = f".{path.absolute().name}.{token}.{mark}-{_host()}-{os.getpid()}"
    temporary = path.absolute().with_name(name)
    with wrap_os_errors(path):
        temporary.mkdir(parents=True)
        remove_unfinished(temporary.parent, mark)
    try:
        yield temporary
        with wrap_os_errors(path):
            for file in sorted(temporary.rglob("*"), reverse=True):
                if not file.is_symlink():
                    fsync(file)
            fsync(temporary)
            temporary.rename(path)
            fsync(path.absolute().parent)
    except BaseException:
        shutil.rmtree(temporary, ignore_errors=True)
        raise


def remove_unfinished(folder: Path, mark: str) -> None:
    """Removes what processes left in a folder that were killed inside `new_folder`.

    That is what ended processes of this host left, and, since the folder may be on a file system
    that hosts share, what nobody has written to for a day, wherever it is from.

    Args:
        folder: An existing folder.
        mark: As given to `new_folder`.
    """
    for left in folder.glob(f".*.{mark}-*"):
        origin, _, process = left.name.rpartition("-")
        if process.isdecimal():
            ended = origin.endswith(f".{mark}-{_host()}") and not _runs(int(process))
            if ended or time.time() - _written(left) > _ABANDONED:
                shutil.rmtree(left, ignore_errors=True)


def _host() -> str:
    """Returns this machine's name as part of a file's, and where its process numbers count.

    Containers may share a name and a folder, and each has processes of its own.
    """
    name = re.sub(r"[^\w.-]", "_", platform.node())
    try:
        space = re.sub(r"\D", "", str(Path("/proc/self/ns/pid").readlink()))
    except OSError:  # no Linux
        return name
    return name if space == _ALL_PROCESSES else f"{name}.{space}"


def _runs(process: int) -> bool:
    """Returns whether a process of this host runs, or may run where nobody can ask."""
    if os.name == "nt":  # there, `os.kill` would end it
        return True
    try:
        os.kill(process, 0)
    except (ProcessLookupError, OverflowError):
        return False
    except OSError:
        return True
    return True


def _written(folder: Path) -> float:
    """Returns when a folder, or what is in it, was written to last."""
    try:
        return max(path.lstat().st_mtime for path in (folder, *folder.rglob("*")))
    except OSError:  # its process is finishing
        return time.time()
