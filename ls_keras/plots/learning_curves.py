"""What training and validation measured, over the steps: one panel a quantity."""

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from ls_base.errors import InputError
from ls_keras.errors import shown
from ls_keras.inputs.validation import as_number
from ls_keras.plots import style
from ls_keras.plots.plot_inputs import check_labels, check_rows, check_title, with_same_keys

if TYPE_CHECKING:
    from matplotlib.figure import Figure

VALIDATION = "val_"  # as in the history that `fit` returns
_COLUMNS = 2
_FEW = 25  # points of a curve, of which each is marked


def learning_curves(
    rows: Sequence[Mapping[str, Any]],
    *,
    labels: Mapping[str, str] | None = None,
    title: str | None = None,
) -> "Figure":
    """Draws each quantity in a panel of its own, of training and validation.

    Args:
        rows: One an epoch, or whenever something was measured, in any order: `step`, and
            quantities under the names that `fit` gives them, such as `loss`, `val_loss` and
            `val_nll`. What was not measured then is `None`, or left out.
        labels: What quantities are called above their panels, with their units, by name without
            `val_`; those that have one come first, in this order. Default: their names.
        title: A title. Default: none.

    Returns:
        The figure, which no global state knows.

    Raises:
        InputError: If there are no rows, one has no step, something is no finite number, or
            nothing was measured.

    Example:
        >>> from ls_keras.plots import learning_curves
        >>> rows = [{"step": 10 * n, "loss": 1 / n, "val_nll": 2 / n} for n in (1, 2, 3)]
        >>> figure = learning_curves(rows, labels={"nll": "NLL (nats)"})
        >>> [ax.get_title(loc="left") for ax in figure.axes]
        ['NLL (nats)', 'loss']
    """
    check_title(title)
    check_labels(labels)
    whole = learning_rows(rows)
    names = dict.fromkeys(
        name.removeprefix(VALIDATION) for name in whole[0] if name not in ("step", "epoch")
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
    shown_series: dict[str, Any] = {}
    for name, ax in zip(names, panels, strict=False):
        for (what, key), look in zip(
            (("training", name), ("validation", VALIDATION + name)), style.looks(2), strict=True
        ):
            points = [(row["step"], row[key]) for row in whole if row.get(key) is not None]
            if not points:
                continue
            (shown_series[what],) = ax.plot(
                *zip(*points, strict=True),
                label=what,
                color=look.color,
                linestyle=look.line_style,
                marker=look.marker if len(points) <= _FEW else None,
                markersize=3.5,
                linewidth=1.4,
            )
        ax.set_title((labels or {}).get(name, name), loc="left", fontsize=style.TEXT)
        style.few_ticks(ax, across=4 if columns > 1 else 6, up=5)
        style.tidy(ax)
    for ax in panels[max(0, len(names) - columns) : len(names)]:
        ax.set_xlabel("Training step")
        ax.tick_params(labelbottom=True)
    handles = [shown_series[what] for what in ("training", "validation") if what in shown_series]
    style.shared_legend(figure, handles, columns=2)
    if title:
        figure.suptitle(title)
    return figure


def learning_rows(rows: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Returns the numbers of the curves by step, one row each with the same keys.

    Args:
        rows: See `learning_curves`.

    Raises:
        InputError: See `learning_curves`.
    """
    check_rows(rows, ("step",))
    whole = with_same_keys(rows)
    if not all(isinstance(name, str) for name in whole[0]):
        raise InputError(f"Expected names of quantities. Received: {shown(list(whole[0]))}")
    for row in rows:
        for name, value in row.items():
            if value is not None:
                as_number(value, name)
    return sorted(whole, key=lambda row: row["step"])
