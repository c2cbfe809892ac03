"""Scores, calibration error and likelihood against temperature: Figure 4 of the paper."""

from collections.abc import Mapping, Sequence
from pathlib import PurePath
from typing import TYPE_CHECKING, Any

from ls_keras.plots import style
from ls_keras.plots.confidence_bands import band_in_legend, banded_line, has_band
from ls_keras.plots.plot_inputs import check_labels, check_rows, check_title

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_PANELS = {"ece": "ECE", "nll": "NLL (nats a label)"}  # beside the score
_SHORT = 16  # letters of a name, of which three stand side by side


def temperature_panels(
    rows: Sequence[Mapping[str, Any]],
    *,
    score: str,
    labels: Mapping[str, str] | None = None,
    title: str | None = None,
) -> "Figure":
    """Draws the score, the ECE and the NLL against T, each in a panel with a line a run.

    Args:
        rows: One a run and temperature, with the keys `run`, `alpha`, `temperature`, `nll` (nats),
            `ece`, `score` and, if known, the ends of its 95 % interval, `<score>_low` and
            `<score>_high`, which are drawn as a band; `None`: not known.
        score: The key of the score to draw; of `"ece"` or `"nll"`, no panel of its own.
        labels: What keys are called on an axis. Default: ECE, NLL (nats a label), and the key.
        title: A title over all panels; `None` for none.

    Returns:
        The figure, which no global state knows.

    Raises:
        InputError: If there are no rows, they lack a key, something is no finite number, or there
            are more than 49 runs.

    Example:
        >>> from ls_keras.plots import temperature_panels
        >>> rows = [
        ...     {"run": "a", "alpha": 0.0, "temperature": t, "bleu": b, "nll": n, "ece": e}
        ...     for t, b, n, e in [(0.8, 36.8, 1.9, 0.12), (1.0, 37.1, 1.7, 0.08)]
        ... ]
        >>> [ax.get_ylabel() for ax in temperature_panels(rows, score="bleu").axes]
        ['bleu', 'ECE', 'NLL (nats a label)']
    """
    check_title(title)
    drawn = (score, *_PANELS)
    check_rows(rows, ("run", "alpha", "temperature", *drawn), words=("run",), banded=drawn)
    check_labels(labels)
    runs: dict[str, list[Mapping[str, Any]]] = {}
    for row in sorted(rows, key=lambda row: row["temperature"]):
        runs.setdefault(row["run"], []).append(row)
    runs = dict(sorted(runs.items(), key=lambda item: item[1][0]["alpha"]))
    alphas = [of_run[0]["alpha"] for of_run in runs.values()]
    folders = [PurePath(run).name for run in runs]
    folders = folders if len(set(folders)) == len(folders) else list(runs)
    names = [
        f"α = {alpha:g}" + f" ({folder})" * (alphas.count(alpha) > 1)
        for folder, alpha in zip(folders, alphas, strict=True)
    ]
    looks = style.looks(len(runs))
    columns = 3 if max(map(len, names)) <= _SHORT else 1
    figure = style.new_figure(height=8.2 + style.more_height(len(runs), columns))
    panels = {score: score} | _PANELS
    axes = figure.subplots(len(panels), 1, sharex=True)
    for ax, (key, label) in zip(axes, panels.items(), strict=True):
        for of_run, name, look in zip(runs.values(), names, looks, strict=True):
            banded_line(ax, of_run, "temperature", key, look, name)
        ax.set_ylabel((labels or {}).get(key, label))
        ax.axvline(1.0, zorder=0, **style.REFERENCE)
        style.few_ticks(ax, across=8, up=5)
        style.tidy(ax)
    axes[list(panels).index("ece")].set_ylim(bottom=0)
    axes[-1].set_xlabel("Temperature T")
    handles, _ = axes[0].get_legend_handles_labels()
    if any(has_band(of_run, score) for of_run in runs.values()):
        handles.append(band_in_legend())
    style.shared_legend(figure, handles, columns=columns)
    figure.align_ylabels(axes)
    if title:
        figure.suptitle(title)
    return figure
