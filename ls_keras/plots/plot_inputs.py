"""Checks of the arguments that several plots share: named data, rows and axes."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeVar, cast

from ls_base.errors import InputError
from ls_keras.errors import shown
from ls_keras.inputs.validation import as_number

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Drawn = TypeVar("Drawn")


def as_named(data: Drawn | Mapping[str, Drawn], kind: type[Drawn]) -> dict[str, Drawn]:
    """Returns data by name; a single object has the empty name.

    Args:
        data: An object of `kind`, or a mapping of names to them.
        kind: The class of the objects.

    Raises:
        InputError: If there is no object, one of another class, or a name that is not a string.
    """
    found = {"": data} if isinstance(data, kind) else data
    expected = f"Expected {kind.__name__}, or a mapping of names to objects of it. Received: "
    if not isinstance(found, Mapping) or not found:
        raise InputError(f"{expected}{shown(data)}")
    check_strings(found)
    for name, value in found.items():
        if not isinstance(value, kind):
            raise InputError(f"{expected}{type(value).__name__} for {shown(name)}")
    return dict(found)


def check_strings(names: Iterable) -> None:
    """Raises an `InputError` unless all names are strings."""
    for name in names:
        if not isinstance(name, str):
            raise InputError(
                f'Expected names that are strings, such as "α = 0.1". Received: {shown(name)}'
            )


def check_rows(
    rows: Sequence[Mapping[str, Any]],
    keys: Collection[str],
    strings: Collection[str] = (),
    banded: Collection[str] = (),
) -> None:
    """Raises an `InputError` unless there are rows and all have the keys.

    Args:
        rows: The rows.
        keys: Required keys, whose values are finite numbers.
        strings: Keys whose values are strings instead. Default: none.
        banded: Keys with intervals: `<key>_low` and `<key>_high` are finite numbers, `None` or
            missing. Default: none.
    """
    if not isinstance(rows, Sequence) or not all(isinstance(row, Mapping) for row in rows):
        raise InputError(f"Expected rows that are mappings. Received: {shown(rows)}")
    if not all(isinstance(key, str) for key in keys):
        raise InputError(f"Expected the name of a score. Received: {shown(list(keys))}")
    ends = [f"{key}_{end}" for key in banded for end in ("low", "high")]
    for row in rows or ({},):
        missing = set(keys) - set(row)
        if missing:
            raise InputError(
                f"Expected rows with the keys {', '.join(sorted(missing))}. "
                f"Received: {', '.join(map(str, row)) if row else 'no rows'}"
            )
        for key in strings:
            if not isinstance(row[key], str):
                raise InputError(f"Expected {key} to be a string. Received: {shown(row[key])}")
        numbers = {*keys} - {*strings} | {end for end in ends if row.get(end) is not None}
        for key in sorted(numbers):
            as_number(row[key], key)


def fill_missing_keys(rows: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Returns rows with the keys of all rows in the same order; missing values are `None`.

    Raises:
        InputError: If they are not rows.
    """
    check_rows(rows, ())
    names = dict.fromkeys(name for row in rows for name in row)
    return [{name: row.get(name) for name in names} for row in rows]


def check_ax(ax) -> None:
    """Raises an `InputError` unless the argument is Matplotlib axes or `None`."""
    if ax is not None and not hasattr(ax, "get_figure"):
        raise InputError(f"Expected axes of Matplotlib. Received: {shown(ax)}")


def check_labels(labels) -> None:
    """Raises an `InputError` unless labels are `None` or map keys to strings."""
    if not isinstance(labels, Mapping | None) or not all(
        isinstance(label, str) for label in (labels or {}).values()
    ):
        raise InputError(f"Expected labels to map keys to strings. Received: {shown(labels)}")


def check_title(title) -> None:
    """Raises an `InputError` unless a title is a string or `None`."""
    if not isinstance(title, str | None):
        raise InputError(f"Expected a title, or None. Received: {shown(title)}")


def get_figure(ax: "Axes") -> "Figure":
    """Returns the figure of axes, also for axes in a subfigure."""
    return cast("Figure", ax.get_figure(root=True))
