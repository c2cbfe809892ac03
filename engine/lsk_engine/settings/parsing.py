"""Types of settings with their bounds, and conversion of values to them.

A settings class declares what a field may be in its annotation (`alpha: Fraction = 0.0`); values
from the command line, TOML or JSON are converted and checked here, by msgspec.
"""

import math
import types
import typing
from collections.abc import Mapping
from typing import Annotated, Any, Literal, TypeVar

import msgspec
from msgspec import Meta

from ls_base.errors import InputError, short_repr
from ls_base.safe_open import is_text

PositiveInt = Annotated[int, Meta(ge=1)]
NonNegativeInt = Annotated[int, Meta(ge=0)]
PositiveFloat = Annotated[float, Meta(gt=0)]
NonNegativeFloat = Annotated[float, Meta(ge=0)]
Fraction = Annotated[float, Meta(ge=0, le=1)]  # with 1
Rate = Annotated[float, Meta(ge=0, lt=1)]  # below 1, such as dropout
CountOrFraction = PositiveInt | Annotated[float, Meta(gt=0, lt=1)]  # examples, or a share of them

T = TypeVar("T")
_LARGEST = 2**53  # the largest integer that every JSON reader keeps exactly
_NONE = ("none", "null")
_SWITCHES = {"yes": True, "no": False}
_NAMES = {int: "an integer", float: "a number", bool: "true or false", str: "text"}


def parse(key: str, value: Any, hint: Any) -> Any:
    """Converts a value to the type of a setting.

    Args:
        key: The dotted key, for the message.
        value: A string from the command line, or a value from TOML or JSON.
        hint: The type of the field, with bounds as `Annotated`.

    Raises:
        InputError: If the value does not fit.

    Example:
    >>> parse("training.steps", "2e3", PositiveInt | None), parse("x", "1,2", tuple[int, ...])
    (2000, (1, 2))
    >>> parse("training.alpha", "1.5", Fraction)
    Traceback (most recent call last):
    ls_base.errors.InputError: Expected training.alpha to be a number in [0, 1]. Received: '1.5'
    """
    try:
        converted = msgspec.convert(_prepare(value, hint), hint, strict=False)
        if not all(map(_is_storable, converted if isinstance(converted, tuple) else (converted,))):
            raise ValueError(value)
    except (ValueError, OverflowError):  # of msgspec, too
        expected = f"Expected {key} to be {describe(hint)}"
        raise InputError(f"{expected}. Received: {short_repr(value)}") from None
    return converted


def parse_fields(part: str, cls: type[T], values: Mapping[str, Any]) -> T:
    """Builds a settings class from values that are converted to the types of its fields.

    Args:
        part: The first part of the dotted keys, for messages.
        cls: The class, a dataclass.
        values: Values by the names of fields.

    Raises:
        InputError: If a value does not fit.
    """
    hints = field_types(cls)
    return cls(**{name: parse(f"{part}.{name}", v, hints[name]) for name, v in values.items()})


def field_types(cls: type) -> dict[str, Any]:
    """Returns the types of a dataclass's fields by name, with their bounds."""
    return typing.get_type_hints(cls, include_extras=True)


def _prepare(value: Any, hint: Any) -> Any:
    """Reads what msgspec does not: lists as `a,b`, `none`, `yes` and options of any type."""
    if typing.get_origin(hint) is Mapping and isinstance(value, Mapping):
        return {str(name): _number_or_text(one) for name, one in value.items()}
    if not isinstance(value, str):
        return value
    union = typing.get_origin(hint) in (types.UnionType, typing.Union)
    options = typing.get_args(hint) if union else (hint,)
    if types.NoneType in options and value.lower() in _NONE:
        return None
    if typing.get_origin(hint) is tuple:
        return [item for item in value.split(",") if item]
    return _SWITCHES.get(value.lower(), value) if bool in options else value


def _number_or_text(value: Any) -> Any:
    try:
        return float(value)
    except (TypeError, ValueError):
        return value


def _is_storable(value: Any) -> bool:
    if isinstance(value, float):
        return math.isfinite(value)
    if isinstance(value, int):
        return abs(value) <= _LARGEST
    return not isinstance(value, str) or is_text(value)


def describe(hint: Any) -> str:
    """Returns which values a type takes, as a phrase.

    Args:
        hint: The type of a field.

    Example:
    >>> describe(PositiveInt | None), describe(Literal["last", "best"]), describe(Rate)
    ('an integer of at least 1 or none', 'last or best', 'a number in [0, 1)')
    """
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if origin is Annotated:
        return describe(arguments[0]) + _describe_bounds(arguments[1])
    if origin is Literal:
        names = [str(name) for name in arguments]
        return " or ".join([", ".join(names[:-1]), names[-1]] if len(names) > 1 else names)
    if origin is tuple:
        return f"a list ({describe(arguments[0])} each)"
    if origin is Mapping:
        return "a table of options"
    if arguments:
        return " or ".join(describe(one) for one in arguments)
    return "none" if hint is types.NoneType else _NAMES.get(hint, "any value")


def _describe_bounds(meta: Meta) -> str:
    low = meta.ge if meta.gt is None else meta.gt
    high = meta.le if meta.lt is None else meta.lt
    if high is None:
        return f" above {low}" if meta.gt is not None else f" of at least {low}"
    opening, closing = "(" if meta.gt is not None else "[", ")" if meta.lt is not None else "]"
    return f" in {opening}{low}, {high}{closing}"


def flat(values: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Returns nested mappings as one, with dotted keys.

    Args:
        values: For example, a configuration as JSON holds it.
        prefix: Prefix of the keys.

    Example:
    >>> flat({"training": {"alpha": 0.1}, "task": "image"})
    {'training.alpha': 0.1, 'task': 'image'}
    """
    found: dict[str, Any] = {}
    for key, value in values.items():
        nested = isinstance(value, Mapping)
        found |= flat(value, f"{prefix}{key}.") if nested else {f"{prefix}{key}": value}
    return found
