"""Running a model in the middle of its training."""

import contextlib
from collections.abc import Iterator


@contextlib.contextmanager
def synced(model) -> Iterator[None]:
    """Makes the model's variables those that training has reached.

    Within `fit`, JAX holds the state outside the model; once it is inside, the next training step
    takes it from there.
    """
    if hasattr(model, "jax_state_sync"):
        model.jax_state_sync()
    yield
