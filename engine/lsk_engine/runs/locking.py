"""Locks between processes, which none leaves behind: the system frees them when they end."""

import contextlib
import functools
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TypeVar

from filelock import FileLock, Timeout

from ls_base.errors import FileError
from ls_base.files import wrap_os_errors

_F = TypeVar("_F", bound=Callable[..., Any])


@contextlib.contextmanager
def hold_lock(
    file: Path, *, wait: bool, again: bool = False, patience: float = 0.0
) -> Iterator[None]:
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
    >>> with hold_lock(file, wait=False), hold_lock(file, wait=False):
    ...     pass
    Traceback (most recent call last):
        ...
    BlockingIOError: ...
    """
    with wrap_os_errors(file):
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


def locks_run(function: _F) -> _F:
    """Decorates a function that writes a run: it holds `RunDirectory.lock` while it works.

    Args:
        function: Takes a task, a configuration and a `RunDirectory`, then any other arguments.
    """

    @functools.wraps(function)
    def with_lock(task, config, run, *args, **kwargs):
        with run.lock():
            return function(task, config, run, *args, **kwargs)

    return with_lock  # type: ignore[return-value]
