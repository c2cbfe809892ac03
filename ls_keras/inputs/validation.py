"""What every door asks: tensors and arrays of numbers, counts, numbers, choices.

Each function returns the value as what it should be, or raises an `InputError` that names the
argument, in one line. So no error of a framework, or of NumPy, reaches the caller.
"""

import math
import numbers
import operator
import os
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

import keras
import numpy as np
from keras import ops

from ls_base.errors import InputError
from ls_keras.backend.tracing import tensor_of

_SHOWN = 80  # characters of a value in a message
INT32 = 2**31 - 1  # what sizes and ids of tensors can be, at most
MAX_CLASSES = 2**24


def shown(value) -> str:
    """Returns a value in a few words, in one line, whatever it is.

    Example:
    >>> import numpy as np
    >>> from ls_keras.inputs.validation import shown
    >>> shown(np.zeros((2, 3))), shown("pad"), shown(2**70)
    ('an array of shape (2, 3) and dtype float64', "'pad'", '1180591620717411303424')
    """
    if isinstance(value, np.ndarray):
        return f"an array of shape {value.shape} and dtype {value.dtype}"
    if hasattr(value, "shape") and hasattr(value, "dtype"):
        return f"{type(value).__name__} of shape {tuple(value.shape)} and dtype {value.dtype}"
    try:
        text = " ".join(repr(value).split())
    except ValueError:  # an integer of more than 4,300 digits
        text = f"{type(value).__name__} that is too large to be shown"
    return text if len(text) <= _SHOWN else f"{text[: _SHOWN - 4]} ..."


def as_tensor(value, name: str):
    """Returns a tensor of numbers or Booleans; symbolic tensors stay what they are.

    Args:
        value: A tensor of the backend, a Keras or TensorFlow variable, an array, numbers in lists.
        name: What the message calls it.

    Raises:
        InputError: If it is none of these: strings, objects, complex numbers, lists of different
            lengths, mappings, sparse or ragged tensors, `None`.
    """
    if isinstance(value, keras.KerasTensor):
        return value
    if not _is_backend_tensor(value):
        array = _numeric(value, name)
        if array is not None:
            if array.dtype == np.float64 and not hasattr(value, "dtype"):
                array = array.astype(keras.config.floatx())  # as Keras reads Python's numbers
            return ops.convert_to_tensor(array)
    try:
        tensor = tensor_of(value)
        dtype = keras.backend.standardize_dtype(tensor.dtype)
    except Exception as error:  # each backend has its own for what it can't convert
        raise _no_numbers(value, name) from error
    ragged = hasattr(tensor, "row_splits")  # TensorFlow's, which Keras hands through
    if not ragged and (dtype == "bool" or "int" in dtype or "float" in dtype):
        return tensor
    raise _no_numbers(value, name)


def as_array(value, name: str) -> np.ndarray:
    """Returns an array of numbers or Booleans, without a copy where the memory can be shared.

    Args:
        value: As for `as_tensor`, with values.
        name: What the message calls it.

    Raises:
        InputError: As `as_tensor`, and for a symbolic tensor.
    """
    if isinstance(value, np.ndarray):
        return _checked(value, value, name)
    if _is_backend_tensor(value):
        try:
            value = ops.convert_to_numpy(as_tensor(value, name))
        except InputError:
            raise
        except Exception as error:  # a tensor that is only being traced
            raise _no_numbers(value, name) from error
        return np.asarray(value)
    array = None if isinstance(value, keras.KerasTensor) else _numeric(value, name)
    if array is None:
        raise _no_numbers(value, name)
    return array


def as_count(value, name: str, minimum: int = 0, maximum: int = INT32) -> int:
    """Returns an integer between two bounds.

    Raises:
        InputError: If it is no integer (`True` is none), or out of bounds.

    Example:
    >>> import numpy as np
    >>> from ls_keras.inputs.validation import as_count
    >>> as_count(np.int64(3), "draws")
    3
    """
    try:
        count = None if isinstance(value, bool | np.bool_) else operator.index(value)
    except TypeError:
        count = None
    if count is None or count < minimum:
        raise InputError(f"Expected {name} to be an integer ≥ {minimum}. Received: {shown(value)}")
    if count > maximum:
        raise InputError(f"Expected {name} to be at most {maximum:,}. Received: {shown(value)}")
    return count


