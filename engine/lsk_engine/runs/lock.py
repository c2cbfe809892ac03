"""Locks between processes, which none leaves behind: the system frees them when they end."""

import contextlib
from collections.abc import Iterator
from pathlib import Path

from filelock import FileLock, Timeout

from ls_base.errors import FileError, InputError
from ls_base.files import writing
from lsk_engine.runs.run_directory import RunDirectory


@contextlib.contextmanager
def locked(file: Path, *, wait: bool) -> Iterator[None]:
    """Holds the lock of a file while the block runs.

    Args:
        file: A file of its own, made if it isn't there; it stays.
        wait: Whether to wait while another process has the lock.

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
    lock = FileLock(file)
    try:
        lock.acquire(timeout=-1 if wait else 0)
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


@contextlib.contextmanager
def at_work_in(run: RunDirectory) -> Iterator[None]:
    """Keeps other processes from writing a run while the block runs.

    Args:
        run: An existing run directory.

    Raises:
        InputError: If another process is at work in it.
        FileError: If it can't be written.
    """
    with contextlib.ExitStack() as held:
        try:
            held.enter_context(locked(run.lock_file, wait=False))
        except BlockingIOError:
            raise InputError(
                "Expected a run that no other process is at work in (wait for it, or stop it). "
                f"Received: {run.path}"
            ) from None
        yield


def in_use(run: RunDirectory) -> bool:
    """Returns whether another process is at work in a run, which need not exist."""
    if not run.lock_file.exists():
        return False
    try:
        with locked(run.lock_file, wait=False):
            return False
    except BlockingIOError:
        return True
