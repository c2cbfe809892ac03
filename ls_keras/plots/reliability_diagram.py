"""The reliability diagram: Figure 2 of the paper, and Figure 3 for next tokens."""

import itertools
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from ls_base.errors import InputError
from ls_base.files import nan_to_none
from ls_keras.calibration.curves.smooth_reliability import SmoothReliability
from ls_keras.errors import shown
from ls_keras.plots import style
from ls_keras.plots.plot_inputs import as_named, check_ax, check_title, get_figure
from ls_keras.plots.reliability_plot_data import (
    WIDE,
    Curves,
    ReliabilitySeries,
    as_reliability_series,
    is_faded,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Smooth = SmoothReliability | Mapping[str, SmoothReliability]

MOST_CURVES = 6  # more cannot be distinguished
_MOST_GAPS = 3  # number of gaps that fit side by side in a bin
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
    smooth: Smooth | None = None,
) -> "Figure":
    """Draws accuracy against confidence, with the diagonal of perfect calibration.

    Each bin has a point at its mean confidence and accuracy, with its Clopper–Pearson interval.
    Bins with an interval wider than 0.3, because of few examples, are faded. With up to three
    curves, the bar between the diagonal and the point is the gap that the ECE averages. Points
    below the diagonal are overconfident. The lower axes show the share of the
    examples in each bin. The legend shows each ECE, and T if the curve has one. For curves of
    sigmoids (`multi_label`), the axes show the frequency of label 1 against its probability.

    Several curves of one name, such as those of seeds, are drawn as one: accuracy and confidence
    of all their examples, a band from the smallest to the largest accuracy, and the mean ECE.

    Args:
        curves: A curve, or a mapping of up to six names (hard, scaled, smoothed) to a curve or a
            list of curves.
        ax: Axes for accuracy. Default: those of a new figure.
        counts_ax: Axes for shares; with `ax` alone, shares are not drawn. Default: those of a new
            figure.
        title: Title of the axes; `None` for none.
        smooth: Results of `smooth_reliability_curve` by the names of `curves`: the line then
            follows them instead of the bins, and the legend shows the smECE. Default: `None`.

    Returns:
        The figure, which is not part of any global state; save it and its numbers with
        `ls_keras.plots.save_plot`.

    Raises:
        InputError: If there is no curve, an object is not a curve, there are more than six names, a
            name is not a string, curves of one name have different bins, a smoothed curve has an
            unknown name, or curves of sigmoids and of classes are mixed, which need different
            axes.

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
    named = as_reliability_series(curves)
    if len(named) > MOST_CURVES:
        raise InputError(
            f"Expected at most {MOST_CURVES} curves, because more cannot be distinguished; pass "
            f"the curves of seeds as a list. Received: {len(named)}"
        )
    smoothed = _as_smoothed(smooth, named)
    x_label, y_label = _axis_labels(named)
    if ax is None:
        height = 6.6 + 0.21 * (len(named) + 1)  # with a legend line for each curve
        ax, counts_ax = style.new_figure(height=height).subplots(
            2, 1, sharex=True, height_ratios=(3.2, 1.0)
        )
    ax.plot([0, 1], [0, 1], label="perfectly calibrated", zorder=2, **style.REFERENCE)
    styles = style.series_styles(len(named))
    for i, ((name, one), own) in enumerate(zip(named.items(), styles, strict=True)):
        number = len(named)
        _draw_bins(ax, one, own, index=i, number=number)
        line = smoothed.get(name)
        if line is None:
            _draw_line(ax, one.confidence, one.accuracy, one.faded, own)
        else:
            faded = is_faded(line)
            _draw_line(ax, line.confidence, line.accuracy, faded, own)
        ax.plot([], [], **own.line(_label(name, one, line), markersize=5))
        if counts_ax is not None:
            share = 100 * one.counts / one.counts.sum()
            options = {"color": own.color, "linestyle": own.line_style, "linewidth": 1.4}
            counts_ax.stairs(share, one.edges, **options)
            if len(named) == 1:
                counts_ax.stairs(share, one.edges, color=own.color, fill=True, alpha=0.15)
    ax.set(xlim=(0, 1), ylim=(0, 1), ylabel=y_label)
    style.despine(ax)
    if title:
        ax.set_title(title)
    lowest = ax
    if counts_ax is not None:
        counts_ax.set(xlim=(0, 1), ylabel="Examples (%)")
        counts_ax.set_ylim(bottom=0)
        style.despine(counts_ax)
        lowest = counts_ax
    lowest.set_xlabel(x_label)
    handles = ax.get_legend_handles_labels()[0]
    style.legend_below(lowest, [*handles, *_shared_entries(named)])
    return get_figure(ax)


def reliability_rows(curves: Curves, smooth: Smooth | None = None) -> list[dict[str, Any]]:
    """Returns the numbers of a diagram for `ls_keras.plots.save`, a row for each curve and bin.

    `curves` is the number of combined curves. `accuracy_low` and `accuracy_high` are the ends of
    the interval of one curve, or the smallest and largest accuracy of several. With `smooth`, rows
    of the `kind` "smooth" follow those of "bin": points of the line, with their number of examples
    as `count`.
    """
    named = as_reliability_series(curves)
    smoothed = _as_smoothed(smooth, named)
    rows = []
    for name, one in named.items():
        about = {"ece": one.ece, "temperature": one.temperature, "curves": len(one.curves)}
        line, kind = smoothed.get(name), {} if smooth is None else {"kind": "bin"}
        if smooth is not None:
            about["smece"] = None if line is None else line.error
            about["bandwidth"] = None if line is None else line.bandwidth
        cells = zip(
            *(one.edges[:-1].tolist(), one.edges[1:].tolist(), one.counts.tolist()),
            *(column.tolist() for column in (one.confidence, one.accuracy, one.low, one.high)),
            strict=True,
        )
        rows += [
            {"curve": name} | kind | dict(zip(_COLUMNS, cell, strict=True)) | about
            for cell in cells
        ]
        if line is not None:
            for count, *point in zip(line.examples, line.confidence, line.accuracy, strict=True):
                cell = (None, None, float(count), *map(float, point), None, None)
                kind = {"kind": "smooth"}
                rows.append({"curve": name} | kind | dict(zip(_COLUMNS, cell, strict=True)) | about)
    return nan_to_none(rows)


def _as_smoothed(
    smooth: Smooth | None, named: Mapping[str, ReliabilitySeries]
) -> dict[str, SmoothReliability]:
    found = {} if smooth is None else as_named(smooth, SmoothReliability)
    unknown = [name for name in found if name not in named]
    if unknown:
        raise InputError(
            f"Expected smoothed curves of {', '.join(map(shown, named))}. "
            f"Received: {shown(unknown[0])}"
        )
    return found


def _axis_labels(named: Mapping[str, ReliabilitySeries]) -> tuple[str, str]:
    """Returns the labels of the x and y axes."""
    kinds = {one.curves[0].multi_label for one in named.values()}
    if kinds == {True}:
        return "Probability of the positive class", "Frequency of the positive class"
    if kinds == {False}:
        return "Confidence (largest probability)", "Accuracy (share of examples)"
    names = [name for name, one in named.items() if one.curves[0].multi_label]
    raise InputError(
        "Expected curves of sigmoids, or of classes, in a diagram, not both. "
        f"Received: {len(named)} curves, with sigmoids in {', '.join(map(repr, names))}"
    )


def _parts(one: ReliabilitySeries) -> Iterator[tuple[np.ndarray, float]]:
    """Yields the bins with many examples and those with few, with their opacity."""
    some = one.counts > 0
    for bins, opacity in ((some & ~one.faded, 1.0), (some & one.faded, style.FADED)):
        if bins.any():
            yield bins, opacity


def _draw_bins(
    ax: "Axes",
    one: ReliabilitySeries,
    own: style.SeriesStyle,
    *,
    index: int,
    number: int,
) -> None:
    """Draws the points of the bins, their gaps, and their intervals or a band for several curves.

    The gaps of up to three curves share the width of a bin, so that colors do not mix.
    """
    widths = np.diff(one.edges) / number
    for bins, opacity in _parts(one):
        x, y = one.confidence[bins], one.accuracy[bins]
        if number <= _MOST_GAPS:
            ax.bar(
                one.edges[:-1][bins] + index * widths[bins],
                y - x,
                width=widths[bins],
                bottom=x,
                align="edge",
                color=own.color,
                alpha=(0.18 if number == 1 else 0.3) * opacity,
                linewidth=0,
                zorder=1,
            )
        # Accuracies of 0 and 1 are on the frame.
        options = own.line(linestyle="none", markersize=5, alpha=opacity, clip_on=False, zorder=4)
        ax.plot(x, y, **options)
        if len(one.curves) == 1:
            ends = one.low[bins], one.high[bins]
            ax.vlines(x, *ends, color=own.color, linewidth=1.0, alpha=0.8 * opacity, zorder=3)
    if len(one.curves) > 1:
        x = np.where((one.counts > 0) & ~one.faded, one.confidence, np.nan)
        options = {"color": own.color, "alpha": style.BAND, "linewidth": 0}
        ax.fill_between(x, one.low, one.high, zorder=1.5, **options)


def _draw_line(
    ax: "Axes", x: np.ndarray, y: np.ndarray, faded: np.ndarray, own: style.SeriesStyle
) -> None:
    """Draws a line through points, faded where an end is faded."""
    known = ~np.isnan(y)
    x, y, faded = x[known], y[known], faded[known]
    dim = faded[1:] | faded[:-1]
    for is_dim, part in itertools.groupby(range(len(dim)), key=lambda i: bool(dim[i])):
        ends = [*part]
        points = slice(ends[0], ends[-1] + 2)
        alpha = style.FADED if is_dim else 1.0
        ax.plot(x[points], y[points], **own.line(marker=None, alpha=alpha, clip_on=False, zorder=4))


def _label(name: str, one: ReliabilitySeries, line: SmoothReliability | None) -> str:
    text = f"{name}: ECE {one.ece:.3f}" if name else f"ECE {one.ece:.3f}"
    if line is not None:
        text += f", smECE {line.error:.3f}"
    if one.temperature is not None:
        text += f", T {one.temperature:.2f}"
    return f"{text} (means of {len(one.curves)})" if len(one.curves) > 1 else text


def _shared_entries(named: Mapping[str, ReliabilitySeries]) -> list[Any]:
    """Returns the entries of the legend for bands and faded bins."""
    from matplotlib.lines import Line2D
    from matplotlib.patches import Patch

    found: list[Any] = []
    if any(len(one.curves) > 1 for one in named.values()):
        text = "band: smallest to largest accuracy of several curves"
        found.append(Patch(color=style.GRAY, alpha=style.BAND, linewidth=0, label=text))
    if any((one.faded & (one.counts > 0)).any() for one in named.values()):
        text = f"faded: few examples, interval wider than {WIDE:g}"
        faded: dict[str, Any] = {"color": style.GRAY, "alpha": style.FADED, "marker": "o"}
        found.append(Line2D([], [], label=text, markersize=5, **faded))
    return found
