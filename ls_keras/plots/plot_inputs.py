"""What the plots ask of their arguments alike: things by name, rows, axes to draw on."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeVar, cast

from ls_base.errors import InputError
from ls_keras.errors import shown
from ls_keras.inputs.validation import as_names, as_number

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Drawn = TypeVar("Drawn")


def by_name(data: Drawn | Mapping[str, Drawn], kind: type[Drawn]) -> dict[str, Drawn]:
    """Returns what is to be drawn by name; one thing alone has the empty name.

    Args:
        data: One of `kind`, or a mapping of names to them.
        kind: The class of what is drawn.

    Raises:
        InputError: If there is none, something that is none, or a name that is no word.
    """
    found = {"": data} if isinstance(data, kind) else data
    article = "an" if kind.__name__[0] in "AEIOaeio" else "a"
    expected = f"Expected {article} {kind.__name__}, or a mapping of names to them. Received: "
    if not isinstance(found, Mapping) or not found:
        raise InputError(f"{expected}{shown(data)}")
    check_words(found)
    for name, value in found.items():
        if not isinstance(value, kind):
            raise InputError(f"{expected}{type(value).__name__} for {shown(name)}")
    return dict(found)


def check_words(names: Iterable) -> None:
    """Raises an `InputError` unless all names of what is drawn are words: no numbers."""
    for name in names:
        if not isinstance(name, str):
            raise InputError(
                f'Expected names that are words, such as "α = 0.1". Received: {shown(name)}'
            )


def check_rows(
    rows: Sequence[Mapping[str, Any]],
    keys: Collection[str],
    words: Collection[str] = (),
    banded: Collection[str] = (),
) -> None:
    """Raises an `InputError` unless there are rows, each with the keys.

    Args:
        rows: What is drawn.
        keys: What each row must have: finite numbers.
        words: The keys whose values are words.
        banded: The keys whose intervals are drawn: their ends, `<key>_low` and `<key>_high`, are
            finite numbers, too, where they are there and not `None`.
    """
    if not isinstance(rows, Sequence) or not all(isinstance(row, Mapping) for row in rows):
        raise InputError(f"Expected rows that are mappings. Received: {shown(rows)}")
    if not all(isinstance(key, str) for key in keys):
        raise InputError(f"Expected the name of a score. Received: {shown(list(keys))}")
    for row in rows or ({},):
        missing = set(keys) - set(row)
        if missing:
            raise InputError(
                f"Expected rows with the keys {', '.join(sorted(missing))}. "
                f"Received: {', '.join(map(str, row)) if row else 'no rows'}"
            )
        for key in keys:
            if key not in words:
                as_number(row[key], key)
            elif not isinstance(row[key], str):
                raise InputError(f"Expected {key} to be a word. Received: {shown(row[key])}")
        for end in (f"{key}_{end}" for key in banded for end in ("low", "high")):
            if row.get(end) is not None:
                as_number(row[end], end)


def with_same_keys(rows: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Returns rows with the keys of all, in one order; `None`: a row has none.

    Raises:
        InputError: If they are no rows.
    """
    check_rows(rows, ())
    names = dict.fromkeys(name for row in rows for name in row)
    return [{name: row.get(name) for name in names} for row in rows]


def check_axes(axes: Sequence["Axes"], number: int, what: str) -> list["Axes"]:
    """Returns axes as a list, or raises an `InputError` unless there is one for each.

    Args:
        axes: Axes.
        number: How many are needed.
        what: What is drawn on each, such as `"a panel"`.
    """
    if not isinstance(axes, Iterable) or isinstance(axes, str):
        raise InputError(f"Expected {number} axes, one {what}. Received: {shown(axes)}")
    axes = list(axes)
    if len(axes) != number:
        raise InputError(f"Expected {number} axes, one {what}. Received: {len(axes)}")
    for ax in axes:
        check_ax(ax)
    return axes


def check_ax(ax) -> None:
    """Raises an `InputError` unless it can be drawn on, or is `None`."""
    if ax is not None and not hasattr(ax, "get_figure"):
        raise InputError(f"Expected axes of Matplotlib. Received: {shown(ax)}")


def check_labels(labels) -> None:
    """Raises an InputError unless labels are `None`, or words by key."""
    if not isinstance(labels, Mapping | None) or not all(
        isinstance(label, str) for label in (labels or {}).values()
    ):
        raise InputError(f"Expected labels to map keys to words. Received: {shown(labels)}")


def check_title(title) -> None:
    """Raises an `InputError` unless it is words, or `None`."""
    if not isinstance(title, str | None):
        raise InputError(f"Expected a title, or None. Received: {shown(title)}")


def check_names(class_names, classes: Sequence[int]) -> None:
    """Raises an `InputError` unless there is a name for each class, or `None` for all."""
    if class_names is not None:
        as_names(class_names, "class_names", max(classes) + 1)


def figure_of(ax: "Axes") -> "Figure":
    """Returns the figure that axes are on, also where it is drawn into a part of one."""
    return cast("Figure", ax.get_figure(root=True))
