"""Error of teachers and students against equivalent smoothing: Figure 5 of the paper."""

import statistics
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from ls_base.errors import InputError
from ls_keras.plots import style
from ls_keras.plots.plot_inputs import check_rows, check_title

if TYPE_CHECKING:
    from matplotlib.figure import Figure

CURVES = ("teacher", "student alone", "student of hard teacher", "student of smoothed teacher")


def distillation_points(rows: Sequence[Mapping[str, Any]], *, score: str) -> list[dict[str, Any]]:
    """Summarizes the seeds of each point.

    Args:
        rows: A row for each curve, setting and seed, with the keys `curve` (one of `CURVES`),
            `alpha`, `temperature`, `gamma` and `score`.
        score: Key of the score.

    Returns:
        A row for each curve and setting, sorted by curve and γ: `curve`, `alpha`, `temperature`,
        `seeds` (their number), `gamma` (the mean), `mean`, `min` and `max`.

    Raises:
        InputError: If there are no rows, a key is missing, or a curve is unknown.

    Example:
        >>> from ls_keras.plots import distillation_points
        >>> row = {"curve": "teacher", "alpha": 0.1, "temperature": 1.0, "gamma": 0.1}
        >>> (point,) = distillation_points([row | {"error": e} for e in (2, 3)], score="error")
        >>> point["seeds"], point["mean"], point["min"], point["max"]
        (2, 2.5, 2, 3)
    """
    check_rows(rows, ("curve", "alpha", "temperature", "gamma", score), strings=("curve",))
    unknown = {row["curve"] for row in rows} - set(CURVES)
    if unknown:
        raise InputError(f"Expected curves of {', '.join(CURVES)}. Received: {min(unknown)!r}")
    groups: dict[tuple, list[Mapping[str, Any]]] = {}
    for row in rows:
        groups.setdefault((row["curve"], row["alpha"], row["temperature"]), []).append(row)
    points = []
    for (curve, alpha, temperature), seeds in groups.items():
        values = [row[score] for row in seeds]
        points.append(
            {
                "curve": curve,
                "alpha": alpha,
                "temperature": temperature,
                "seeds": len(values),
                "gamma": statistics.mean(row["gamma"] for row in seeds),
                "mean": statistics.mean(values),
                "min": min(values),
                "max": max(values),
            }
        )
    return sorted(points, key=lambda point: (CURVES.index(point["curve"]), point["gamma"]))


def distillation_curves(
    rows: Sequence[Mapping[str, Any]],
    *,
    score: str,
    label: str | None = None,
    title: str | None = None,
) -> "Figure":
    """Draws the mean over the seeds of each curve against γ, with bars from minimum to maximum.

    Args:
        rows: See `distillation_points`.
        score: Key of the score.
        label: Axis label of the score. Default: the key.
        title: Title of the axes. Default: `None`.

    Returns:
        The figure, which is not part of any global state.

    Raises:
        InputError: See `distillation_points`.

    Example:
        >>> from ls_keras.plots import distillation_curves
        >>> row = {"curve": "teacher", "temperature": 1.0, "error": 2.0}
        >>> rows = [row | {"alpha": a, "gamma": a} for a in (0.0, 0.15)]
        >>> len(distillation_curves(rows, score="error").axes)
        1
    """
    from matplotlib.lines import Line2D

    check_title(title)
    check_title(label)
    points = distillation_points(rows, score=score)
    figure = style.new_figure(height=5.4)
    ax = figure.subplots()
    for curve, series_style in zip(CURVES, style.series_styles(len(CURVES)), strict=True):
        own = [point for point in points if point["curve"] == curve]
        if own:
            below = [point["mean"] - point["min"] for point in own]
            above = [point["max"] - point["mean"] for point in own]
            ax.errorbar(
                [point["gamma"] for point in own],
                [point["mean"] for point in own],
                yerr=(below, above),
                **series_style.line(_label(curve, own), elinewidth=0.8, capsize=2),
            )
    ax.set_xlabel("Equivalent smoothing γ")
    ax.set_ylabel(label or score)
    style.despine(ax)
    handles, _ = ax.get_legend_handles_labels()
    seeds = max(point["seeds"] for point in points)
    if seeds > 1:
        text = f"minimum to maximum of {seeds} seeds"
        bar: dict[str, Any] = {"color": style.GRAY, "marker": "|", "markersize": 9}
        handles.append(Line2D([], [], linestyle="", label=text, **bar))
    style.legend_below(ax, handles)
    if title:
        ax.set_title(title)
    return figure


def _label(curve: str, points: Sequence[Mapping[str, Any]]) -> str:
    """Returns the name of a curve with the range of the setting that varies along it."""
    key, symbol = ("temperature", "T") if curve == "student of hard teacher" else ("alpha", "α")
    values = [point[key] for point in points]
    low, high = f"{min(values):g}", f"{max(values):g}"
    return f"{curve}, {symbol} = {low}" + (f" … {high}" if high != low else "")
