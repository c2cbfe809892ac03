"""Scores by temperature (Figure 4 of the paper) or by number of beams, one panel for each score."""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import PurePath
from typing import TYPE_CHECKING, Any

from ls_base.errors import InputError
from ls_keras.errors import shown
from ls_keras.plots import style
from ls_keras.plots.plot_inputs import check_labels, check_rows, check_title

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Row = Mapping[str, Any]

_TEMPERATURE_PANELS = {"ece": "ECE", "nll": "NLL (nats per label)"}  # beside the score
_BEAM_PANEL_HEIGHT = 2.7  # inches
# Longest name if three names share a line of the legend.
_SHORT_RUN, _SHORT_NAME = 16, 22


def temperature_panels(
    rows: Sequence[Row],
    *,
    score: str,
    labels: Mapping[str, str] | None = None,
    title: str | None = None,
) -> "Figure":
    """Draws the score, the ECE and the NLL against T, in one panel each with a line for each run.

    Args:
        rows: A row for each run and temperature, with the keys `run`, `alpha`, `temperature`, `nll`
            (nats), `ece`, `score` and optionally the ends of its 95 % interval, `<score>_low` and
            `<score>_high`, which are drawn as a band; `None` if unknown.
        score: Key of the score; `"ece"` and `"nll"` get no additional panel.
        labels: Axis labels by key. Default: ECE, NLL (nats per label), and the key of the score.
        title: Title of the figure. Default: `None`.

    Returns:
        The figure, which is not part of any global state.

    Raises:
        InputError: If there are no rows, a key is missing, a value is not a finite number, or there
            are more than 49 runs.

    Example:
        >>> from ls_keras.plots import temperature_panels
        >>> rows = [
        ...     {"run": "a", "alpha": 0.0, "temperature": t, "bleu": b, "nll": n, "ece": e}
        ...     for t, b, n, e in [(0.8, 36.8, 1.9, 0.12), (1.0, 37.1, 1.7, 0.08)]
        ... ]
        >>> [ax.get_ylabel() for ax in temperature_panels(rows, score="bleu").axes]
        ['bleu', 'ECE', 'NLL (nats per label)']
    """
    check_title(title)
    drawn = (score, *_TEMPERATURE_PANELS)
    check_rows(rows, ("run", "alpha", "temperature", *drawn), strings=("run",), banded=drawn)
    check_labels(labels)
    runs = _group(rows, "run", "temperature")
    runs = dict(sorted(runs.items(), key=lambda item: item[1][0]["alpha"]))
    alphas = [run_rows[0]["alpha"] for run_rows in runs.values()]
    folders = [PurePath(run).name for run in runs]
    folders = folders if len(set(folders)) == len(folders) else list(runs)
    names = [
        f"α = {alpha:g}" + f" ({folder})" * (alphas.count(alpha) > 1)
        for folder, alpha in zip(folders, alphas, strict=True)
    ]
    lines = dict(zip(names, runs.values(), strict=True))
    panels = {score: score} | _TEMPERATURE_PANELS | dict(labels or {})
    panels = {key: panels[key] for key in dict.fromkeys(drawn)}
    figure, axes = _draw(lines, "temperature", panels, (score,), 8.2, _SHORT_RUN)
    for ax in axes:
        ax.axvline(1.0, zorder=0, **style.REFERENCE)
        style.limit_ticks(ax, across=8, up=5)
    axes[list(panels).index("ece")].set_ylim(bottom=0)
    axes[-1].set_xlabel("Temperature T")
    if title:
        figure.suptitle(title)
    return figure


