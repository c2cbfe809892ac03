"""Mutual information during training: Figure 6 of the paper."""

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from ls_base.errors import InputError
from ls_keras.errors import shown
from ls_keras.inputs.validation import as_count, as_number
from ls_keras.plots import style
from ls_keras.plots.plot_inputs import check_ax, check_strings, check_title, get_figure

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

History = Sequence[Mapping[str, Any]]

_SHORT = 24  # longest name of which two fit side by side
_FAR = 2.5  # the axis is compressed if log N exceeds the curves by this factor
_COLUMNS = ("step", "mutual_information", "low", "high")


def information_curve(
    histories: History | Mapping[str, History],
    *,
    num_examples: int | None = None,
    ax: "Axes | None" = None,
    title: str | None = "Mutual information",
) -> "Figure":
    """Draws mutual information against training steps, with lines at log 2 and log N.

    At log 2 only the class is left; log N is the largest possible value for N examples. If log N is
    far above the curves, the axis above them is compressed and gray. Bands are 95 % intervals.

    Args:
        histories: `MutualInformationProbe.history`: mappings with `step`, `mutual_information`,
            `low`, `high` (nats) and `num_examples`; or several histories by name.
        num_examples: N, if the entries lack it. Default: `None`.
        ax: Axes to draw on. Default: those of a new figure.
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
    check_ax(ax)
    check_title(title)
    if num_examples is not None:
        as_count(num_examples, "num_examples", 1)
    named = _as_named(histories)
    styles = style.series_styles(len(named))
    columns = 2 if max(map(len, named)) <= _SHORT else 1
    if ax is None:
        height = 4.6 + style.extra_legend_height(len(named), columns)
        ax = style.new_figure(height=height).subplots()
    for (name, history), series_style in zip(named.items(), styles, strict=True):
        step, value, low, high = (np.array([e[c] for e in history], float) for c in _COLUMNS)
        ax.fill_between(step, low, high, color=series_style.color, alpha=0.18, linewidth=0)
        ax.plot(step, value, **series_style.line(name or None, markersize=4.5))
    entries = [entry for history in named.values() for entry in history]
    sizes = {int(entry.get("num_examples", num_examples or 0)) for entry in entries}
    highest = max(math.log(2), *(float(entry["high"]) for entry in entries))
    levels = {"log 2": math.log(2)}
    levels |= {f"log N = log {n}": math.log(n) for n in sorted(sizes) if n > 1}
    compressed = max(levels.values()) > _FAR * highest
    for text, height in levels.items():
        ax.axhline(height, zorder=1, **style.REFERENCE)
        below = compressed and height > highest
        ax.annotate(
            text,
            (1.0, height),
            xycoords=("axes fraction", "data"),
            xytext=(-2, -3 if below else 2),
            textcoords="offset points",
            ha="right",
            va="top" if below else "bottom",
            fontsize=style.SMALL,
        )
    ax.set(xlabel="Training step", ylabel="Mutual information (nats)")
    bottom, top = ax.get_ylim()
    # The text above the highest line needs space.
    bottom, top = min(bottom, 0.0), max(top, 1.07 * max(levels.values()))
    if compressed:
        lowest = min(float(entry["low"]) for entry in entries)
        bottom = min(0.0, lowest - 0.05 * (highest - lowest))  # not relative to log N
        far = [height for height in levels.values() if height > highest]
        _compress(ax, 1.1 * highest, bottom, top, far)
    ax.set_ylim(bottom, top)
    style.despine(ax)
    if any(named):
        style.legend_below(ax, columns=columns)
    if title:
        ax.set_title(title)
    return get_figure(ax)


def _compress(
    ax: "Axes", start: float, bottom: float, top: float, more_ticks: Sequence[float]
) -> None:
    """Compresses the axis above `start` to a sixth of the height below it."""
    from matplotlib.ticker import MaxNLocator

    factor = (start - bottom) / 6 / (top - start)

    def forward(y):
        return np.where(y <= start, y, start + (y - start) * factor)

    def inverse(z):
        return np.where(z <= start, z, start + (z - start) / factor)

    ax.set_yscale("function", functions=(forward, inverse))
    regular = MaxNLocator(7).tick_values(bottom, start)
    ticks = [*(float(t) for t in regular if bottom <= t <= start), *more_ticks]
    ax.set_yticks(ticks, [f"{t:.3g}" for t in ticks])
    ax.axhspan(start, top, color="0.93", zorder=0)


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
    for name, history in named.items():
        try:
            complete = len(history) and all(
                isinstance(entry, Mapping) and c in entry for entry in history for c in _COLUMNS
            )
        except TypeError:
            complete = False
        if not complete:
            raise InputError(
                f"Expected a history {name!r} with entries that have {', '.join(_COLUMNS)}. "
                f"Received: {shown(history)}"
            )
        for entry in history:
            for column in _COLUMNS:
                as_number(entry[column], column)
    if not named:
        raise InputError("Expected at least one history. Received: none")
    return named
