"""How every figure looks.

Figures are made with Matplotlib's object-oriented interface only: no pyplot, no backend, no
change of rcParams, so that drawing never disturbs a caller's own plots.

A figure is as wide as a phone can show it: what there is more of goes below. At 390 pixels, `WIDTH`
inches have 70 pixels each, and the smallest letters are 9 pixels high. Legends stand outside the
axes, where they cover no data.
"""

import math
import textwrap
from typing import TYPE_CHECKING, Any, NamedTuple

from ls_base.errors import InputError

if TYPE_CHECKING:
    from matplotlib.figure import Figure

# Okabe and Ito's colors, told apart with any color vision; black is kept for references.
COLORS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#F0E442")
MARKERS = ("o", "s", "^", "D", "v", "P", "X")
LINE_STYLES = ("-", "--", "-.", (0, (1, 1)), (0, (5, 1, 1, 1, 1, 1)), (0, (8, 2)), (0, (3, 3)))
REFERENCE: dict[str, Any] = {"color": "black", "linewidth": 1.0, "linestyle": ":"}
GRAY = "0.45"  # of what belongs to every series
GRID: dict[str, Any] = {"color": "0.88", "linewidth": 0.6}
WIDTH = 5.6  # inches
TEXT, SMALL = 10.0, 9.4  # points
FADED = 0.3  # opacity of what few examples say
_LABELS = 0.52  # inches below axes that the numbers and the label of theirs take
_LEGEND = 62  # letters of a line of a legend
_LINE = 0.21  # inches of it


class Look(NamedTuple):
    """What tells one series from another: its color, and in black and white the rest."""

    color: str
    marker: str
    line_style: Any


def looks(number: int) -> list[Look]:
    """Returns a look for each of so many series.

    The first seven have colors, markers and lines of their own. From the eighth on, colors come
    again with other markers and other lines; any two looks differ in two of the three at least.

    Args:
        number: At most 49.

    Raises:
        InputError: If there are more.

    Example:
    >>> [look.color == COLORS[0] for look in looks(8)].count(True), len(set(looks(49)))
    (2, 49)
    """
    n = len(COLORS)
    if number > n * n:
        raise InputError(
            f"Expected at most {n * n} series, as more are not told apart. Received: {number}"
        )
    # With n prime, no marker meets a line twice.
    places = ((i % n, i // n) for i in range(number))
    return [
        Look(COLORS[i], MARKERS[(i + turn) % n], LINE_STYLES[(i + 2 * turn) % n])
        for i, turn in places
    ]


def more_height(number: int, columns: int = 1) -> float:
    """Returns the inches that the legend of more than seven series takes more than that of seven.

    Args:
        number: How many series there are.
        columns: Of the legend.
    """
    lines, of_seven = (math.ceil(n / columns) for n in (number, len(COLORS)))
    return _LINE * max(0, lines - of_seven)


def new_figure(
    width: float = WIDTH, height: float = 5.0, *, fixed_aspect: bool = False
) -> "Figure":
    """Returns an empty figure of `width` × `height` inches that lays itself out, and is shown.

    Args:
        width: In inches.
        height: In inches.
        fixed_aspect: Whether axes will have a fixed aspect, and are moved together.
    """
    # Matplotlib is a second, which only who draws has to wait.
    from ls_keras.plots.notebook_figure import ShownFigure

    return ShownFigure(
        figsize=(width, height), layout="compressed" if fixed_aspect else "constrained"
    )


def as_label(name: str) -> str:
    """Returns a name as a legend shows it: Matplotlib leaves out labels that begin with `_`.

    Example:
    >>> [as_label(name) for name in ("yes", "_unknown_")]
    ['yes', ' _unknown_']
    """
    return f" {name}" if name.startswith("_") else name


def legend_below(ax, handles=None, *, columns: int = 1):
    """Returns a legend under the axes and their label, where it covers no data."""
    from matplotlib.transforms import ScaledTranslation

    below = ScaledTranslation(0, -_LABELS, ax.figure.dpi_scale_trans)
    handles = ax.get_legend_handles_labels()[0] if handles is None else handles
    return ax.legend(
        handles=handles,
        labels=[textwrap.fill(handle.get_label(), _LEGEND // columns) for handle in handles],
        loc="upper center",
        bbox_to_anchor=(0.5, 0.0),
        bbox_transform=ax.transAxes + below,
        ncols=columns,
        fontsize=SMALL,
        frameon=False,
    )


def shared_legend(figure: "Figure", handles, *, columns: int = 1):
    """Returns a legend below all axes of a figure."""
    return figure.legend(
        handles=handles,
        labels=[textwrap.fill(handle.get_label(), _LEGEND // columns) for handle in handles],
        loc="outside lower center",
        ncols=columns,
        fontsize=SMALL,
        frameon=False,
    )


def tidy(ax) -> None:
    """Gives axes a light grid behind what is drawn, and no frame at the top and right."""
    ax.grid(True, **GRID)
    ax.set_axisbelow(True)
    ax.spines[["top", "right"]].set_visible(False)


def few_ticks(ax, *, across: int = 6, up: int = 6) -> None:
    """Gives linear axes no more ticks than can be read on a phone."""
    from matplotlib.ticker import MaxNLocator

    steps = [1, 2, 2.5, 5, 10]
    ax.xaxis.set_major_locator(MaxNLocator(across, steps=steps))
    ax.yaxis.set_major_locator(MaxNLocator(up, steps=steps))
