"""Turns errors of TensorFlow, JAX and PyTorch that a user can act on into one line."""

import contextlib
from collections.abc import Iterator

from ls_base.errors import InputError, LsKerasError
from lsk_engine.devices.process_env import find_process

# Neither kind of error has a common exception class, not even within one framework.
_OUT_OF_MEMORY = (
    *("RESOURCE_EXHAUSTED", "ResourceExhausted", "OutOfMemory", "out of memory", "bad_alloc"),
)
_PEER_LOST = (
    *("UNAVAILABLE", "Unavailable", "Aborted", "heartbeat", "coordination", "Gloo"),
    *("Connection reset", "Connection closed", "Socket closed", "Broken pipe"),
)


class PeerLostError(LsKerasError):
    """Another process of the run has ended; the run can be resumed."""

    exit_code = 5


@contextlib.contextmanager
def explain_oom(batch_size: int) -> Iterator[None]:
    """Suggests a smaller batch if host or device memory is exhausted while the block runs.

    Args:
        batch_size: The current `training.batch_size`.

    Raises:
        InputError: Instead of the framework's own error.
    """
    try:
        yield
    except Exception as error:
        text = f"{type(error).__name__}: {error}"
        if not isinstance(error, MemoryError) and not any(sign in text for sign in _OUT_OF_MEMORY):
            raise
        raise InputError(
            f"Out of memory with training.batch_size={batch_size}. Use a smaller --batch-size; "
            "training.gradient_accumulation_steps keeps the size of an update. "
            f"Received: {_first_line(text)}"
        ) from error


@contextlib.contextmanager
def explain_peer_loss() -> Iterator[None]:
    """Reports in one line that another process of the run has ended while the block ran.

    Raises:
        PeerLostError: Instead of the framework's own error.
    """
    try:
        yield
    except Exception as error:
        text = f"{type(error).__name__}: {error}"
        if isinstance(error, LsKerasError) or not any(sign in text for sign in _PEER_LOST):
            raise
        if find_process().count == 1:
            raise
        raise PeerLostError(
            "Another process of the run has ended; start all processes again with --resume RUN. "
            f"Received: {_first_line(text)}"
        ) from error


def _first_line(text: str) -> str:
    return text.strip().splitlines()[0][:200]
