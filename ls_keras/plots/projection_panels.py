"""Projections of penultimate activations side by side: a row of Figure 1 of the paper."""

import textwrap
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from ls_base.errors import InputError
from ls_keras.errors import shown
from ls_keras.inputs.validation import as_flag
from ls_keras.plots import style
from ls_keras.plots.plot_inputs import check_strings, check_title
from ls_keras.representation.projection import Projection

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_COLUMNS = 2  # training and validation
_SHORT = 16  # longest name if three names share a line of the legend
_TITLE_WIDTH = 26  # letters


def projection_panels(
    panels: Mapping[str, Projection],
    *,
    title: str | None = None,
    common_axes: bool = True,
) -> "Figure":
    """Draws projections in rows of two, such as training and validation of each network.

    Dots are examples; the large, outlined marks and the triangle are the class templates. Both
    coordinates have the units of the activations and the same scale.

    Args:
        panels: Projections by the title of their panel, left to right.
        title: Title of the figure; `None` for none.
        common_axes: Whether all panels have the same limits. Networks with different scales are
            easier to compare with separate limits. Default: `True`.

    Returns:
        The figure, which is not part of any global state; save it with `ls_keras.plots.save`.

    Raises:
        InputError: If there is no panel, an object is not a projection, or a name is not a string.

    Example:
        >>> import numpy as np
        >>> from ls_keras.plots import projection_panels
        >>> from ls_keras.representation import project_classes, template_plane
        >>> plane, y_true = template_plane(np.eye(3), (0, 1, 2)), np.arange(30) % 3
        >>> found = project_classes(y_true, np.eye(3)[y_true], plane, num_classes=3)
        >>> figure = projection_panels({"train": found, "validation": found})
        >>> [ax.get_title() for ax in figure.axes]
        ['train', 'validation']
    """
    _check_panels(panels)
    check_title(title)
    as_flag(common_axes, "common_axes")
    columns = min(len(panels), _COLUMNS)
    rows = -(-len(panels) // columns)
    height = (2.8 if columns > 1 else 5.2) * rows + 0.9
    figure = style.new_figure(height=height, fixed_aspect=True)
    grid = figure.subplots(rows, columns, squeeze=False).ravel()
    axes = grid[: len(panels)]
    for unused in grid[len(panels) :]:
        unused.remove()
    limits = _limits(list(panels.values()))
    for i, (ax, (name, projection)) in enumerate(zip(axes, panels.items(), strict=True)):
        _draw(ax, projection)
        (left, right), (low, high) = limits if common_axes else _limits([projection])
        ax.set(aspect="equal", xlim=(left, right), ylim=(low, high))
        ax.set_title(textwrap.fill(name, _TITLE_WIDTH), fontsize=style.TEXT)
        style.limit_ticks(ax, across=4, up=5)
        style.despine(ax)
        if i % columns == 0:
            ax.set_ylabel("second coordinate")
        if i + columns >= len(panels):
            ax.set_xlabel("first coordinate")
    handles, labels = axes[0].get_legend_handles_labels()
    if len({projection.names for projection in panels.values()}) == 1:
        short = max(map(len, labels)) <= _SHORT
        legend = style.shared_legend(figure, handles, columns=3 if short else 1)
        for handle in legend.legend_handles:
            if handle is not None:
                handle.set_alpha(1.0)
    else:
        for ax in axes:
            style.legend_below(ax)
    if title:
        figure.suptitle(title)
    return figure


def projection_rows(panels: Mapping[str, Projection]) -> list[dict[str, Any]]:
    """Returns the numbers of the panels for `ls_keras.plots.save`, a row for each point.

    `kind` is `example` or `template`.
    """
    _check_panels(panels)
    rows = []
    for panel, projection in panels.items():
        names = dict(zip(projection.classes, projection.names, strict=True))
        for kind, labels, points in (
            ("template", projection.classes, projection.corners),
            ("example", projection.labels, projection.coordinates),
        ):
            rows += [
                {
                    "panel": panel,
                    "kind": kind,
                    "class": int(label),
                    "name": names[int(label)],
                    "x": float(x),
                    "y": float(y),
                }
                for label, (x, y) in zip(labels, points, strict=True)
            ]
    return rows


def _check_panels(panels) -> None:
    if (
        not isinstance(panels, Mapping)
        or not panels
        or not all(isinstance(p, Projection) for p in panels.values())
    ):
        raise InputError(
            f"Expected a mapping of titles to Projections, at least one. Received: {shown(panels)}"
        )
    check_strings(panels)


def _draw(ax: "Axes", projection: Projection) -> None:
    corners = projection.corners
    ax.plot(*corners[[0, 1, 2, 0]].T, zorder=2, **style.REFERENCE)
    styles = style.series_styles(len(corners))
    classes = zip(projection.classes, projection.names, corners, styles, strict=True)
    for class_id, name, corner, own in classes:
        points = projection.coordinates[projection.labels == class_id]
        look: dict[str, Any] = {"color": own.color, "marker": own.marker}
        label = style.as_label(name)
        ax.scatter(
            points[:, 0],
            points[:, 1],
            s=13,
            alpha=0.55,
            linewidths=0,
            label=label,
            zorder=3,
            **look,
        )
        ax.scatter(corner[0], corner[1], s=75, edgecolors="black", linewidths=1.3, zorder=4, **look)


def _limits(projections: Sequence[Projection]) -> tuple[tuple[float, float], tuple[float, float]]:
    """Returns limits of x and y of the same width that include all points with a margin."""
    points = np.concatenate([np.concatenate([p.coordinates, p.corners]) for p in projections])
    low, high = points.min(axis=0), points.max(axis=0)
    middle, half = (low + high) / 2, 0.55 * float((high - low).max())
    (x, y) = middle
    return (x - half, x + half), (y - half, y + half)
