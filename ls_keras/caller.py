"""The line of who called the library: where its warnings point to."""

import inspect
import sys
import warnings
from pathlib import Path

_BETWEEN = ("ls_keras", "keras", "optree", "tensorflow", "jax", "torch")
_REWRITTEN = "__autograph_generated_file"  # what TensorFlow has made of somebody's function


def warn_caller(message: str) -> None:
    """Warns at the line that called the library, or that called Keras, which called it.

    A `stacklevel` can't say how many frames lie between: a loss is called by hand, by `fit`, and
    by what TensorFlow wraps around both.

    Args:
        message: What was expected and received.
    """
    roots = tuple(
        f"{Path(module.__file__).parent}/"
        for module in map(sys.modules.get, _BETWEEN)
        if module is not None and module.__file__
    )
    frame, level = inspect.currentframe(), 1
    while frame is not None and (
        frame.f_code.co_filename.startswith(roots) or _REWRITTEN in frame.f_code.co_filename
    ):
        frame, level = frame.f_back, level + 1
    warnings.warn(message, stacklevel=level)
