"""Loading Keras with a chosen backend, without the noise of its start-up."""

import contextlib
import os
import sys
import tempfile
from collections.abc import Iterator

from ls_base.backends import BACKENDS, configured_backend, select_backend
from ls_base.errors import InputError

# What Keras and TensorFlow import only where they find it, for what is not used here: wrappers and
# tables as inputs, another backend. It takes as long as half of TensorFlow.
_LEFT_OUT = ("sklearn", "pandas", "jax")


def load_backend(name: str | None = None) -> None:
    """Imports Keras; TensorFlow's start-up messages are shown only if the import fails.

    Args:
        name: A Keras backend; `None`: what `KERAS_BACKEND` or Keras's configuration says.

    Raises:
        InputError: If Keras was imported with another backend already.
        MissingExtraError: If the backend is not installed.
    """
    if name is not None:
        if name not in BACKENDS:
            raise InputError(f"Expected a backend of {', '.join(BACKENDS)}. Received: {name!r}")
        os.environ["KERAS_BACKEND"] = name
    if (kind := configured_backend()) not in BACKENDS:
        raise InputError(
            f"Expected a backend of {', '.join(BACKENDS)} in KERAS_BACKEND, or in Keras's "
            f"configuration. Received: {kind!r}"
        )
    select_backend()
    with _stderr_kept_back(), _left_out():
        import keras

    if name not in (None, keras.config.backend()):
        raise InputError(
            f"Expected the backend to be chosen before Keras is imported. Received: {name!r} "
            f"while Keras runs on {keras.config.backend()!r}"
        )


@contextlib.contextmanager
def _left_out() -> Iterator[None]:
    """Lets imports within find nothing of `_LEFT_OUT` but the backend; who asks later finds it."""
    names = {*_LEFT_OUT} - {configured_backend(), *sys.modules}
    for name in names:
        sys.modules[name] = None  # type: ignore[assignment] # Python's word for: not to be imported
    try:
        yield
    finally:
        for name in names:
            sys.modules.pop(name, None)


@contextlib.contextmanager
def _stderr_kept_back() -> Iterator[None]:
    """Holds what is written to file descriptor 2, where C++ code writes past `sys.stderr`."""
    try:
        saved = os.dup(2)
    except OSError:  # no standard error at all
        yield
        return
    with tempfile.TemporaryFile() as held:
        sys.stderr.flush()
        os.dup2(held.fileno(), 2)
        try:
            yield
        except BaseException:
            held.seek(0)
            os.write(saved, held.read())
            raise
        finally:
            sys.stderr.flush()
            os.dup2(saved, 2)
            os.close(saved)
