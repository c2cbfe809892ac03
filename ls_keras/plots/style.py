"""The appearance of all figures.

Figures use Matplotlib's object-oriented interface only (no pyplot, backend or rcParams), so drawing
never affects other plots of the caller. A figure is as wide as a phone can show: at 390 pixels,
`WIDTH` inches have 70 pixels each, and the smallest letters are 9 pixels high. Legends are outside
of the axes, where they cover no data.
"""

import math
import textwrap
from typing import TYPE_CHECKING, Any, NamedTuple

from ls_base.errors import InputError

if TYPE_CHECKING:
    from matplotlib.figure import Figure

# The colors of Okabe and Ito, distinguishable with any color vision; black is for references.
COLORS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#F0E442")
MARKERS = ("o", "s", "^", "D", "v", "P", "X")
LINE_STYLES = ("-", "--", "-.", (0, (1, 1)), (0, (5, 1, 1, 1, 1, 1)), (0, (8, 2)), (0, (3, 3)))
REFERENCE: dict[str, Any] = {"color": "black", "linewidth": 1.0, "linestyle": ":"}
GRAY = "0.45"  # for what all series share
GRID: dict[str, Any] = {"color": "0.88", "linewidth": 0.6}
WIDTH = 5.6  # inches
TEXT, SMALL = 10.0, 9.4  # points
FADED = 0.3  # opacity of values with few examples
BAND = 0.15  # opacity of bands
_LABELS = 0.52  # inches of the tick labels and the label below axes
_LEGEND = 62  # letters in a line of a legend
_LINE = 0.21  # inches of a line of a legend


class SeriesStyle(NamedTuple):
    """Color, marker and line style, which together distinguish a series from others."""

    color: str
    marker: str
    line_style: Any

    def line(self, label: str | None = None, **options: Any) -> dict[str, Any]:
        """Returns the arguments of `Axes.plot` for the series.

        Args:
            label: Its name in the legend. Default: `None`, for none.
            **options: Arguments that replace or extend them.
        """
        own = {"color": self.color, "marker": self.marker, "linestyle": self.line_style}
        if label is not None:
            own["label"] = as_label(label)
        return own | {"markersize": 4, "linewidth": 1.5} | options


def series_styles(number: int) -> list[SeriesStyle]:
    """Returns a different style for each series.

    The first seven have different colors, markers and lines. Further styles repeat the colors with
    other markers and lines, so that any two styles differ in at least two of the three.

    Args:
        number: Number of series, at most 49.

    Raises:
        InputError: If there are more.

    Example:
    >>> [s.color == COLORS[0] for s in series_styles(8)].count(True), len(set(series_styles(49)))
    (2, 49)
    """
    n = len(COLORS)
    if number > n * n:
        raise InputError(
            f"Expected at most {n * n} series, because more cannot be distinguished. "
            f"Received: {number}"
        )
    # Because n is prime, no marker meets a line style twice.
    places = ((i % n, i // n) for i in range(number))
    return [
        SeriesStyle(COLORS[i], MARKERS[(i + turn) % n], LINE_STYLES[(i + 2 * turn) % n])
        for i, turn in places
    ]


def extra_legend_height(number: int, columns: int = 1) -> float:
    """Returns the additional height in inches of a legend with more than seven series.

    Args:
        number: Number of series.
        columns: Columns of the legend. Default: 1.
    """
    lines, usual = (math.ceil(n / columns) for n in (number, len(COLORS)))
    return _LINE * max(0, lines - usual)


def new_figure(
    width: float = WIDTH, height: float = 5.0, *, fixed_aspect: bool = False
) -> "Figure":
    """Returns an empty figure with automatic layout that notebooks display.

    Args:
        width: Width in inches. Default: 5.6.
        height: Height in inches. Default: 5.
        fixed_aspect: Whether axes will have a fixed aspect and are placed together.
    """
    # Importing Matplotlib takes a second, so only drawing does it.
    from ls_keras.plots.notebook_figure import NotebookFigure

    return NotebookFigure(
        figsize=(width, height), layout="compressed" if fixed_aspect else "constrained"
    )


def as_label(name: str) -> str:
    """Returns a name as a label of a legend; Matplotlib ignores labels that begin with `_`.

    Example:
    >>> [as_label(name) for name in ("yes", "_unknown_")]
    ['yes', ' _unknown_']
    """
    return f" {name}" if name.startswith("_") else name


def legend_below(ax, handles=None, *, columns: int = 1):
    """Returns a legend below the axes and their label, where it covers no data."""
    from matplotlib.transforms import ScaledTranslation

    below = ScaledTranslation(0, -_LABELS, ax.figure.dpi_scale_trans)
    handles = ax.get_legend_handles_labels()[0] if handles is None else handles
    return ax.legend(
        loc="upper center",
        bbox_to_anchor=(0.5, 0.0),
        bbox_transform=ax.transAxes + below,
        **_legend_options(handles, columns),
    )


def shared_legend(figure: "Figure", handles, *, columns: int = 1):
    """Returns a legend below all axes of a figure."""
    return figure.legend(loc="outside lower center", **_legend_options(handles, columns))


def _legend_options(handles, columns: int) -> dict[str, Any]:
    labels = [textwrap.fill(handle.get_label(), _LEGEND // columns) for handle in handles]
    shape = {"ncols": columns, "fontsize": SMALL, "frameon": False}
    return {"handles": handles, "labels": labels, **shape}


def despine(ax) -> None:
    """Adds a light grid behind the data and removes the frame at the top and right."""
    ax.grid(True, **GRID)
    ax.set_axisbelow(True)
    ax.spines[["top", "right"]].set_visible(False)


def limit_ticks(ax, *, across: int = 6, up: int = 6) -> None:
    """Limits the ticks of linear axes to the number that a phone can show."""
    from matplotlib.ticker import MaxNLocator

    steps = [1, 2, 2.5, 5, 10]
    ax.xaxis.set_major_locator(MaxNLocator(across, steps=steps))
    ax.yaxis.set_major_locator(MaxNLocator(up, steps=steps))
