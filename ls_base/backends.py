"""Which Keras backends are installed, and which one Keras will use. Keras is not imported here."""

import importlib.util
import json
import os
from pathlib import Path

from ls_base.errors import MissingExtraError

BACKENDS = ("tensorflow", "jax", "torch")


def installed_backends() -> list[str]:
    """Returns the names of the installed backends, TensorFlow first."""
    return [name for name in BACKENDS if importlib.util.find_spec(name) is not None]


def configured_backend() -> str:
    """Returns the name of the backend that ls-keras uses.

    That is the environment variable `KERAS_BACKEND`, else the backend in Keras's configuration
    file `~/.keras/keras.json` if it is installed (Keras writes that file by itself), else the
    first installed one of TensorFlow, JAX and PyTorch.
    """
    if name := os.environ.get("KERAS_BACKEND"):
        return name
    installed = installed_backends() or [BACKENDS[0]]
    try:
        folder = Path(os.environ.get("KERAS_HOME") or Path.home() / ".keras")
        name = json.loads((folder / "keras.json").read_text())["backend"]
    except (OSError, RuntimeError, ValueError, KeyError, TypeError):  # RuntimeError: no home
        return installed[0]
    return installed[0] if name in BACKENDS and name not in installed else name


def select_backend() -> None:
    """Makes Keras use `configured_backend()` when it is imported next.

    Raises:
        MissingExtraError: If that backend is not installed; the message has the `pip` command.
    """
    name = configured_backend()
    if name in BACKENDS and name not in installed_backends():
        others = " or ".join(f"KERAS_BACKEND={other}" for other in installed_backends())
        raise MissingExtraError(
            f"Keras's backend {name} is not installed. Install it with "
            f"pip install 'ls-keras[{name}]'{f', or set {others}' if others else ''}"
        )
    os.environ["KERAS_BACKEND"] = name
