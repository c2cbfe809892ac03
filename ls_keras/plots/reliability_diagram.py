"""The reliability diagram: Figure 2 of the paper, and for next tokens Figure 3."""

import itertools
import math
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from ls_base.errors import InputError
from ls_keras.calibration.curves.smooth_reliability import SmoothReliability
from ls_keras.errors import shown
from ls_keras.inputs.validation import as_flag
from ls_keras.plots import style
from ls_keras.plots.plot_inputs import by_name, check_ax, check_title, figure_of
from ls_keras.plots.reliability_plot_data import (
    WIDE,
    Curves,
    ShownReliability,
    is_faded,
    shown_by_name,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Smooth = SmoothReliability | Mapping[str, SmoothReliability]

MOST_CURVES = 6  # more are not told apart
_MOST_GAPS = 3  # curves whose gaps find room side by side in a bin
_BAND = 0.15  # opacity
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
    smooth: Smooth | None = None,
) -> "Figure":
    """Draws accuracy against confidence, with the diagonal of perfect calibration.

    A point stands at each bin's mean confidence and accuracy, with its Clopper–Pearson interval;
    where that of 95 % is wider than 0.3, as of bins of few examples, all of the bin is faded (of
    weighted examples: that of the curve's own level, which the legend then gives). Of up to
    three curves, the bar between the diagonal and the point is the bin's gap, which the ECE
    averages. Points below the diagonal are overconfident. Below, the share of the examples in each
    bin. The legend gives each ECE, and T where the curve has one. Of curves of sigmoids
    (`multi_label`), the axes say that it is the frequency of the label 1 against its probability.

    Several curves of one name, such as those of seeds, are drawn as one: accuracy and confidence
    of all their examples, a band from the least accuracy among them to the most, the mean ECE.

    Args:
        curves: A curve, or a mapping of up to six names (hard, scaled, smoothed) to a curve each,
            or to a list of curves.
        ax: Axes to draw accuracy on; by default a new figure's.
        counts_ax: Axes to draw shares on. With `ax` and without it, shares are not drawn.
        title: Title of the diagram; `None` for none.
        intervals: Whether to draw intervals and bands.
        smooth: What `smooth_reliability_curve` returned, by the names of `curves`: the line then
            follows it and not the bins, and the legend gives the smECE, too.

    Returns:
        The figure, which no global state knows: save it with `ls_keras.plots.save_plot`, which
        writes the numbers beside it.

    Raises:
        InputError: If there is no curve, something that is none, more than six names or one that is
            no word, curves of one name with other bins, a smoothed curve of no name, or curves of
            sigmoids among curves of classes: their axes are different things.

    Example:
        >>> import ls_keras
        >>> curve = ls_keras.reliability_curve([0, 0, 0, 1] * 9, [[0.75, 0.25]] * 36)
        >>> figure = ls_keras.plots.reliability_diagram({"hard targets": curve})
        >>> [text.get_text() for text in figure.axes[1].get_legend().get_texts()][:2]
        ['perfectly calibrated', 'hard targets: ECE 0.000']
    """
    check_ax(ax)
    check_ax(counts_ax)
    check_title(title)
    as_flag(intervals, "intervals")
    named = shown_by_name(curves)
    if len(named) > MOST_CURVES:
        raise InputError(
            f"Expected at most {MOST_CURVES} curves, as more are not told apart; those of the "
            f"seeds of a setting are one curve as a list. Received: {len(named)}"
        )
    smoothed = _smoothed(smooth, named)
    across, up = _axes(named)
    if ax is None:
        height = 6.6 + 0.21 * (len(named) + 1)  # with a line a curve in the legend
        ax, counts_ax = style.new_figure(height=height).subplots(
            2, 1, sharex=True, height_ratios=(3.2, 1.0)
        )
    ax.plot([0, 1], [0, 1], label="perfectly calibrated", zorder=2, **style.REFERENCE)
    looks = style.looks(len(named))
    for i, ((name, one), look) in enumerate(zip(named.items(), looks, strict=True)):
        if len(named) <= _MOST_GAPS:
            _draw_gaps(ax, one, look, i, len(named))
        _draw_points(ax, one, look)
        if intervals:
            _draw_intervals(ax, one, look)
        line = smoothed.get(name)
        if line is None:
            _draw_line(ax, one.confidence, one.accuracy, one.faded, look)
        else:
            faded = is_faded(line.accuracy, line.examples, one.levels[-1])
            _draw_line(ax, line.confidence, line.accuracy, faded, look)
        ax.plot(
            [],
            [],
            label=_label(name, one, line),
            color=look.color,
            marker=look.marker,
            linestyle=look.line_style,
            markersize=5,
            linewidth=1.5,
        )
        if counts_ax is not None:
            share = 100 * one.counts / one.counts.sum()
            counts_ax.stairs(
                share, one.edges, color=look.color, linestyle=look.line_style, linewidth=1.4
            )
            if len(named) == 1:
                counts_ax.stairs(share, one.edges, color=look.color, fill=True, alpha=0.15)
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
    handles = ax.get_legend_handles_labels()[0]
    style.legend_below(lowest, [*handles, *_explained(named, intervals)])
    return figure_of(ax)


