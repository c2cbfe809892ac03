"""A lock between processes, which none leaves behind: the system frees it when they end."""

import contextlib
import fcntl
import os
from collections.abc import Iterator
from pathlib import Path

from ls_keras.run_directory import writing


@contextlib.contextmanager
def locked(file: Path, *, wait: bool) -> Iterator[int]:
    """Holds the lock of a file while the block runs.

    A child process that inherits the descriptor holds it as well, for as long as it lives.

    Args:
        file: An empty file, made if it isn't there; it stays.
        wait: Whether to wait while another process has the lock.

    Yields:
        The descriptor.

    Raises:
        BlockingIOError: If another process has it, and `wait` is false.
        RunDirectoryError: If the file can't be made.

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
        descriptor = os.open(file, os.O_RDWR | os.O_CREAT, 0o666)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
        yield descriptor
    finally:
        os.close(descriptor)
