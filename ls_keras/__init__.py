"""Label smoothing for Keras, understood and usable.

`import ls_keras` registers every layer, loss and metric for serialization, so a model compiled
with them loads without `custom_objects`. Only the `lsk` process defers that, to answer at once.
"""

import importlib
import os
from typing import TYPE_CHECKING

# Public name -> module that defines it.
_EXPORTS = {
    "InputError": "ls_keras.errors",
    "LsKerasError": "ls_keras.errors",
    "TiedLogits": "ls_keras.layers.tied_logits",
}
_SUBPACKAGES = ("calibration", "callbacks", "decoding", "layers", "losses", "plots")

__version__ = "0.1.0"
__all__ = [*sorted(_EXPORTS), *_SUBPACKAGES]  # noqa: PLE0604


def __getattr__(name: str):
    if name in _SUBPACKAGES:
        return importlib.import_module(f"ls_keras.{name}")
    if name in _EXPORTS:
        return getattr(importlib.import_module(_EXPORTS[name]), name)
    raise AttributeError(f"module 'ls_keras' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})


if TYPE_CHECKING:
    from ls_keras import calibration, callbacks, decoding, layers, losses, plots
    from ls_keras.errors import InputError, LsKerasError
    from ls_keras.layers.tied_logits import TiedLogits

# The variable is taken out of the environment, so that a child of `lsk` imports everything again.
if os.environ.pop("LS_KERAS_LAZY", None) is None:
    for _name in (*_SUBPACKAGES, *_EXPORTS):
        globals()[_name] = __getattr__(_name)