def reliability_rows(curves: Curves, smooth: Smooth | None = None) -> list[dict[str, Any]]:
    """Returns the numbers of a diagram, one row a curve and bin, for `ls_keras.plots.save`.

    `curves` is how many curves are one: of one, `accuracy_low` and `accuracy_high` are the ends of
    its interval, of several the least and the most among them. With `smooth`, rows of a `kind`
    "smooth" follow those of "bin": points of the line, with the examples behind each as `count`.
    """
    named = shown_by_name(curves)
    smoothed = _smoothed(smooth, named)
    rows = []
    for name, one in named.items():
        about = {"ece": one.ece, "temperature": one.temperature, "curves": len(one.curves)}
        line = smoothed.get(name)
        if smooth is not None:
            about["smece"] = None if line is None else line.error
            about["bandwidth"] = None if line is None else line.bandwidth
        kinds = {"bin": _of_bins(one)} | ({} if line is None else {"smooth": _of_line(line)})
        for kind, cells in kinds.items():
            told = {} if smooth is None else {"kind": kind}
            for values in cells:
                known = [None if v is None or math.isnan(v) else float(v) for v in values]
                rows.append(
                    {"curve": name, **told, **dict(zip(_COLUMNS, known, strict=True)), **about}
                )
    return rows


def _of_bins(one: ShownReliability) -> Iterator[tuple[float, ...]]:
    columns = (one.counts, one.confidence, one.accuracy, one.low, one.high)
    return zip(one.edges[:-1], one.edges[1:], *columns, strict=True)


def _of_line(line: SmoothReliability) -> Iterator[tuple[float | None, ...]]:
    for count, confidence, accuracy in zip(
        line.examples, line.confidence, line.accuracy, strict=True
    ):
        yield None, None, count, confidence, accuracy, None, None


def _smoothed(
    smooth: Smooth | None, named: Mapping[str, ShownReliability]
) -> dict[str, SmoothReliability]:
    found = {} if smooth is None else by_name(smooth, SmoothReliability)
    unknown = [name for name in found if name not in named]
    if unknown:
        raise InputError(
            f"Expected smoothed curves of {', '.join(map(shown, named))}. "
            f"Received: {shown(unknown[0])}"
        )
    return found


def _axes(named: Mapping[str, ShownReliability]) -> tuple[str, str]:
    """Returns what the curves have from left to right, and what upwards."""
    kinds = {one.curves[0].multi_label for one in named.values()}
    if kinds == {True}:
        return "Probability of the positive class", "Frequency of the positive class"
    if kinds == {False}:
        return "Confidence (largest probability)", "Accuracy (share of examples)"
    names = [name for name, one in named.items() if one.curves[0].multi_label]
    raise InputError(
        "Expected curves of sigmoids, or of classes, in a diagram, not both. "
        f"Received: {len(named)} curves, of which of sigmoids {', '.join(map(repr, names))}"
    )