def as_number(
    value, name: str, *, low: float = -math.inf, high: float = math.inf, above: bool = False
) -> float:
    """Returns a finite real number as a float.

    Args:
        value: An int, float, or scalar of NumPy.
        name: What the message calls it.
        low: Its lower bound.
        high: Its upper bound.
        above: Whether it must lie above `low`.

    Raises:
        InputError: If it is something else (`True` too), or out of bounds.
    """
    number = math.nan
    if isinstance(value, numbers.Real) and not isinstance(value, bool):
        try:
            number = float(value)
        except OverflowError:  # an integer beyond what float64 holds
            number = math.inf
    if math.isfinite(number) and low <= number <= high and not (above and number == low):
        return number
    bounds = "" if low == -math.inf else f" {'above' if above else 'of at least'} {low:g}"
    if high < math.inf:
        bounds += f"{' and' if bounds else ''} of at most {high:g}"
    raise InputError(f"Expected {name} to be a finite number{bounds}. Received: {shown(value)}")


def as_flag(value, name: str) -> bool:
    """Returns `True` or `False`, or raises an InputError."""
    if isinstance(value, bool | np.bool_):
        return bool(value)
    raise InputError(f"Expected {name} to be True or False. Received: {shown(value)}")


def as_choice(value, name: str, choices: Sequence[str]) -> str:
    """Returns one of some words, or raises an InputError that names them all."""
    if isinstance(value, str) and value in choices:
        return value
    raise InputError(f"Expected {name} to be one of {', '.join(choices)}. Received: {shown(value)}")


def as_seed(value) -> int:
    """Returns a seed, or raises an InputError."""
    return as_count(value, "seed", 0, 2**64 - 1)


def as_function(value, name: str) -> Callable:
    """Returns what can be called, or raises an InputError."""
    if callable(value):
        return value
    raise InputError(f"Expected {name} to be a function, or a model. Received: {shown(value)}")


def as_path(value, name: str) -> Path:
    """Returns a path that is not empty, or raises an InputError."""
    if isinstance(value, str | os.PathLike) and str(value) and "\0" not in str(value):
        return Path(value)
    raise InputError(f"Expected {name} to be a path. Received: {shown(value)}")


def as_names(value, name: str, number: int | None = None) -> list[str]:
    """Returns words, one for each of so many things.

    Raises:
        InputError: If it is something else, or there are too few.
    """
    words = list(value) if isinstance(value, Sequence) and not isinstance(value, str) else None
    if words is None or not all(isinstance(word, str) for word in words):
        raise InputError(f"Expected {name} to be a list of words. Received: {shown(value)}")
    if number is not None and len(words) < number:
        raise InputError(f"Expected {name} for {number} classes. Received: {len(words)}")
    return words


def as_counts(value, name: str, number: int | None = None) -> tuple[int, ...]:
    """Returns several integers ≥ 0, such as class ids.

    Args:
        value: Integers, in anything that has an order and an end.
        name: What the message calls them.
        number: How many there must be; `None`: any number.

    Raises:
        InputError: If they are something else.
    """
    few = isinstance(value, Iterable) and not isinstance(value, str | bytes | dict)
    try:
        found = tuple(value) if few and hasattr(value, "__len__") else None
    except TypeError:  # an array without axes
        found = None
    if found is None or (number is not None and len(found) != number):
        raise InputError(
            f"Expected {name} to be {'' if number is None else f'{number} '}integers. "
            f"Received: {shown(value)}"
        )
    return tuple(as_count(entry, name) for entry in found)


def _is_backend_tensor(value) -> bool:
    if isinstance(value, keras.Variable) or ops.is_tensor(value):
        return True
    if keras.config.backend() == "tensorflow":
        import tensorflow as tf

        return isinstance(value, tf.Variable)
    return False


def _numeric(value, name: str) -> np.ndarray | None:
    """Returns what NumPy makes of a value, `None` where it holds tensors that are being traced."""
    if value is None or isinstance(value, str | bytes | dict | set):
        raise _no_numbers(value, name)
    if hasattr(value, "detach"):  # PyTorch's tensors on another backend
        value = value.detach().cpu()
    try:
        array = np.asarray(value)
    except (ValueError, OverflowError, MemoryError) as error:  # ragged; or larger than anything
        raise _no_numbers(value, name) from error
    except Exception:  # tensors that are being traced refuse with errors of their own
        return None
    return _checked(array, value, name)


def _checked(array: np.ndarray, value, name: str) -> np.ndarray:
    # ml_dtypes' bfloat16 and float8 are of kind V.
    if array.dtype.kind in "biuf" or "float" in array.dtype.name:
        return array
    raise _no_numbers(value, name)


def _no_numbers(value: Any, name: str) -> InputError:
    return InputError(
        f"Expected {name} to be a tensor or array of real numbers, all rows of one length. "
        f"Received: {shown(value)}"
    )
