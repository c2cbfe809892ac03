"""Reading values of settings as the types of their fields, and keeping them within bounds."""

import contextlib
import dataclasses
import math
import types
import typing
from collections.abc import Collection, Iterable, Mapping
from typing import Any

from ls_base.errors import InputError, short_repr
from ls_base.safe_open import is_text

_ADDED = "added"
_LARGEST = 2**53  # of an integer: what JSON's other readers keep, and more than anything counts


def added(default: Any, *, then: str | None = None) -> Any:
    """Returns the field of a settings' dataclass that came after runs had been kept without it.

    A stored configuration has to be complete; of one from before, such a setting is what was done
    then.

    Args:
        default: The default.
        then: The dotted key of the setting that had its part; `None`: the default was done.
    """
    return dataclasses.field(default=default, metadata={_ADDED: (then,)})


def value_before(field: dataclasses.Field, values: Mapping[str, Any]) -> Any:
    """Returns what was done before there was a field that a stored configuration lacks.

    Args:
        field: Of a settings' dataclass.
        values: The configuration, by part and key.

    Raises:
        KeyError: If the field was always there: see `added`.
    """
    (then,) = field.metadata[_ADDED]
    if then is None:
        return field.default
    part, _, key = then.partition(".")
    return values[part][key]


def values_before(cls: type, there: Collection[str], values: Mapping[str, Any]) -> dict[str, Any]:
    """Returns what was done before there were the fields that a stored configuration lacks.

    Args:
        cls: A settings' dataclass.
        there: The names of the fields that it has. Others that were always there stay missing.
        values: The configuration, by part and key.
    """
    found = {}
    for field in dataclasses.fields(cls):
        with contextlib.suppress(KeyError, TypeError):
            if field.name not in there:
                found[field.name] = value_before(field, values)
    return found


def since_added(settings: Any) -> dict[str, Any]:
    """Returns the fields of a settings' dataclass, less those that came later and do as before.

    Args:
        settings: The instance.
    """
    return {
        field.name: getattr(settings, field.name)
        for field in dataclasses.fields(settings)
        if field.metadata.get(_ADDED) != (None,) or getattr(settings, field.name) != field.default
    }


def parse(key: str, value: Any, kind: Any) -> Any:
    """Reads `value` (a string, or a value from JSON) as the type `kind` of the field `key`."""
    options = typing.get_args(kind) if isinstance(kind, types.UnionType) else (kind,)
    if type(None) in options and value in (None, "none", "None", "null"):
        return None
    for option in options:
        if option is not type(None):
            try:
                return _read(value, option)
            except (TypeError, ValueError, OverflowError):
                continue
    names = " or ".join(getattr(o, "__name__", str(o)) for o in options)
    raise InputError(
        f"Expected {key} to be {names.replace('NoneType', 'none')}. Received: {short_repr(value)}"
    )


def within(key: str, value: float, low: float, high: float = math.inf) -> None:
    """Refuses a number outside `[low, high]`."""
    if not low <= value <= high:
        bounds = f"in [{low}, {high}]" if high < math.inf else f"at least {low}"
        raise InputError(f"Expected {key} {bounds}. Received: {short_repr(value)}")


def count_or_share(key: str, value: float | None) -> None:
    """Refuses what is neither a number of examples nor a share of them, between 0 and 1.

    Args:
        key: The setting.
        value: Its value; `None`: it says nothing.
    """
    if value is not None and not (0 < value < 1 or (value >= 1 and value == int(value))):
        raise InputError(
            f"Expected {key} of at least 1 example, or a share between 0 and 1. "
            f"Received: {short_repr(value)}"
        )


def one_of(key: str, value: str, options: Iterable[str]) -> None:
    """Refuses a word that is none of `options`."""
    if value not in options:
        raise InputError(
            f"Expected {key} to be one of {', '.join(options)}. Received: {short_repr(value)}"
        )


def flat(values: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Returns nested mappings as one, with dotted keys.

    Args:
        values: Such as a configuration as JSON holds it.
        prefix: What the keys begin with.

    Example:
    >>> flat({"training": {"alpha": 0.1}, "task": "image"})
    {'training.alpha': 0.1, 'task': 'image'}
    """
    found: dict[str, Any] = {}
    for key, value in values.items():
        nested = isinstance(value, Mapping)
        found |= flat(value, f"{prefix}{key}.") if nested else {f"{prefix}{key}": value}
    return found


def _read(value: Any, kind: Any) -> Any:
    if typing.get_origin(kind) is Mapping:
        if not isinstance(value, Mapping):
            raise TypeError(value)
        return {str(name): parse(name, one, float | str) for name, one in value.items()}
    if typing.get_origin(kind) is tuple:
        if not isinstance(value, str | list | tuple):
            raise TypeError(value)
        items = [i for i in value.split(",") if i] if isinstance(value, str) else value
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
        if not is_text(value):
            raise ValueError(value)
        return value
    if isinstance(value, bool):
        raise TypeError(value)
    if kind is int:
        whole = _whole(value)
        if abs(whole) > _LARGEST:
            raise ValueError(value)
        return whole
    number = float(value)
    if not math.isfinite(number):
        raise ValueError(value)
    return number


def _whole(value: Any) -> int:
    """Returns an integer that may be written as `2e5`, and no digit of a large one is lost."""
    if isinstance(value, int):
        return value
    if isinstance(value, str) and value.strip().lstrip("+-").isdecimal():
        return int(value)
    number = float(value)
    if not number.is_integer():
        raise ValueError(value)
    return int(number)
