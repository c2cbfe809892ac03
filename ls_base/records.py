"""JSON files as typed, frozen objects: a class states what a file has to hold.

A reader names a `Record` and gets one, or raises one line that names the file, the field, what was
expected and what was received.
"""

import json
import re
from pathlib import Path
from typing import Annotated, Any, TypeVar

import msgspec

from ls_base.errors import FileError, LsKerasError, reason, short_repr
from ls_base.safe_open import is_text, read_bytes

T = TypeVar("T")
_LARGEST = 1.7976931348623157e308  # a bound that excludes NaN and infinity
Finite = Annotated[float, msgspec.Meta(ge=-_LARGEST, le=_LARGEST)]
Count = Annotated[int, msgspec.Meta(ge=0, le=2**63 - 1)]

_MAX_BYTES = 1 << 26
_MAX_DEPTH = 50


class Record(msgspec.Struct, frozen=True, kw_only=True):
    """Base of what a JSON file holds; unknown keys are ignored.

    Example:
    >>> class Point(Record, frozen=True):
    ...     x: Finite
    >>> decode_record(b'{"x": 1, "color": "red"}', Point, "point.json")
    Point(x=1.0)
    >>> decode_record(b'{"x": "a"}', Point, "point.json")
    Traceback (most recent call last):
        ...
    ls_base.errors.FileError: Expected x in point.json to be float. Received: 'a'
    """

    def to_dict(self) -> dict[str, Any]:
        """Returns what `write_json` writes, and a reader reads."""
        return msgspec.to_builtins(self)


def read_record(
    path: Path,
    kind: type[T],
    *,
    schema: int | None = None,
    error: type[LsKerasError] = FileError,
) -> T:
    """Reads a JSON file.

    Args:
        path: The file, of at most 64 MiB.
        kind: A `Record`, or any type of JSON.
        schema: The expected value of the key `schema`; `None`: not checked.
        error: The exception's type.

    Raises:
        LsKerasError: An error of type `error`, if the file cannot be read or is not a `kind`.
    """
    content = read_bytes(path, max_bytes=_MAX_BYTES, error=error)
    return decode_record(content, kind, str(path), schema=schema, error=error)


def decode_record(
    content: bytes,
    kind: type[T],
    name: str,
    *,
    schema: int | None = None,
    error: type[LsKerasError] = FileError,
) -> T:
    """Decodes JSON in UTF-8, in which NaN and Infinity are allowed.

    Args:
        content: The bytes of a file.
        kind: A `Record`, or any type of JSON.
        name: The file's name in an error.
        schema: The expected value of the key `schema`; `None`: not checked.
        error: The exception's type.

    Raises:
        LsKerasError: Of the type `error`: if the bytes are no JSON, nest deeper than 50, hold NUL
            or a lone surrogate, or are not of type `kind`.
    """
    try:
        value = json.loads(content)
        _check(value, _MAX_DEPTH)
    except (ValueError, RecursionError) as wrong:
        raise error(f"Expected a JSON file at {name}. Received: {reason(wrong)}") from wrong
    if schema is not None:
        found = value.get("schema") if isinstance(value, dict) else None
        if type(found) is not int or found != schema:
            received = "none" if found is None else short_repr(found)
            raise error(f"Expected schema {schema} in {name}. Received: {received}")
    return convert_record(value, kind, name, error=error)


def decode_lines(content: bytes, kind: type[T], name: str) -> list[T]:
    """Decodes one JSON value per line, without a last line that a crash cut off.

    Args:
        content: The bytes of a file.
        kind: The type of each value.
        name: The file's name in an error.

    Raises:
        FileError: If another line is damaged; its number is named.
    """
    decode, values = msgspec.json.Decoder(kind).decode, []
    *lines, last = content.split(b"\n")
    for number, line in enumerate(lines, 1):
        try:
            values.append(decode(line))
        except (ValueError, RecursionError):  # NaN, unknown to msgspec, or damage
            values.append(decode_record(line, kind, f"line {number} of {name}"))
    try:
        return [*values, decode_record(last, kind, name)]
    except FileError:
        return values


def convert_record(
    value: Any, kind: type[T], name: str, *, error: type[LsKerasError] = FileError
) -> T:
    """Converts parsed JSON to a type, as `decode_record` does.

    Args:
        value: Parsed JSON.
        kind: A `Record`, or any type of JSON.
        name: The file's name in an error.
        error: The exception's type.

    Raises:
        LsKerasError: Of the type `error`: if the value is not of type `kind`.
    """
    try:
        return msgspec.convert(value, kind)
    except msgspec.ValidationError as wrong:
        if isinstance(wrong.__cause__, LsKerasError):  # raised by the type's own checks
            raise wrong.__cause__ from None
        raise error(_explain(str(wrong), value, name)) from wrong


def _check(value: Any, depth: int) -> None:
    """Refuses deep nesting, and strings that can be neither a path nor printed."""
    if depth < 0:
        raise ValueError(f"more than {_MAX_DEPTH} levels")
    if isinstance(value, str) and not is_text(value):
        raise ValueError(f"text with NUL or half characters: {short_repr(value)}")
    if isinstance(value, dict):
        _check(list(value), depth)
        value = list(value.values())
    if isinstance(value, list):
        for item in value:
            if isinstance(item, str | list | dict):
                _check(item, depth - 1)


def _explain(message: str, value: Any, name: str) -> str:
    """Turns msgspec's "Expected `int`, got `str` - at `$.steps`" into our message."""
    what, _, where = message.replace("`", "").partition(" - at ")
    path = where.removeprefix("$").removeprefix(".").replace("[...]", "")  # no key is named
    place = f"{path} in {name}" if path else name
    expected, _, received = what.partition(", got ")
    for key, index in re.findall(r"([^.\[\]]+)|\[(\d+)\]", path):
        try:
            value = value[int(index) if index else key]
        except (KeyError, IndexError, TypeError):
            break
    else:
        received = short_repr(value)
    if expected.startswith("Expected "):
        return f"Expected {place} to be {expected[9:]}. Received: {received or 'another value'}"
    what = reason(ValueError(what.partition(" value ")[0]))  # one short line, without the value
    return f"Expected a valid {place}. Received: {received or what} ({what[0].lower()}{what[1:]})"
