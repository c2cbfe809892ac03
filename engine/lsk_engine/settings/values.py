"""Reading values of settings as the types of their fields, and keeping them within bounds."""

import math
import types
import typing
from collections.abc import Iterable
from typing import Any

from ls_base.errors import InputError


def parse(key: str, value: Any, kind: Any) -> Any:
    """Reads `value` (a string, or a value from JSON) as the type `kind` of the field `key`."""
    options = typing.get_args(kind) if isinstance(kind, types.UnionType) else (kind,)
    if type(None) in options and value in (None, "none", "None", "null"):
        return None
    for option in options:
        if option is not type(None):
            try:
                return _read(value, option)
            except (TypeError, ValueError):
                continue
    names = " or ".join(getattr(o, "__name__", str(o)) for o in options)
    raise InputError(
        f"Expected {key} to be {names.replace('NoneType', 'none')}. Received: {value!r}"
    )


def within(key: str, value: float, low: float, high: float = math.inf) -> None:
    """Refuses a number outside `[low, high]`."""
    if not low <= value <= high:
        bounds = f"in [{low}, {high}]" if high < math.inf else f"at least {low}"
        raise InputError(f"Expected {key} {bounds}. Received: {value}")


def one_of(key: str, value: str, options: Iterable[str]) -> None:
    """Refuses a word that is none of `options`."""
    if value not in options:
        raise InputError(f"Expected {key} to be one of {', '.join(options)}. Received: {value!r}")


def _read(value: Any, kind: Any) -> Any:
    if typing.get_origin(kind) is tuple:
        items = [i for i in value.split(",") if i] if isinstance(value, str) else list(value)
        return tuple(_read(item, typing.get_args(kind)[0]) for item in items)
    if kind is bool:
        words = {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}
        if isinstance(value, bool):
            return value
        if str(value).lower() in words:
            return words[str(value).lower()]
        raise ValueError(value)
    if kind is str:
        if not isinstance(value, str):
            raise TypeError(value)
        return value
    number = float(value)
    if isinstance(value, bool) or not math.isfinite(number):
        raise ValueError(value)
    if kind is int:
        if number != int(number):
            raise ValueError(value)
        return int(number)
    return number
