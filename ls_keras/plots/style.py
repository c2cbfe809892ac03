"""How every figure looks.

Figures are made with Matplotlib's object-oriented interface only: no pyplot, no backend, no
change of rcParams, so that drawing never disturbs a caller's own plots.
"""

import itertools
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from matplotlib.figure import Figure

# Okabe and Ito's colors, told apart with any color vision; black is kept for references.
COLORS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#F0E442")
MARKERS = ("o", "s", "^", "D", "v", "P", "X")
LINE_STYLES = ("-", "--", "-.", (0, (1, 1)), (0, (5, 1, 1, 1, 1, 1)), (0, (8, 2)), (0, (3, 3)))
REFERENCE: dict[str, Any] = {"color": "black", "linewidth": 1.0, "linestyle": ":"}
GRID: dict[str, Any] = {"color": "0.88", "linewidth": 0.6}
_LABELS = 0.5  # inches below axes that the numbers and the label of theirs take


class Look(NamedTuple):
    """What tells one series from another: its color, and in black and white the rest."""

    color: str
    marker: str
    line_style: Any


def looks() -> Iterator[Look]:
    """Yields a look for each series; the seven combinations repeat."""
    return itertools.cycle(Look(*look) for look in zip(COLORS, MARKERS, LINE_STYLES, strict=True))


def new_figure(width: float = 5.0, height: float = 5.0) -> "Figure":
    """Returns an empty figure of `width` × `height` inches that lays itself out."""
    from matplotlib.figure import Figure  # a second, which only who draws has to wait

    return Figure(figsize=(width, height), layout="constrained")


def legend_below(ax, handles=None, *, columns: int = 1):
    """Returns a legend under the axes and their label, where it covers no data."""
    from matplotlib.transforms import ScaledTranslation

    below = ScaledTranslation(0, -_LABELS, ax.figure.dpi_scale_trans)
    return ax.legend(
        handles=ax.get_legend_handles_labels()[0] if handles is None else handles,
        loc="upper center",
        bbox_to_anchor=(0.5, 0.0),
        bbox_transform=ax.transAxes + below,
        ncols=columns,
        fontsize=8,
        frameon=False,
    )


def tidy(ax) -> None:
    """Gives axes a light grid behind what is drawn, and no frame at the top and right."""
    ax.grid(True, **GRID)
    ax.set_axisbelow(True)
    ax.spines[["top", "right"]].set_visible(False)