def _parts(one: ShownReliability) -> Iterator[tuple[np.ndarray, float]]:
    """Yields the bins of many examples and those of few, with their opacity."""
    some = one.counts > 0
    for bins, opacity in ((some & ~one.faded, 1.0), (some & one.faded, style.FADED)):
        if bins.any():
            yield bins, opacity


def _draw_gaps(ax: "Axes", one: ShownReliability, look: style.Look, index: int, number: int):
    """Shades the gap of each bin; `number` curves share a bin's width, or colors would mix."""
    widths = np.diff(one.edges) / number
    for bins, opacity in _parts(one):
        ax.bar(
            one.edges[:-1][bins] + index * widths[bins],
            (one.accuracy - one.confidence)[bins],
            width=widths[bins],
            bottom=one.confidence[bins],
            align="edge",
            color=look.color,
            alpha=(0.18 if number == 1 else 0.3) * opacity,
            linewidth=0,
            zorder=1,
        )


def _draw_points(ax: "Axes", one: ShownReliability, look: style.Look) -> None:
    for bins, opacity in _parts(one):
        ax.plot(
            one.confidence[bins],
            one.accuracy[bins],
            color=look.color,
            marker=look.marker,
            linestyle="none",
            markersize=5,
            alpha=opacity,
            clip_on=False,  # accuracy 0 and 1 are on the frame
            zorder=4,
        )


def _draw_intervals(ax: "Axes", one: ShownReliability, look: style.Look) -> None:
    """Draws an interval as a line at its point; of several curves, a band over those of many."""
    if len(one.curves) > 1:
        some = np.where((one.counts > 0) & ~one.faded, one.confidence, np.nan)
        ax.fill_between(
            some, one.low, one.high, color=look.color, alpha=_BAND, linewidth=0, zorder=1.5
        )
        return
    for bins, opacity in _parts(one):
        x, low, high = one.confidence[bins], one.low[bins], one.high[bins]
        ax.vlines(x, low, high, color=look.color, linewidth=1.0, alpha=0.8 * opacity, zorder=3)


def _draw_line(ax: "Axes", x: np.ndarray, y: np.ndarray, faded: np.ndarray, look: style.Look):
    """Joins points, each part of the line as faded as the more faded of its ends."""
    known = ~np.isnan(y)
    x, y, faded = x[known], y[known], faded[known]
    dim = faded[1:] | faded[:-1]
    for is_dim, part in itertools.groupby(range(len(dim)), key=lambda i: bool(dim[i])):
        ends = [*part]
        ax.plot(
            x[ends[0] : ends[-1] + 2],
            y[ends[0] : ends[-1] + 2],
            color=look.color,
            linestyle=look.line_style,
            linewidth=1.5,
            alpha=style.FADED if is_dim else 1.0,
            clip_on=False,
            zorder=4,
        )


def _label(name: str, one: ShownReliability, line: SmoothReliability | None) -> str:
    text = f"{style.as_label(name)}: ECE {one.ece:.3f}" if name else f"ECE {one.ece:.3f}"
    if line is not None:
        text += f", smECE {line.error:.3f}"
    if one.temperature is not None:
        text += f", T {one.temperature:.2f}"
    return f"{text} (means of {len(one.curves)})" if len(one.curves) > 1 else text


def _explained(named: Mapping[str, ShownReliability], intervals: bool) -> list[Any]:
    """Returns entries of the legend for what belongs to every curve."""
    from matplotlib.lines import Line2D
    from matplotlib.patches import Patch

    found: list[Any] = []
    if intervals and any(len(one.curves) > 1 for one in named.values()):
        text = "band: least to most accurate of the curves of a setting"
        found.append(Patch(color=style.GRAY, alpha=_BAND, linewidth=0, label=text))
    some = [one for one in named.values() if (one.faded & (one.counts > 0)).any()]
    if some:
        levels = sorted({level for one in some for level in one.levels})
        shares = " or ".join(f"{100 * level:g} %" for level in levels)
        text = f"faded: few examples, {shares} interval wider than {WIDE:g}"
        look: dict[str, Any] = {"color": style.GRAY, "alpha": style.FADED, "marker": "o"}
        found.append(Line2D([], [], label=text, markersize=5, **look))
    return found
