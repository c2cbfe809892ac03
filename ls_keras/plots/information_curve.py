"""Mutual information over training: Figure 6 of the paper."""

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from ls_base.errors import InputError
from ls_keras.errors import shown
from ls_keras.inputs.validation import as_count, as_number
from ls_keras.plots import style
from ls_keras.plots.plot_inputs import check_ax, check_title, check_words, figure_of

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

History = Sequence[Mapping[str, Any]]

_SHORT = 24  # letters of a name, of which two stand side by side
_FAR = 2.5  # times the highest curve: from there on, the axis is compressed
_COLUMNS = ("step", "mutual_information", "low", "high")


def information_curve(
    histories: History | Mapping[str, History],
    *,
    num_examples: int | None = None,
    ax: "Axes | None" = None,
    title: str | None = "Mutual information",
) -> "Figure":
    """Draws mutual information against steps, with lines at log 2 and log N.

    At log 2 only the class is left of an example; log N is the most that N examples can show. A
    log N far above the curves would flatten them: then the axis is compressed above them, where it
    is gray. Bands are 95 % intervals.

    Args:
        histories: What `MutualInformationProbe.history` holds: mappings with `step`,
            `mutual_information`, `low`, `high` (nats) and `num_examples`; or several by name.
        num_examples: N, where the entries don't have it.
        ax: Axes to draw on; by default a new figure's.
        title: Title of the diagram; `None` for none.

    Returns:
        The figure, which no global state knows: save it with `ls_keras.plots.save`.

    Raises:
        InputError: If there is no history, or an entry lacks a value, or names are no words, or
            more than 49.

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
    named = _named(histories)
    looks = style.looks(len(named))
    columns = 2 if max(map(len, named)) <= _SHORT else 1
    if ax is None:
        height = 4.6 + style.more_height(len(named), columns)
        ax = style.new_figure(height=height).subplots()
    for (name, history), look in zip(named.items(), looks, strict=True):
        step, value, low, high = (np.array([e[c] for e in history], float) for c in _COLUMNS)
        ax.fill_between(step, low, high, color=look.color, alpha=0.18, linewidth=0)
        ax.plot(
            step,
            value,
            label=style.as_label(name) or None,
            color=look.color,
            marker=look.marker,
            linestyle=look.line_style,
            markersize=4.5,
            linewidth=1.5,
        )
    sizes = {int(e.get("num_examples", num_examples or 0)) for h in named.values() for e in h}
    lines = {"log 2": math.log(2)}
    lines |= {f"log N = log {n}": math.log(n) for n in sorted(sizes) if n > 1}
    highest = max(math.log(2), *(float(e["high"]) for h in named.values() for e in h))
    compressed = max(lines.values()) > _FAR * highest
    for text, height in lines.items():
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
    # Room for the text above the highest line.
    bottom, top = min(bottom, 0.0), max(top, 1.07 * max(lines.values()))
    if compressed:
        lowest = min(float(e["low"]) for h in named.values() for e in h)
        bottom = min(0.0, lowest - 0.05 * (highest - lowest))  # not a share of log N
        far = [height for height in lines.values() if height > highest]
        _compress(ax, 1.1 * highest, bottom, top, far)
    ax.set_ylim(bottom, top)
    style.tidy(ax)
    if any(named):
        style.legend_below(ax, columns=columns)
    if title:
        ax.set_title(title)
    return figure_of(ax)


def _compress(
    ax: "Axes", start: float, bottom: float, top: float, more_ticks: Sequence[float]
) -> None:
    """Gives what lies above `start` a sixth of the axis's height below it."""
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
    """Returns the numbers of the curves, one row a curve and step, for `ls_keras.plots.save`."""
    return [
        {"curve": name, **entry} for name, history in _named(histories).items() for entry in history
    ]


def _named(histories) -> dict[str, History]:
    named = dict(histories) if isinstance(histories, Mapping) else {"": histories}
    check_words(named)
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
