"""Lines with the band of their intervals, as several figures draw them."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from ls_keras.plots import style

_BAND = 0.15  # opacity


def has_band(rows: Iterable[Mapping[str, Any]], key: str) -> bool:
    """Returns whether all rows have both ends of an interval.

    Args:
        rows: A row a point; an end that is not there, or `None`, is not known.
        key: The key of the value; its ends are `<key>_low` and `<key>_high`.
    """
    return all(row.get(f"{key}_{end}") is not None for row in rows for end in ("low", "high"))


def banded_line(
    ax, rows: Sequence[Mapping[str, Any]], x: str, key: str, look: style.Look, label: str
) -> None:
    """Draws a line, and a band if the interval of each of its points is known.

    Args:
        ax: Axes.
        rows: A row a point, in the order that they are joined in.
        x: The key of where they stand.
        key: The key of the value.
        look: What tells the line from others.
        label: What the legend calls it.
    """
    at = [row[x] for row in rows]
    if has_band(rows, key):
        ends = ([row[f"{key}_{end}"] for row in rows] for end in ("low", "high"))
        ax.fill_between(at, *ends, color=look.color, alpha=_BAND, linewidth=0)
    ax.plot(
        at,
        [row[key] for row in rows],
        label=style.as_label(label),
        color=look.color,
        marker=look.marker,
        linestyle=look.line_style,
        markersize=4,
        linewidth=1.5,
    )


def band_in_legend():
    """Returns what a legend shows of bands."""
    from matplotlib.patches import Patch

    return Patch(color=style.GRAY, alpha=_BAND, linewidth=0, label="band: 95 % interval")
