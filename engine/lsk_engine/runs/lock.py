"""Locks between processes, which none leaves behind: the system frees them when they end."""

import contextlib
from collections.abc import Iterator
from pathlib import Path

from filelock import FileLock, Timeout

from ls_base.errors import FileError
from ls_base.files import writing


@contextlib.contextmanager
def locked(file: Path, *, wait: bool, again: bool = False, patience: float = 0.0) -> Iterator[None]:
    """Holds the lock of a file while the block runs.

    Args:
        file: A file of its own, made if it isn't there; it stays.
        wait: Whether to wait while another process has the lock.
        again: Whether a thread that holds it by `again` already may come in once more.
        patience: Seconds that it is tried for where `wait` is false.

    Raises:
        BlockingIOError: If another process has it, and `wait` is false.
        FileError: If the file can't be made.

    Example:
    >>> import tempfile
    >>> file = Path(tempfile.mkdtemp()) / "lock"
    >>> with locked(file, wait=False), locked(file, wait=False):
    ...     pass
    Traceback (most recent call last):
        ...
    BlockingIOError: ...
    """
    with writing(file):
        file.parent.mkdir(parents=True, exist_ok=True)
    lock = FileLock(file.absolute(), is_singleton=again)
    try:
        lock.acquire(timeout=-1 if wait else patience)
    except Timeout:
        raise BlockingIOError(f"{file} is locked by another process") from None
    except OSError as error:
        raise FileError(
            f"Expected to be able to write {file}. Received: {error.strerror or error}"
        ) from error
    try:
        yield
    finally:
        lock.release()
