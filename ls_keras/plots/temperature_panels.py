"""Scores, calibration error and likelihood against temperature: Figure 4 of the paper."""

from collections.abc import Mapping, Sequence
from pathlib import PurePath
from typing import TYPE_CHECKING, Any

from ls_keras.plots import style
from ls_keras.plots.arguments import check_labels, check_rows, check_title

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def temperature_panels(
    rows: Sequence[Mapping[str, Any]],
    *,
    score: str,
    labels: Mapping[str, str] | None = None,
    title: str | None = None,
) -> "Figure":
    """Draws a panel a run, score and ECE against T, and a last one with the NLL of all.

    Args:
        rows: One a run and temperature, with the keys `run`, `alpha`, `temperature`, `nll` (nats),
            `ece`, `score` and, if known, the ends of its 95 % interval, `<score>_low` and
            `<score>_high`.
        score: The key of the score to draw.
        labels: What keys are called on an axis; default: the key.
        title: A title over all panels; `None` for none.

    Returns:
        The figure, which no global state knows. Every panel of scores has the same two scales.

    Raises:
        InputError: If there are no rows, or they lack a key.

    Example:
        >>> from ls_keras.plots import temperature_panels
        >>> rows = [
        ...     {"run": "a", "alpha": 0.0, "temperature": t, "bleu": b, "nll": n, "ece": e}
        ...     for t, b, n, e in [(0.8, 36.8, 1.9, 0.12), (1.0, 37.1, 1.7, 0.08)]
        ... ]
        >>> len(temperature_panels(rows, score="bleu").axes)  # two panels, one with two scales
        3
    """
    check_title(title)
    check_rows(rows, ("run", "alpha", "temperature", "nll", "ece", score), words=("run",))
    check_labels(labels)
    runs: dict[str, list[Mapping[str, Any]]] = {}
    for row in sorted(rows, key=lambda row: row["temperature"]):
        runs.setdefault(row["run"], []).append(row)
    runs = dict(sorted(runs.items(), key=lambda item: item[1][0]["alpha"]))
    name = (labels or {}).get(score, score)
    figure = style.new_figure(3.9 * (len(runs) + 1), 3.8)
    axes = figure.subplots(1, len(runs) + 1, gridspec_kw={"wspace": 0.08})
    looks = list(zip(range(2), style.looks(), strict=False))
    score_look, ece_look = (look for _, look in looks)
    lows = [row.get(f"{score}_low", row[score]) for row in rows]
    highs = [row.get(f"{score}_high", row[score]) for row in rows]
    alphas = [of_run[0]["alpha"] for of_run in runs.values()]
    names = [
        f"α = {alpha:g}" + f" ({PurePath(run).name})" * (alphas.count(alpha) > 1)
        for run, alpha in zip(runs, alphas, strict=True)
    ]
    margin = 0.05 * (max(highs) - min(lows)) or 0.5
    for ax, of_run, title_of_run in zip(axes, runs.values(), names, strict=False):
        t = [row["temperature"] for row in of_run]
        if f"{score}_low" in of_run[0]:
            ax.fill_between(
                t,
                [row[f"{score}_low"] for row in of_run],
                [row[f"{score}_high"] for row in of_run],
                color=score_look.color,
                alpha=0.15,
                linewidth=0,
                label="95 % interval",
            )
        _line(ax, of_run, score, score_look, name)
        ax.set_title(title_of_run)
        ax.set_ylabel(name, color=score_look.color)
        ax.set_ylim(min(lows) - margin, max(highs) + margin)
        style.tidy(ax)
        right = ax.twinx()
        _line(right, of_run, "ece", ece_look, "ECE")
        right.set_ylabel("ECE", color=ece_look.color)
        right.set_ylim(0, 1.08 * max(row["ece"] for row in rows) or 1)
        right.spines["top"].set_visible(False)
        handles = [*ax.get_legend_handles_labels()[0], *right.get_legend_handles_labels()[0]]
        style.legend_below(ax, handles, columns=len(handles))
    last = axes[-1]
    for of_run, name_of_run, look in zip(runs.values(), names, style.looks(), strict=False):
        _line(last, of_run, "nll", look, name_of_run)
    last.set_title("Likelihood")
    last.set_ylabel("NLL (nats a label, unsmoothed)")
    style.tidy(last)
    style.legend_below(last, columns=min(len(runs), 3))
    for ax in axes:
        ax.set_xlabel("Temperature T")
        ax.axvline(1.0, zorder=0, **style.REFERENCE)
    if title:
        figure.suptitle(title)
    return figure


def _line(ax, rows, key: str, look: style.Look, label: str) -> None:
    ax.plot(
        [row["temperature"] for row in rows],
        [row[key] for row in rows],
        label=label,
        color=look.color,
        marker=look.marker,
        linestyle=look.line_style,
        markersize=4,
        linewidth=1.5,
    )
