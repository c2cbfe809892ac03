"""The figure of a diagnosis."""

from typing import TYPE_CHECKING, Any

from ls_keras.diagnosis.findings import Findings
from ls_keras.plots import style
from ls_keras.plots.plot_inputs import check_title
from ls_keras.plots.reliability_diagram import reliability_diagram, reliability_rows
from ls_keras.plots.risk_coverage_diagram import risk_coverage_diagram, risk_coverage_rows

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def figure_of_findings(found: Findings, title: str | None) -> "Figure":
    """Draws the reliability curve, a confidence histogram, and risk against coverage.

    Args:
        found: Numbers to draw.
        title: Title of the figure, or `None`.

    Raises:
        InputError: If the title is not a string.
    """
    check_title(title)
    figure = style.new_figure(height=11.8)
    ax, counts_ax, risk_ax = figure.subplots(3, 1, height_ratios=(3.4, 1.0, 2.6))
    counts_ax.sharex(ax)
    ax.tick_params(labelbottom=False)
    reliability_diagram(_curves(found), ax=ax, counts_ax=counts_ax)
    risk_coverage_diagram(_risks(found), ax=risk_ax)
    if title:
        figure.suptitle(title)
    return figure


def figure_numbers(found: Findings) -> dict[str, list[dict[str, Any]]]:
    """Returns the numbers of each panel, for `ls_keras.plots.save`."""
    return {
        "reliability": reliability_rows(_curves(found)),
        "risk_coverage": risk_coverage_rows(_risks(found)),
    }


def _curves(found: Findings) -> dict:
    if found.scaled is None:
        return {"as given": found.reliability}
    return {"as given": found.reliability, "scaled, held out": found.scaled}


def _risks(found: Findings) -> dict:
    risks = {"largest probability": found.risk_coverage}
    if found.normalized is not None:
        risks[f"logit norm, p = {found.norm_p}"] = found.normalized
    return risks
