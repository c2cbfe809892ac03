"""What the plots ask of their arguments alike: things by name, rows, axes to draw on."""

from collections.abc import Collection, Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeVar, cast

from ls_base.errors import InputError

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
        InputError: If there is none, or something that is none.
    """
    found = {"": data} if isinstance(data, kind) else data
    article = "an" if kind.__name__[0] in "AEIOaeio" else "a"
    expected = f"Expected {article} {kind.__name__}, or a mapping of names to them. Received: "
    if not isinstance(found, Mapping) or not found:
        raise InputError(f"{expected}{data!r:.80}")
    for name, value in found.items():
        if not isinstance(value, kind):
            raise InputError(f"{expected}{type(value).__name__} for {name!r}")
    return dict(found)


def check_rows(rows: Sequence[Mapping[str, Any]], keys: Collection[str]) -> None:
    """Raises an `InputError` unless there are rows, and the first has the keys."""
    missing = set(keys) - set(rows[0] if rows else ())
    if missing:
        raise InputError(
            f"Expected rows with the keys {', '.join(sorted(missing))}. "
            f"Received: {', '.join(rows[0]) if rows else 'no rows'}"
        )


def check_axes(axes: Sequence["Axes"], number: int, what: str) -> list["Axes"]:
    """Returns axes as a list, or raises an `InputError` unless there is one for each.

    Args:
        axes: Axes.
        number: How many are needed.
        what: What is drawn on each, such as `"a panel"`.
    """
    axes = list(axes)
    if len(axes) != number:
        raise InputError(f"Expected {number} axes, one {what}. Received: {len(axes)}")
    return axes


def figure_of(ax: "Axes") -> "Figure":
    """Returns the figure that axes are on, also where it is drawn into a part of one."""
    return cast("Figure", ax.get_figure(root=True))
