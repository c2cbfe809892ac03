"""Training and validation values over the steps, one panel for each quantity."""

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from ls_base.errors import InputError
from ls_keras.errors import shown
from ls_keras.inputs.validation import as_number
from ls_keras.plots import style
from ls_keras.plots.plot_inputs import check_labels, check_rows, check_title, fill_missing_keys

if TYPE_CHECKING:
    from matplotlib.figure import Figure

VALIDATION = "val_"  # as in the history of `fit`
_COLUMNS = 2
_MARKED = 25  # largest number of points that get markers


def learning_curves(
    rows: Sequence[Mapping[str, Any]],
    *,
    labels: Mapping[str, str] | None = None,
    title: str | None = None,
) -> "Figure":
    """Draws each quantity of training and validation in its own panel.

    Args:
        rows: A row for each epoch or measurement, in any order: `step`, and quantities with the
            names of `fit`, such as `loss`, `val_loss` and `val_nll`. Missing values are `None` or
            left out.
        labels: Titles of the panels with units, by name without `val_`; these quantities come
            first, in this order. Default: the names.
        title: Title of the figure. Default: `None`.

    Returns:
        The figure, which is not part of any global state.

    Raises:
        InputError: If there are no rows, a row has no step, a value is not a finite number, or
            there is no quantity.

    Example:
        >>> from ls_keras.plots import learning_curves
        >>> rows = [{"step": 10 * n, "loss": 1 / n, "val_nll": 2 / n} for n in (1, 2, 3)]
        >>> figure = learning_curves(rows, labels={"nll": "NLL (nats)"})
        >>> [ax.get_title(loc="left") for ax in figure.axes]
        ['NLL (nats)', 'loss']
    """
    check_title(title)
    check_labels(labels)
    filled = learning_rows(rows)
    names = dict.fromkeys(
        name.removeprefix(VALIDATION) for name in filled[0] if name not in ("step", "epoch")
    )
    if not names:
        raise InputError(f"Expected a quantity beside the step. Received: {', '.join(rows[0])}")
    names = dict.fromkeys([*(name for name in labels or {} if name in names), *names])
    columns = min(len(names), _COLUMNS)
    height = math.ceil(len(names) / columns)
    figure = style.new_figure(height=(2.3 if columns > 1 else 3.4) * height + 0.7)
    panels = figure.subplots(height, columns, squeeze=False, sharex=True).ravel()
    for unused in panels[len(names) :]:
        unused.remove()
    splits = dict(zip(("training", "validation"), style.series_styles(2), strict=True))
    lines: dict[str, Any] = {}
    for name, ax in zip(names, panels, strict=False):
        for split, series_style in splits.items():
            key = name if split == "training" else VALIDATION + name
            points = [(row["step"], row[key]) for row in filled if row.get(key) is not None]
            if points:
                marker = series_style.marker if len(points) <= _MARKED else None
                options = series_style.line(split, marker=marker, markersize=3.5, linewidth=1.4)
                (lines[split],) = ax.plot(*zip(*points, strict=True), **options)
        ax.set_title((labels or {}).get(name, name), loc="left", fontsize=style.TEXT)
        style.limit_ticks(ax, across=4 if columns > 1 else 6, up=5)
        style.despine(ax)
    for ax in panels[max(0, len(names) - columns) : len(names)]:
        ax.set_xlabel("Training step")
        ax.tick_params(labelbottom=True)
    handles = [lines[split] for split in splits if split in lines]
    style.shared_legend(figure, handles, columns=2)
    if title:
        figure.suptitle(title)
    return figure


def learning_rows(rows: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Returns the numbers of the curves, sorted by step, with the same keys in each row.

    Args:
        rows: See `learning_curves`.

    Raises:
        InputError: See `learning_curves`.
    """
    check_rows(rows, ("step",))
    filled = fill_missing_keys(rows)
    if not all(isinstance(name, str) for name in filled[0]):
        raise InputError(f"Expected names of quantities. Received: {shown(list(filled[0]))}")
    for row in rows:
        for name, value in row.items():
            if value is not None:
                as_number(value, name)
    return sorted(filled, key=lambda row: row["step"])
