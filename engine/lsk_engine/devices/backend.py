"""Imports Keras with a chosen backend, without messages of its start."""

import contextlib
import os
import sys
import tempfile
from collections.abc import Iterator

from ls_base.backends import BACKENDS, configured_backend, select_backend
from ls_base.errors import InputError

# Optional dependencies of Keras and TensorFlow that this project does not use through them.
# Importing them takes half as long as importing TensorFlow.
_NOT_IMPORTED = ("sklearn", "pandas", "jax")


def load_backend(name: str | None = None) -> None:
    """Imports Keras; TensorFlow's messages are shown only if the import fails.

    Args:
        name: A Keras backend; `None`: that of `KERAS_BACKEND` or of Keras's configuration file.

    Raises:
        InputError: If Keras was imported with another backend before.
        MissingExtraError: If the backend is not installed.
    """
    if name is not None:
        if name not in BACKENDS:
            raise InputError(f"Expected a backend of {', '.join(BACKENDS)}. Received: {name!r}")
        os.environ["KERAS_BACKEND"] = name
    if (configured := configured_backend()) not in BACKENDS:
        raise InputError(
            f"Expected a backend of {', '.join(BACKENDS)} in KERAS_BACKEND, or in Keras's "
            f"configuration. Received: {configured!r}"
        )
    select_backend()
    with _hold_stderr(), _hide_optional_packages(configured):
        import keras

    if name not in (None, keras.config.backend()):
        raise InputError(
            f"Expected the backend to be chosen before Keras is imported. Received: {name!r} "
            f"while Keras runs on {keras.config.backend()!r}"
        )


@contextlib.contextmanager
def _hide_optional_packages(backend: str) -> Iterator[None]:
    """Makes imports of `_NOT_IMPORTED` fail while the block runs; later ones succeed."""
    names = {*_NOT_IMPORTED} - {backend, *sys.modules}
    for name in names:
        sys.modules[name] = None  # type: ignore[assignment] # makes `import name` fail
    try:
        yield
    finally:
        for name in names:
            sys.modules.pop(name, None)


@contextlib.contextmanager
def _hold_stderr() -> Iterator[None]:
    """Holds back what is written to file descriptor 2 (C++ code bypasses `sys.stderr`)."""
    try:
        saved = os.dup(2)
    except OSError:  # there is no standard error
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
