"""Mutual information during training: Figure 6 of the paper."""

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from ls_base.errors import InputError
from ls_keras.errors import shown
from ls_keras.plots import style
from ls_keras.plots.plot_inputs import check_rows, check_strings, check_title

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

History = Sequence[Mapping[str, Any]]

_SHORT = 24  # longest name if two names share a line of the legend
_FAR = 4.0  # the line of log N is left out if it exceeds the curves by this factor
_COLUMNS = ("step", "mutual_information", "low", "high")


def information_curve(
    histories: History | Mapping[str, History],
    *,
    title: str | None = "Mutual information",
) -> "Figure":
    """Draws mutual information against training steps, with lines at log 2 and log N.

    At log 2 only the class is left; log N is the largest possible value for N examples. If log N is
    far above the curves, its line is left out and its value stands at the top. Bands are 95 %
    intervals.

    Args:
        histories: `MutualInformationProbe.history`: mappings with `step`, `mutual_information`,
            `low`, `high` (nats) and `num_examples`; or several histories by name.
        title: Title of the axes; `None` for none.

    Returns:
        The figure, which is not part of any global state; save it with `ls_keras.plots.save`.

    Raises:
        InputError: If there is no history, an entry lacks a value, a name is not a string, or there
            are more than 49 histories.

    Example:
        >>> from ls_keras.plots import information_curve
        >>> entry = {"mutual_information": 1.5, "low": 1.4, "high": 1.6, "num_examples": 600}
        >>> figure = information_curve([{"step": step, **entry} for step in (0, 4000)])
        >>> [text.get_text() for text in figure.axes[0].texts]
        ['log 2', 'log N = log 600']
    """
    check_title(title)
    named = _as_named(histories)
    styles = style.series_styles(len(named))
    columns = 2 if max(map(len, named)) <= _SHORT else 1
    height = 4.6 + style.extra_legend_height(len(named), columns)
    figure = style.new_figure(height=height)
    ax = figure.subplots()
    for (name, history), series_style in zip(named.items(), styles, strict=True):
        step, value, low, high = (np.array([e[c] for e in history], float) for c in _COLUMNS)
        ax.fill_between(step, low, high, color=series_style.color, alpha=0.18, linewidth=0)
        ax.plot(step, value, **series_style.line(name or None, markersize=4.5))
    entries = [entry for history in named.values() for entry in history]
    sizes = sorted({int(entry["num_examples"]) for entry in entries} - {0, 1})
    highest = max(math.log(2), *(float(entry["high"]) for entry in entries))
    levels = {"log 2": math.log(2)} | {f"log N = log {n}": math.log(n) for n in sizes}
    near = [text for text, height in levels.items() if height <= _FAR * highest]
    for text in near:
        ax.axhline(levels[text], zorder=1, **style.REFERENCE)
        _annotate(ax, text, levels[text], "data")
    far = [f"{text} = {height:.2f}" for text, height in levels.items() if text not in near]
    if far:
        _annotate(ax, f"{', '.join(far)}: above", 1.0, "axes fraction")
    ax.set(xlabel="Training step", ylabel="Mutual information (nats)")
    bottom, top = ax.get_ylim()
    # The text above the highest line needs space.
    ax.set_ylim(min(bottom, 0.0), max(top, 1.07 * max(levels[text] for text in near)))
    style.despine(ax)
    if any(named):
        style.legend_below(ax, columns=columns)
    if title:
        ax.set_title(title)
    return figure


def _annotate(ax: "Axes", text: str, height: float, coordinates: str) -> None:
    ax.annotate(
        text,
        (1.0, height),
        xycoords=("axes fraction", coordinates),
        xytext=(-2, 2),
        textcoords="offset points",
        ha="right",
        va="bottom",
        fontsize=style.SMALL,
    )


def information_rows(histories: History | Mapping[str, History]) -> list[dict[str, Any]]:
    """Returns the numbers of the curves for `ls_keras.plots.save`, a row for each step."""
    return [
        {"curve": name, **entry}
        for name, history in _as_named(histories).items()
        for entry in history
    ]


def _as_named(histories) -> dict[str, History]:
    named = dict(histories) if isinstance(histories, Mapping) else {"": histories}
    check_strings(named)
    if not named:
        raise InputError("Expected at least one history. Received: none")
    for name, history in named.items():
        if not isinstance(history, Sequence) or not history:
            raise InputError(
                f"Expected entries in the history {name!r}. Received: {shown(history)}"
            )
        check_rows(history, (*_COLUMNS, "num_examples"))
    return named
