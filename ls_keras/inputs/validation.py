"""Checks of the library's arguments: counts, numbers, flags, choices, paths.

Each function returns the value in its expected type, or raises an `InputError` of one line that
names the argument, so that no error of a framework or of NumPy reaches the caller.
"""

import math
import numbers
import operator
import os
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

import numpy as np

from ls_keras.errors import InputError, shown

INT32 = 2**31 - 1  # the largest size or id of a tensor
MAX_CLASSES = 2**24


def as_count(value, name: str, minimum: int = 0, maximum: int = INT32) -> int:
    """Returns an integer between two bounds.

    Raises:
        InputError: If it is not an integer (`True` isn't), or out of bounds.

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
        name: The argument's name, for the message.
        low: Its lower bound.
        high: Its upper bound.
        above: Whether `low` itself is excluded.

    Raises:
        InputError: If it is something else (also `True`), or out of bounds.
    """
    number = math.nan
    if isinstance(value, numbers.Real) and not isinstance(value, bool):
        try:
            number = float(value)
        except OverflowError:  # an integer beyond the range of float64
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
    """Returns one of the choices, or raises an `InputError` that lists them."""
    if isinstance(value, str) and value in choices:
        return value
    raise InputError(f"Expected {name} to be one of {', '.join(choices)}. Received: {shown(value)}")


def as_seed(value) -> int:
    """Returns a seed, or raises an InputError."""
    return as_count(value, "seed", 0, 2**64 - 1)


def as_function(value, name: str) -> Callable:
    """Returns a callable, or raises an `InputError`."""
    if callable(value) and not isinstance(value, type):
        return value
    raise InputError(f"Expected {name} to be a function, or a model. Received: {shown(value)}")


def as_path(value, name: str) -> Path:
    """Returns a path that is not empty, or raises an InputError."""
    if isinstance(value, str | os.PathLike) and str(value) and "\0" not in str(value):
        return Path(value)
    raise InputError(f"Expected {name} to be a path. Received: {shown(value)}")


def as_names(value, name: str, number: int | None = None) -> list[str]:
    """Returns a list of strings, at least `number` of them if it is given.

    Raises:
        InputError: If it is something else, or if there are too few.
    """
    words = list(value) if isinstance(value, Sequence) and not isinstance(value, str) else None
    if words is None or not all(isinstance(word, str) for word in words):
        raise InputError(f"Expected {name} to be a list of strings. Received: {shown(value)}")
    if number is not None and len(words) < number:
        raise InputError(f"Expected {name} for {number} classes. Received: {len(words)}")
    return words


def as_counts(value, name: str, number: int | None = None) -> tuple[int, ...]:
    """Returns several integers ≥ 0, such as class ids.

    Args:
        value: A sequence or array of integers.
        name: The argument's name, for the message.
        number: The required number of integers; `None` for any.

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
