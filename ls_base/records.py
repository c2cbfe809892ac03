"""JSON from the disk as typed, frozen objects: what a file has to hold is said once, by a class.

A reader names a `Record` and gets one, or raises one line that says which file, which field, what
was expected and what was received. Nobody indexes JSON whose shape isn't sure.
"""

import json
import re
from pathlib import Path
from typing import Annotated, Any, TypeVar

import msgspec

from ls_base.errors import FileError, LsKerasError, short_repr
from ls_base.safe_open import is_text, read_bytes

T = TypeVar("T")
_LARGEST = 1.7976931348623157e308  # a bound that NaN and infinity do not keep
Finite = Annotated[float, msgspec.Meta(ge=-_LARGEST, le=_LARGEST)]
Count = Annotated[int, msgspec.Meta(ge=0, le=2**63 - 1)]

_MOST_BYTES = 1 << 26
_DEEPEST = 50


class Record(msgspec.Struct, frozen=True, kw_only=True):
    """Base of what a JSON file holds; keys that it does not name are left out.

    Example:
    >>> class Point(Record, frozen=True):
    ...     x: Finite
    >>> decode_record(b'{"x": 1, "color": "red"}', Point, "point.json")
    Point(x=1.0)
    >>> decode_record(b'{"x": NaN}', Point, "point.json")
    Traceback (most recent call last):
        ...
    ls_base.errors.FileError: Expected x in point.json to be a finite number. Received: nan
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
        schema: What the file's key `schema` must be; `None`: it need have none.
        error: What to raise.

    Raises:
        LsKerasError: Of the type `error`: if the file can't be read, or is not what `kind` says.
    """
    content = read_bytes(path, most=_MOST_BYTES, error=error)
    return decode_record(content, kind, str(path), schema=schema, error=error)


def decode_record(
    content: bytes,
    kind: type[T],
    name: str,
    *,
    schema: int | None = None,
    error: type[LsKerasError] = FileError,
) -> T:
    """Reads JSON.

    Args:
        content: The bytes of a file.
        kind: A `Record`, or any type of JSON.
        name: What the file is called in an error.
        schema: What its key `schema` must be; `None`: it need have none.
        error: What to raise.

    Raises:
        LsKerasError: Of the type `error`: if the bytes are not JSON in UTF-8, nest deeper than 50,
            hold a key twice or a character that is none, or are not what `kind` says.
    """
    try:
        value = json.loads(content.decode("utf-8"), object_pairs_hook=_unique)
    except RecursionError:
        raise error(_TOO_DEEP.format(name)) from None
    except ValueError as wrong:
        reason = "not UTF-8" if isinstance(wrong, UnicodeDecodeError) else wrong
        raise error(f"Expected a JSON file at {name}. Received: {reason}") from wrong
    _check(value, name, error)
    if schema is not None:
        found = value.get("schema") if isinstance(value, dict) else None
        if type(found) is not int or found != schema:
            received = "none" if found is None else short_repr(found)
            raise error(f"Expected schema {schema} in {name}. Received: {received}")
    return convert_record(value, kind, name, error=error)


def convert_record(
    value: Any, kind: type[T], name: str, *, error: type[LsKerasError] = FileError
) -> T:
    """Returns what `decode_record` does of a value that was parsed already.

    Args:
        value: What JSON holds.
        kind: A `Record`, or any type of JSON.
        name: What the file is called in an error.
        error: What to raise.

    Raises:
        LsKerasError: Of the type `error`: if the value is not what `kind` says.
    """
    try:
        return msgspec.convert(value, kind)
    except msgspec.ValidationError as wrong:
        raise error(_explained(str(wrong), value, name)) from wrong


_TOO_DEEP = f"Expected at most {_DEEPEST} levels in {{}}. Received: more"


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        keys = [key for key, _ in pairs]
        twice = next(key for key in keys if keys.count(key) > 1)
        raise ValueError(f"the key {short_repr(twice)} twice")
    return found


def _check(value: Any, name: str, error: type[LsKerasError]) -> None:
    """Refuses deep nesting, and strings that can be neither a path nor be printed."""
    level = [value]
    for _ in range(_DEEPEST):
        inner: list[Any] = []
        for item in level:
            if isinstance(item, dict):
                inner += item.keys()
                inner += item.values()
            elif isinstance(item, list):
                inner += item
            elif isinstance(item, str) and not is_text(item):
                raise error(
                    f"Expected text without NUL and half characters in {name}. "
                    f"Received: {short_repr(item)}"
                )
        level = inner
    if level:
        raise error(_TOO_DEEP.format(name))


def _explained(message: str, value: Any, name: str) -> str:
    """Returns one line of what msgspec says, such as "Expected `int`, got `str` - at `$.steps`"."""
    body, _, where = message.partition(" - at ")
    path = where.strip("`").removeprefix("$").removeprefix(".")
    if missing := re.fullmatch(r"Object missing required field `(.+)`", body):
        field = f"{path}.{missing[1]}" if path else missing[1]
        return f"Expected {field} in {name}. Received: a file without it"
    expected, _, got = body.partition(", got ")
    received = _received(value, path) or got.strip("`") or "another value"
    what = f"{path} in {name}" if path else name
    if not expected.startswith("Expected "):
        reason = body.partition(" value ")[0].replace("`", "").lower()  # the value is told below
        return f"Expected a valid {what} ({reason[:200]}). Received: {received}"
    kind = expected.removeprefix("Expected ").replace("`", "")
    if str(_LARGEST) in kind or (kind == "float"):
        kind = "a finite number"
    return f"Expected {what} to be {kind}. Received: {received}"


def _received(value: Any, path: str) -> str:
    """Returns what lies at a path such as `fit.vector[3]`, if the path names it."""
    for key, index in re.findall(r"([^.\[\]]+)|\[(\d+|\.\.\.)\]", path):
        try:
            value = value[int(index) if index else key]
        except (KeyError, IndexError, TypeError, ValueError):
            return ""  # `[...]`: some key of a mapping
    return short_repr(value)
