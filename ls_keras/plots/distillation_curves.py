"""Error against equivalent smoothing, of teachers and of students: Figure 5 of the paper."""

import statistics
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from ls_base.errors import InputError
from ls_keras.plots import style
from ls_keras.plots.plot_inputs import check_rows, check_title

if TYPE_CHECKING:
    from matplotlib.figure import Figure
    from matplotlib.lines import Line2D

CURVES = ("teacher", "student alone", "student of hard teacher", "student of smoothed teacher")


def distillation_points(rows: Sequence[Mapping[str, Any]], *, score: str) -> list[dict[str, Any]]:
    """Puts the seeds of each point together.

    Args:
        rows: One a curve, setting and seed, with the keys `curve` (of `CURVES`), `alpha`,
            `temperature`, `gamma` and `score`.
        score: The key of the score.

    Returns:
        One a curve and setting, by curve and γ: `curve`, `alpha`, `temperature`, `seeds` (how
        many), `gamma` (the mean), `mean`, `min` and `max`.

    Raises:
        InputError: If there are no rows, they lack a key, or a curve is none of `CURVES`.

    Example:
        >>> from ls_keras.plots import distillation_points
        >>> row = {"curve": "teacher", "alpha": 0.1, "temperature": 1.0, "gamma": 0.1}
        >>> (point,) = distillation_points([row | {"error": e} for e in (2, 3)], score="error")
        >>> point["seeds"], point["mean"], point["min"], point["max"]
        (2, 2.5, 2, 3)
    """
    check_rows(rows, ("curve", "alpha", "temperature", "gamma", score), words=("curve",))
    unknown = {row["curve"] for row in rows} - set(CURVES)
    if unknown:
        raise InputError(f"Expected curves of {', '.join(CURVES)}. Received: {min(unknown)!r}")
    groups: dict[tuple, list[Mapping[str, Any]]] = {}
    for row in rows:
        groups.setdefault((row["curve"], row["alpha"], row["temperature"]), []).append(row)
    points = []
    for (curve, alpha, temperature), of_point in groups.items():
        values = [row[score] for row in of_point]
        points.append(
            {
                "curve": curve,
                "alpha": alpha,
                "temperature": temperature,
                "seeds": len(values),
                "gamma": statistics.mean(row["gamma"] for row in of_point),
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
    """Draws each curve's mean over the seeds against γ, with a bar from the least to the most.

    Args:
        rows: See `distillation_points`.
        score: The key of the score.
        label: What it is called on the axis. Default: the key.
        title: A title. Default: none.

    Returns:
        The figure, which no global state knows.

    Raises:
        InputError: See `distillation_points`.

    Example:
        >>> from ls_keras.plots import distillation_curves
        >>> row = {"curve": "teacher", "temperature": 1.0, "error": 2.0}
        >>> rows = [row | {"alpha": a, "gamma": a} for a in (0.0, 0.15)]
        >>> len(distillation_curves(rows, score="error").axes)
        1
    """
    check_title(title)
    check_title(label)
    points = distillation_points(rows, score=score)
    figure = style.new_figure(height=5.4)
    ax = figure.subplots()
    for curve, look in zip(CURVES, style.looks(len(CURVES)), strict=True):
        of_curve = [point for point in points if point["curve"] == curve]
        if not of_curve:
            continue
        mean = [point["mean"] for point in of_curve]
        below = [point["mean"] - point["min"] for point in of_curve]
        above = [point["max"] - point["mean"] for point in of_curve]
        ax.errorbar(
            [point["gamma"] for point in of_curve],
            mean,
            yerr=(below, above),
            label=_name(curve, of_curve),
            color=look.color,
            marker=look.marker,
            linestyle=look.line_style,
            markersize=4,
            linewidth=1.5,
            elinewidth=0.8,
            capsize=2,
        )
    ax.set_xlabel("Equivalent smoothing γ")
    ax.set_ylabel(label or score)
    style.tidy(ax)
    handles, _ = ax.get_legend_handles_labels()
    if any(point["seeds"] > 1 for point in points):
        seeds = max(point["seeds"] for point in points)
        handles.append(_bar(f"from the least to the most of {seeds} seeds"))
    style.legend_below(ax, handles)
    if title:
        ax.set_title(title)
    return figure


def _bar(label: str) -> "Line2D":
    """Returns what stands in the legend for a bar."""
    from matplotlib.lines import Line2D

    return Line2D([], [], color=style.GRAY, marker="|", markersize=9, linestyle="", label=label)


def _name(curve: str, points: Sequence[Mapping[str, Any]]) -> str:
    """Returns the curve's name with what changes along it."""
    varied = "temperature" if curve == "student of hard teacher" else "alpha"
    values = [point[varied] for point in points]
    symbol = "T" if varied == "temperature" else "α"
    least, most = f"{min(values):g}", f"{max(values):g}"
    return f"{curve}, {symbol} = {least}" + (f" … {most}" if most != least else "")
