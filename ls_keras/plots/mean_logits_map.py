"""Heat maps of the mean logits of each class, which show similar classes."""

import textwrap
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from ls_keras.plots import style
from ls_keras.plots.plot_inputs import (
    as_named,
    check_axes,
    check_class_names,
    check_title,
    get_figure,
)
from ls_keras.representation.mean_logits import MeanLogits

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# Largest numbers of classes that are all labeled, and that have numbers in the cells.
_LABELED, _NUMBERED = 16, 10
_CELL = 8.4  # font size in points of a number in a cell, 35 pixels wide on a phone


def mean_logits_map(
    maps: MeanLogits | Mapping[str, MeanLogits],
    *,
    class_names: Sequence[str] | None = None,
    axes: "Sequence[Axes] | None" = None,
    title: str | None = "Mean logits",
) -> "Figure":
    """Draws matrices of mean logits, with a row for each true class and a column for each logit.

    The diagonal is gray, because its values are far above the others, which show the similarities.
    All matrices use the same color scale, centered at 0.

    Args:
        maps: Result of `ls_keras.representation.mean_logits`, or several by name.
        class_names: Names of all K classes. Default: their numbers.
        axes: Axes to draw on, one for each matrix. Default: those of a new figure.
        title: Title of the figure; `None` for none.

    Returns:
        The figure, which is not part of any global state; save it with `ls_keras.plots.save`.

    Raises:
        InputError: If there is no matrix, an object is not one, a name is not a string, or the
            number of axes differs.

    Example:
        >>> from ls_keras.plots import mean_logits_map
        >>> from ls_keras.representation import mean_logits
        >>> found = mean_logits([0, 1, 2], [[4.0, 1.0, 0.0], [1.0, 4.0, 0.0], [0.0, 0.0, 3.0]])
        >>> figure = mean_logits_map({"hard targets": found})
        >>> figure.axes[0].get_title()
        'hard targets'
    """
    check_title(title)
    named = as_named(maps, MeanLogits)
    for found in named.values():
        check_class_names(class_names, found.classes)
    if axes is None:
        figure = style.new_figure(height=5.4 * len(named) + 0.6, fixed_aspect=True)
        axes = list(figure.subplots(len(named), 1, squeeze=False)[:, 0])
    axes = check_axes(axes, len(named), "a matrix")
    others = [m.matrix[~np.eye(len(m.classes), dtype=bool)] for m in named.values()]
    largest = float(np.nanmax(np.abs(np.concatenate([*others, [1e-12]]))))
    image: Any = None
    for ax, (name, found) in zip(axes, named.items(), strict=True):
        image = _draw(ax, found, class_names, largest)
        ax.set_title(textwrap.fill(name, 44), fontsize=style.TEXT)
    figure = get_figure(axes[0])
    figure.colorbar(
        image,
        ax=axes,
        label="mean logit minus the mean over the classes",
        location="bottom",
        shrink=0.8,
        aspect=30,
    )
    if title:
        figure.suptitle(title)
    return figure


def mean_logits_rows(
    maps: MeanLogits | Mapping[str, MeanLogits], class_names: Sequence[str] | None = None
) -> list[dict[str, Any]]:
    """Returns the numbers of the maps for `ls_keras.plots.save`, a row for each cell."""
    rows = []
    for name, found in as_named(maps, MeanLogits).items():
        check_class_names(class_names, found.classes)
        names = _names(found, class_names)
        for i, true_class in enumerate(names):
            for k, logit in enumerate(names):
                value = float(found.matrix[i, k])
                rows.append(
                    {
                        "map": name,
                        "class": true_class,
                        "logit": logit,
                        "mean": None if np.isnan(value) else value,
                        "count": int(found.counts[i]),
                    }
                )
    return rows


def _draw(ax: "Axes", found: MeanLogits, class_names, largest: float):
    size = len(found.classes)
    shown = np.ma.masked_where(np.eye(size, dtype=bool), found.matrix)
    image = ax.imshow(shown, cmap="PuOr", vmin=-largest, vmax=largest, interpolation="nearest")
    ax.set_facecolor("0.8")
    step = -(-size // _LABELED)
    names = [textwrap.shorten(n, 18, placeholder="…") for n in _names(found, class_names)[::step]]
    upright = all(len(name) <= 2 for name in names)
    at = range(0, size, step)
    ax.set_xticks(at, names, rotation=0 if upright else 90, fontsize=style.SMALL)
    ax.set_yticks(at, names, fontsize=style.SMALL)
    if size <= _NUMBERED:
        for (i, k), value in np.ndenumerate(found.matrix):
            if not np.isnan(value):
                dark = i != k and abs(value) > 0.65 * largest
                color = "white" if dark else "black"
                ax.text(k, i, f"{value:.1f}", ha="center", va="center", fontsize=_CELL, color=color)
    ax.set(xlabel="logit", ylabel="true class")
    return image


def _names(found: MeanLogits, class_names: Sequence[str] | None) -> list[str]:
    return [str(c) if class_names is None else class_names[c] for c in found.classes]
