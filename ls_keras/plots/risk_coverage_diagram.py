"""Risk against coverage: how many errors are left among the predictions that are kept."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from ls_keras.calibration.ranking.risk_coverage import RiskCoverage
from ls_keras.plots import style
from ls_keras.plots.plot_inputs import by_name, check_ax, check_title, figure_of

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Curves = RiskCoverage | Mapping[str, RiskCoverage]

_MOST_POINTS = 500  # more than a figure has dots across


def risk_coverage_diagram(
    curves: Curves,
    *,
    ax: "Axes | None" = None,
    title: str | None = "Risk against coverage",
) -> "Figure":
    """Draws the error rate among the most confident predictions against the share that is kept.

    The lower, the better confidence ranks; where all are kept, the curve ends at the error rate,
    which no ranking changes. Beneath each curve the best possible ranking of the same errors is
    dotted: what lies between them is the E-AURC. The legend below gives each AURC and E-AURC. Of
    more than 500 predictions so many points are drawn.

    Args:
        curves: What `risk_coverage` returned, or a mapping of names to such.
        ax: Axes to draw on; by default a new figure's.
        title: Title; `None` for none.

    Returns:
        The figure, which no global state knows: save it with `ls_keras.plots.save_plot`, which
        writes the numbers beside it.

    Raises:
        InputError: If there is no curve, or something that is none, or names are no words, or more
            than 49.

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
    named = by_name(curves, RiskCoverage)
    looks = style.looks(len(named))
    if ax is None:
        ax = style.new_figure(height=5.2 + style.more_height(len(named))).subplots()
    highest = 0.0
    for (name, curve), look in zip(named.items(), looks, strict=True):
        at = _points(curve)
        highest = max(highest, float(curve.risk[at].max()))
        ax.plot(
            curve.coverage[at],
            curve.risk[at],
            label=_label(name, curve),
            color=look.color,
            linestyle=look.line_style,
            linewidth=1.5,
            zorder=3,
        )
        ax.plot(
            curve.coverage[at],
            curve.best[at],
            color=look.color,
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
    style.tidy(ax)
    style.legend_below(ax)
    if title:
        ax.set_title(title)
    return figure_of(ax)


def risk_coverage_rows(curves: Curves) -> list[dict[str, Any]]:
    """Returns the numbers of a diagram, one row a curve and point, for `ls_keras.plots.save`."""
    return [
        {
            "curve": name,
            "coverage": float(coverage),
            "risk": float(risk),
            "best_risk": float(best),
            "aurc": curve.aurc,
            "e_aurc": curve.excess,
        }
        for name, curve in by_name(curves, RiskCoverage).items()
        for coverage, risk, best in zip(
            *(values[_points(curve)] for values in (curve.coverage, curve.risk, curve.best)),
            strict=True,
        )
    ]


def _points(curve: RiskCoverage) -> np.ndarray:
    """Returns which points are drawn: all, or some, the first and the last among them."""
    number = len(curve.risk)
    return np.unique(np.linspace(0, number - 1, min(number, _MOST_POINTS)).round().astype(int))


def _label(name: str, curve: RiskCoverage) -> str:
    text = f"AURC {curve.aurc:.4f}, E-AURC {curve.excess:.4f}"
    return f"{style.as_label(name)}: {text}" if name else text
