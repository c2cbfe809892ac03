"""Locks between processes; the system frees them when their process ends, however it ends."""

import contextlib
import functools
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TypeVar

from filelock import FileLock, Timeout

from ls_base.files import wrap_os_errors

_F = TypeVar("_F", bound=Callable[..., Any])


@contextlib.contextmanager
def hold_lock(
    file: Path, *, wait: bool, again: bool = False, patience: float = 0.0
) -> Iterator[None]:
    """Holds a lock while the block runs.

    Args:
        file: A file for this lock only; it is made if it is missing, and stays.
        wait: Whether to wait while another process holds the lock.
        again: Whether the lock is reentrant: a thread that holds it may take it again.
        patience: How long to try if `wait` is false, in seconds.

    Raises:
        BlockingIOError: If another process holds the lock, and `wait` is false.
        FileError: If the file cannot be created.

    Example:
    >>> import tempfile
    >>> file = Path(tempfile.mkdtemp()) / "lock"
    >>> with hold_lock(file, wait=False), hold_lock(file, wait=False):
    ...     pass
    Traceback (most recent call last):
        ...
    BlockingIOError: ...
    """
    lock, locked = FileLock(file.absolute(), is_singleton=again), False
    with wrap_os_errors(file):
        file.parent.mkdir(parents=True, exist_ok=True)
        with contextlib.suppress(Timeout):
            lock.acquire(timeout=-1 if wait else patience)
            locked = True
    if not locked:
        raise BlockingIOError(f"{file} is locked by another process")
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
