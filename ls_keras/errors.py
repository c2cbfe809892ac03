"""The exceptions that ls-keras raises, and how their messages show a value."""

import numpy as np

from ls_base.errors import FileError, InputError, LsKerasError, MissingExtraError

__all__ = ["FileError", "InputError", "LsKerasError", "MissingExtraError"]

_MAX_LENGTH = 80  # characters of a value in a message


def shown(value) -> str:
    """Returns a short description of any value, in one line, for an error message.

    Example:
    >>> import numpy as np
    >>> from ls_keras.errors import shown
    >>> shown(np.zeros((2, 3))), shown("pad"), shown(2**70)
    ('an array of shape (2, 3) and dtype float64', "'pad'", '1180591620717411303424')
    """
    if isinstance(value, np.ndarray):
        return f"an array of shape {value.shape} and dtype {value.dtype}"
    if hasattr(value, "shape") and hasattr(value, "dtype"):
        return f"{type(value).__name__} of shape {tuple(value.shape)} and dtype {value.dtype}"
    try:
        text = " ".join(repr(value).split())
    except ValueError:  # Python refuses to print integers of more than 4,300 digits
        text = f"{type(value).__name__} that is too large to be shown"
    return text if len(text) <= _MAX_LENGTH else f"{text[: _MAX_LENGTH - 4]} ..."
