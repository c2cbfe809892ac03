"""Scores of a beam search by its number of beams."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from ls_base.errors import InputError
from ls_keras.errors import shown
from ls_keras.plots import style
from ls_keras.plots.confidence_bands import band_in_legend, banded_line, has_band
from ls_keras.plots.plot_inputs import check_labels, check_rows, check_title

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_PANEL = 2.7  # inches
_SHORT = 22  # letters of a name of which three stand side by side


def beam_panels(
    rows: Sequence[Mapping[str, Any]],
    *,
    scores: Sequence[str],
    labels: Mapping[str, str] | None = None,
    title: str | None = None,
) -> "Figure":
    """Draws scores against the number of beams, a panel a score and a line a model.

    The beams' axis is logarithmic, with a tick at each number that was searched with.

    Args:
        rows: One a model and number of beams, with the keys `name`, `beam_size`, those of the
            scores and, if known, the ends of their 95 % intervals, `<score>_low` and
            `<score>_high`, which are drawn as a band; `None`: not known.
        scores: The keys of the scores to draw.
        labels: What keys are called on an axis; default: the key.
        title: A title over all panels; `None` for none.

    Returns:
        The figure, which no global state knows.

    Raises:
        InputError: If there are no rows or scores, rows lack a key, something is no finite number,
            a number of beams is below 1, or there are more than 49 models.

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
    check_rows(rows, ("name", "beam_size", *scores), words=("name",), banded=scores)
    check_labels(labels)
    beams = sorted({row["beam_size"] for row in rows})
    if beams[0] < 1:
        raise InputError(f"Expected a beam_size of at least 1. Received: {shown(beams[0])}")
    lines: dict[str, list[Mapping[str, Any]]] = {}
    for row in sorted(rows, key=lambda row: row["beam_size"]):
        lines.setdefault(row["name"], []).append(row)
    lines = {name: lines[name] for name in dict.fromkeys(row["name"] for row in rows)}
    looks = style.looks(len(lines))
    columns = 3 if max(map(len, lines)) <= _SHORT else 1
    more = style.more_height(len(lines), columns)
    figure = style.new_figure(height=_PANEL * len(scores) + 0.6 + more)
    axes = figure.subplots(len(scores), 1, sharex=True, squeeze=False)[:, 0]
    for ax, key in zip(axes, scores, strict=True):
        for (name, of_line), look in zip(lines.items(), looks, strict=True):
            banded_line(ax, of_line, "beam_size", key, look, name)
        ax.set_ylabel((labels or {}).get(key, key))
        style.few_ticks(ax, up=5)
        style.tidy(ax)
    _ticks(axes[-1], beams)
    handles, _ = axes[0].get_legend_handles_labels()
    if any(has_band(of_line, key) for of_line in lines.values() for key in scores):
        handles.append(band_in_legend())
    style.shared_legend(figure, handles, columns=columns)
    figure.align_ylabels(axes)
    if title:
        figure.suptitle(title)
    return figure


def _ticks(ax, beams: Sequence[float]) -> None:
    from matplotlib.ticker import FixedLocator, NullLocator

    ax.set_xscale("log", base=2)
    ax.xaxis.set_major_locator(FixedLocator(beams))
    ax.xaxis.set_minor_locator(NullLocator())
    ax.xaxis.set_major_formatter("{x:g}")
    ax.set_xlabel("Number of beams (1: greedy search)")
