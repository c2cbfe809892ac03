"""Risk against coverage: the error rate among the most confident predictions."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from ls_keras.calibration.ranking.risk_coverage import RiskCoverage
from ls_keras.plots import style
from ls_keras.plots.plot_inputs import as_named, check_ax, check_title, get_figure

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Curves = RiskCoverage | Mapping[str, RiskCoverage]

_MOST_POINTS = 500  # more than the horizontal resolution of a figure


def risk_coverage_diagram(
    curves: Curves,
    *,
    ax: "Axes | None" = None,
    title: str | None = "Risk against coverage",
) -> "Figure":
    """Draws the error rate among the most confident predictions against the share that is kept.

    The lower the curve, the better confidence ranks the predictions. At coverage 1, all curves end
    at the error rate. The dotted line below each curve is the best possible ranking of the
    same errors; the area between them is the E-AURC. The legend shows each AURC and E-AURC. At
    most 500 points of each curve are drawn.

    Args:
        curves: Result of `risk_coverage`, or a mapping of names to several.
        ax: Axes to draw on. Default: those of a new figure.
        title: Title of the axes; `None` for none.

    Returns:
        The figure, which is not part of any global state; save it and its numbers with
        `ls_keras.plots.save_plot`.

    Raises:
        InputError: If there is no curve, an object is not a curve, a name is not a string, or there
            are more than 49 curves.

    Example:
        >>> from ls_keras.calibration import risk_coverage
        >>> from ls_keras.plots import risk_coverage_diagram
        >>> curve = risk_coverage([1, 1, 0, 1], [0.9, 0.8, 0.7, 0.6])
        >>> figure = risk_coverage_diagram({"softmax": curve})
        >>> [text.get_text() for text in figure.axes[0].get_legend().get_texts()]
        ['softmax: AURC 0.1458, E-AURC 0.0833', 'best possible ranking']
    """
    check_ax(ax)
    check_title(title)
    named = as_named(curves, RiskCoverage)
    styles = style.series_styles(len(named))
    if ax is None:
        ax = style.new_figure(height=5.2 + style.extra_legend_height(len(named))).subplots()
    highest = 0.0
    for (name, curve), series_style in zip(named.items(), styles, strict=True):
        at = _points(curve)
        highest = max(highest, float(curve.risk[at].max()))
        ax.plot(
            curve.coverage[at],
            curve.risk[at],
            **series_style.line(_label(name, curve), marker=None, zorder=3),
        )
        ax.plot(
            curve.coverage[at],
            curve.best[at],
            color=series_style.color,
            linestyle=":",
            linewidth=1.0,
            zorder=2,
        )
    ax.plot([], [], label="best possible ranking", **style.REFERENCE)
    ax.set(
        xlim=(0, 1),
        ylim=(0, 1.05 * highest or 1),
        xlabel="Coverage (share of predictions kept)",
        ylabel="Risk (error rate of those kept)",
    )
    style.despine(ax)
    style.legend_below(ax)
    if title:
        ax.set_title(title)
    return get_figure(ax)


def risk_coverage_rows(curves: Curves) -> list[dict[str, Any]]:
    """Returns the numbers of a diagram for `ls_keras.plots.save`, a row for each drawn point."""
    return [
        {
            "curve": name,
            "coverage": float(coverage),
            "risk": float(risk),
            "best_risk": float(best),
            "aurc": curve.aurc,
            "e_aurc": curve.excess,
        }
        for name, curve in as_named(curves, RiskCoverage).items()
        for coverage, risk, best in zip(
            *(values[_points(curve)] for values in (curve.coverage, curve.risk, curve.best)),
            strict=True,
        )
    ]


def _points(curve: RiskCoverage) -> np.ndarray:
    """Returns the indices of the points to draw, including the first and the last."""
    number = len(curve.risk)
    return np.unique(np.linspace(0, number - 1, min(number, _MOST_POINTS)).round().astype(int))


def _label(name: str, curve: RiskCoverage) -> str:
    text = f"AURC {curve.aurc:.4f}, E-AURC {curve.excess:.4f}"
    return f"{name}: {text}" if name else text