def beam_panels(
    rows: Sequence[Row],
    *,
    scores: Sequence[str],
    labels: Mapping[str, str] | None = None,
    title: str | None = None,
) -> "Figure":
    """Draws scores against the number of beams, with a panel for each score.

    The axis of the beams is logarithmic, with a tick at each number in the rows.

    Args:
        rows: A row for each model and number of beams, with the keys `name`, `beam_size`, those of
            the scores and optionally the ends of their 95 % intervals, `<score>_low` and
            `<score>_high`, which are drawn as a band; `None` if unknown.
        scores: Keys of the scores.
        labels: Axis labels by key. Default: the keys.
        title: Title of the figure. Default: `None`.

    Returns:
        The figure, which is not part of any global state.

    Raises:
        InputError: If there are no rows or scores, a key is missing, a value is not a finite
            number, a number of beams is below 1, or there are more than 49 models.

    Example:
        >>> from ls_keras.plots import beam_panels
        >>> rows = [
        ...     {"name": "hard", "beam_size": b, "bleu": s, "ratio": r}
        ...     for b, s, r in [(1, 35.1, 0.98), (4, 35.9, 0.97), (16, 35.9, 0.94)]
        ... ]
        >>> [ax.get_ylabel() for ax in beam_panels(rows, scores=["bleu", "ratio"]).axes]
        ['bleu', 'ratio']
    """
    check_title(title)
    if isinstance(scores, str) or not isinstance(scores, Sequence) or not scores:
        raise InputError(f"Expected names of scores, one at least. Received: {shown(scores)}")
    check_rows(rows, ("name", "beam_size", *scores), strings=("name",), banded=scores)
    check_labels(labels)
    beams = sorted({row["beam_size"] for row in rows})
    if beams[0] < 1:
        raise InputError(f"Expected a beam_size of at least 1. Received: {shown(beams[0])}")
    panels = {key: (labels or {}).get(key, key) for key in scores}
    height = _BEAM_PANEL_HEIGHT * len(scores) + 0.6
    lines = _group(rows, "name", "beam_size")
    figure, axes = _draw(lines, "beam_size", panels, scores, height, _SHORT_NAME)
    for ax in axes:
        style.limit_ticks(ax, up=5)
    _set_beam_ticks(axes[-1], beams)
    if title:
        figure.suptitle(title)
    return figure


def _group(rows: Sequence[Row], key: str, x: str) -> dict[str, list[Row]]:
    """Returns the rows of each value of `key`, in the order of the rows, sorted by `x`."""
    groups: dict[str, list[Row]] = {row[key]: [] for row in rows}
    for row in sorted(rows, key=lambda row: row[x]):
        groups[row[key]].append(row)
    return groups


def _draw(
    lines: Mapping[str, Sequence[Row]],
    x: str,
    panels: Mapping[str, str],
    explained: Iterable[str],
    height: float,
    short: int,
) -> tuple["Figure", Any]:
    """Draws a panel for each key, and a legend below with the band if `explained` scores have one.

    Args:
        lines: Rows by name, in the order of the line.
        x: Key of the position.
        panels: Axis labels by key.
        explained: Keys whose bands the legend explains.
        height: Height in inches for up to seven lines.
        short: Longest name if three names share a line of the legend.
    """
    from matplotlib.patches import Patch

    styles = style.series_styles(len(lines))
    columns = 3 if max(map(len, lines)) <= short else 1
    height += style.extra_legend_height(len(lines), columns)
    figure = style.new_figure(height=height)
    axes = figure.subplots(len(panels), 1, sharex=True, squeeze=False)[:, 0]
    for ax, (key, label) in zip(axes, panels.items(), strict=True):
        for (name, rows), series_style in zip(lines.items(), styles, strict=True):
            at = [row[x] for row in rows]
            if _has_band(rows, key):
                ends = ([row[f"{key}_{end}"] for row in rows] for end in ("low", "high"))
                ax.fill_between(at, *ends, color=series_style.color, alpha=style.BAND, linewidth=0)
            ax.plot(at, [row[key] for row in rows], **series_style.line(name))
        ax.set_ylabel(label)
        style.despine(ax)
    handles, _ = axes[0].get_legend_handles_labels()
    if any(_has_band(rows, key) for rows in lines.values() for key in explained):
        text = "band: 95 % interval"
        handles.append(Patch(color=style.GRAY, alpha=style.BAND, linewidth=0, label=text))
    style.shared_legend(figure, handles, columns=columns)
    figure.align_ylabels(axes)
    return figure, axes


def _has_band(rows: Iterable[Row], key: str) -> bool:
    """Returns whether all rows have both ends of the interval of `key`."""
    return all(row.get(f"{key}_{end}") is not None for row in rows for end in ("low", "high"))


def _set_beam_ticks(ax, beams: Sequence[float]) -> None:
    from matplotlib.ticker import FixedLocator, NullLocator

    ax.set_xscale("log", base=2)
    ax.xaxis.set_major_locator(FixedLocator(beams))
    ax.xaxis.set_minor_locator(NullLocator())
    ax.xaxis.set_major_formatter("{x:g}")
    ax.set_xlabel("Number of beams (1: greedy search)")
