"""Too little memory, in one line."""

import contextlib
from collections.abc import Iterator

from ls_base.errors import InputError

# What TensorFlow, JAX and PyTorch call it; none has an error that all of its parts raise.
_SIGNS = ("RESOURCE_EXHAUSTED", "ResourceExhausted", "OutOfMemory", "out of memory", "bad_alloc")


@contextlib.contextmanager
def memory_for(batch_size: int) -> Iterator[None]:
    """Names the batch size where the memory of host or device does not suffice.

    Raises:
        InputError: In place of the framework's own error.
    """
    try:
        yield
    except Exception as error:
        told = f"{type(error).__name__}: {error}"
        if not isinstance(error, MemoryError) and not any(sign in told for sign in _SIGNS):
            raise
        raise InputError(
            f"Expected enough memory for training.batch_size={batch_size} (a smaller --batch-size "
            "needs less, and training.gradient_accumulation_steps keeps the update). "
            f"Received: {told.strip().splitlines()[0][:200]}"
        ) from error
