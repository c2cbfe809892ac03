"""The reliability diagram: Figure 2 of the paper, and for next tokens Figure 3."""

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from ls_base.errors import InputError
from ls_keras.arguments import as_flag
from ls_keras.calibration.reliability_curve import ReliabilityCurve
from ls_keras.plots import style
from ls_keras.plots.arguments import by_name, check_ax, check_title, figure_of

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Curves = ReliabilityCurve | Mapping[str, ReliabilityCurve]

_COLUMNS = (
    "edge_low",
    "edge_high",
    "count",
    "confidence",
    "accuracy",
    "accuracy_low",
    "accuracy_high",
)


def reliability_diagram(
    curves: Curves,
    *,
    ax: "Axes | None" = None,
    counts_ax: "Axes | None" = None,
    title: str | None = "Reliability",
    intervals: bool = True,
) -> "Figure":
    """Draws accuracy against confidence, with the diagonal of perfect calibration.

    A point stands at each bin's mean confidence and accuracy, with its Clopper–Pearson interval;
    the bar between the diagonal and the point is the bin's gap, which the ECE averages. Points
    below the diagonal are overconfident. Below, the share of the examples in each bin. Several
    curves are drawn over one another, their gaps side by side in each bin. The legend gives each
    ECE, and T where the curve has one. Of curves of sigmoids (`multi_label`), the axes say that it
    is the frequency of the label 1 against its probability.

    Args:
        curves: A curve, or a mapping of names to curves (hard, scaled, smoothed).
        ax: Axes to draw accuracy on; by default a new figure's.
        counts_ax: Axes to draw shares on. With `ax` and without it, shares are not drawn.
        title: Title of the diagram; `None` for none.
        intervals: Whether to draw the intervals of the accuracies.

    Returns:
        The figure, which no global state knows: save it with `figure.savefig`, or with
        `ls_keras.plots.save`, which writes the numbers beside it.

    Raises:
        InputError: If there is no curve, something that is none, or curves of sigmoids among curves
            of classes: their axes are different things.

    Example:
        >>> import ls_keras
        >>> curve = ls_keras.reliability_curve([0, 0, 0, 1], [[0.75, 0.25]] * 4)
        >>> figure = ls_keras.plots.reliability_diagram({"hard targets": curve})
        >>> [text.get_text() for text in figure.axes[1].get_legend().get_texts()]
        ['perfectly calibrated', 'hard targets: ECE 0.000']
    """
    check_ax(ax)
    check_ax(counts_ax)
    check_title(title)
    as_flag(intervals, "intervals")
    named = by_name(curves, ReliabilityCurve)
    across, up = _axes(named)
    if ax is None:
        ax, counts_ax = style.new_figure(5.2, 7.2).subplots(
            2, 1, sharex=True, gridspec_kw={"height_ratios": (3.2, 1.0)}
        )
    ax.plot([0, 1], [0, 1], label="perfectly calibrated", zorder=2, **style.REFERENCE)
    for i, ((name, curve), look) in enumerate(zip(named.items(), style.looks(), strict=False)):
        _draw_gaps(ax, curve, look, i, len(named))
        _draw_curve(ax, curve, look, _label(name, curve), intervals)
        if counts_ax is not None:
            share = 100 * np.asarray(curve.counts) / sum(curve.counts)
            counts_ax.stairs(
                share, curve.edges, color=look.color, linestyle=look.line_style, linewidth=1.4
            )
            if len(named) == 1:
                counts_ax.stairs(share, curve.edges, color=look.color, fill=True, alpha=0.15)
    ax.set(xlim=(0, 1), ylim=(0, 1), ylabel=up)
    style.tidy(ax)
    if title:
        ax.set_title(title)
    lowest = ax
    if counts_ax is not None:
        counts_ax.set(xlim=(0, 1), ylabel="Examples (%)")
        counts_ax.set_ylim(bottom=0)
        style.tidy(counts_ax)
        lowest = counts_ax
    lowest.set_xlabel(across)
    style.legend_below(lowest, ax.get_legend_handles_labels()[0])
    return figure_of(ax)


def reliability_rows(curves: Curves) -> list[dict[str, Any]]:
    """Returns the numbers of a diagram, one row a curve and bin, for `ls_keras.plots.save`."""
    rows = []
    for name, curve in by_name(curves, ReliabilityCurve).items():
        bins = zip(
            curve.edges[:-1],
            curve.edges[1:],
            curve.counts,
            curve.confidence,
            curve.accuracy,
            curve.accuracy_low,
            curve.accuracy_high,
            strict=True,
        )
        for values in bins:
            cells = [None if math.isnan(value) else value for value in values]
            rows.append(
                {
                    "curve": name,
                    **dict(zip(_COLUMNS, cells, strict=True)),
                    "ece": curve.ece,
                    "temperature": curve.temperature,
                }
            )
    return rows


def _axes(named: Mapping[str, ReliabilityCurve]) -> tuple[str, str]:
    """Returns what the curves have from left to right, and what upwards."""
    kinds = {curve.multi_label for curve in named.values()}
    if kinds == {True}:
        return "Probability of the positive class", "Frequency of the positive class"
    if kinds == {False}:
        return "Confidence (largest probability)", "Accuracy (share of examples)"
    names = [name for name, curve in named.items() if curve.multi_label]
    raise InputError(
        "Expected curves of sigmoids, or of classes, in a diagram, not both. "
        f"Received: {len(named)} curves, of which of sigmoids {', '.join(map(repr, names))}"
    )


def _draw_gaps(ax: "Axes", curve: ReliabilityCurve, look: style.Look, index: int, number: int):
    """Shades the gap of each bin; `number` curves share a bin's width, or colors would mix."""
    some = np.asarray(curve.counts) > 0
    confidence, accuracy = np.asarray(curve.confidence)[some], np.asarray(curve.accuracy)[some]
    edges = np.asarray(curve.edges)
    width = np.diff(edges)[some] / number
    ax.bar(
        edges[:-1][some] + index * width,
        accuracy - confidence,
        width=width,
        bottom=confidence,
        align="edge",
        color=look.color,
        alpha=0.18 if number == 1 else 0.3,
        linewidth=0,
        zorder=1,
    )


def _draw_curve(ax: "Axes", curve: ReliabilityCurve, look: style.Look, label: str, intervals: bool):
    some = np.asarray(curve.counts) > 0
    confidence, accuracy = np.asarray(curve.confidence)[some], np.asarray(curve.accuracy)[some]
    ax.plot(
        confidence,
        accuracy,
        label=label,
        color=look.color,
        marker=look.marker,
        linestyle=look.line_style,
        markersize=5,
        linewidth=1.5,
        clip_on=False,  # accuracy 0 and 1 are on the frame
        zorder=4,
    )
    if intervals:
        low, high = np.asarray(curve.accuracy_low)[some], np.asarray(curve.accuracy_high)[some]
        ax.vlines(confidence, low, high, color=look.color, linewidth=1.0, alpha=0.8, zorder=3)


def _label(name: str, curve: ReliabilityCurve) -> str:
    text = f"{name}: ECE {curve.ece:.3f}" if name else f"ECE {curve.ece:.3f}"
    return text if curve.temperature is None else f"{text}, T {curve.temperature:.2f}"
