"""Files and folders that are there whole or not at all, and the system's refusals in one line."""

import contextlib
import json
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ls_base.errors import FileError


@contextlib.contextmanager
def writing(path: Path) -> Iterator[None]:
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


def write_bytes(path: Path, content: bytes | memoryview) -> None:
    """Writes a file so that it is there whole or not at all, also after a power cut.

    Args:
        path: The file; its folder is made.
        content: What it will hold.

    Raises:
        FileError: If it can't be written.
    """
    with writing(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary = path.with_name(f".{path.name}.writing")
        try:
            with temporary.open("wb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            temporary.replace(path)
        except BaseException:
            temporary.unlink(missing_ok=True)
            raise


def write_json(path: Path, value: Any) -> None:
    """Writes JSON with a final newline, whole or not at all."""
    text = json.dumps(value, indent=2, ensure_ascii=False, allow_nan=True)
    write_bytes(path, (text + "\n").encode())


def read_json(path: Path) -> Any:
    """Reads JSON.

    Raises:
        FileError: If the file is missing or not JSON.
    """
    try:
        return json.loads(path.read_text())
    except (OSError, ValueError) as error:
        raise FileError(f"Expected a JSON file at {path}. Received: {error}") from error


@contextlib.contextmanager
def new_folder(path: Path, *, mark: str = "writing") -> Iterator[Path]:
    """Makes a folder that is there whole once the block has ended well, and not at all if not.

    Args:
        path: Where it will be: nothing yet, or an empty folder. Its parents are made.
        mark: Stands in the name that it has until then, `.NAME.MARK-PID`.

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
    temporary = path.absolute().with_name(f".{path.absolute().name}.{mark}-{os.getpid()}")
    with writing(path):
        temporary.mkdir(parents=True)
    try:
        yield temporary
        with writing(path):
            temporary.rename(path)
    except BaseException:
        shutil.rmtree(temporary, ignore_errors=True)
        raise
