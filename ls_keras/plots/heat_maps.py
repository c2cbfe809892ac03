"""Heat maps: the attention of a decoder, and the mean logits of each class."""

import dataclasses
import textwrap
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from ls_base.brief_repr import BriefRepr
from ls_keras.backend.tensors import as_array
from ls_keras.errors import InputError, shown
from ls_keras.inputs.validation import as_names, as_number
from ls_keras.plots import style
from ls_keras.plots.plot_inputs import as_named, check_title
from ls_keras.representation.class_statistics import MeanLogits

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_MOST_TOKENS, _MOST_CLASSES = 40, 16  # largest numbers of rows that are all labeled
_NUMBERED = 10  # largest number of classes with numbers in the cells
_CELL = 8.4  # font size in points of a number in a cell, 35 pixels wide on a phone


@dataclasses.dataclass(frozen=True, repr=False)
class AttentionMap(BriefRepr):
    """Attention weights of one decoded example.

    Attributes:
        weights: Float array `(tokens, frames)`.
        tokens: The tokens, one for each row.
        seconds: Duration of a frame in seconds.
    """

    weights: np.ndarray
    tokens: Sequence[str]
    seconds: float

    def __post_init__(self):
        weights = as_array(self.weights, "weights")
        is_array = isinstance(self.tokens, np.ndarray) and self.tokens.ndim > 0
        is_list = is_array or isinstance(self.tokens, Sequence)
        if (
            weights.ndim != 2
            or not (weights.size and np.isfinite(weights).all())
            or not (is_list and len(self.tokens) == len(weights))
        ):
            raise InputError(
                "Expected finite weights (tokens, frames), and a token for each row. "
                f"Received: weights of shape {weights.shape} and tokens {shown(self.tokens)}"
            )
        as_number(self.seconds, "seconds", low=0, above=True)


Attention = AttentionMap | Mapping[str, AttentionMap]
Logits = MeanLogits | Mapping[str, MeanLogits]


def attention_map(maps: Attention, *, title: str | None = "Attention") -> "Figure":
    """Draws the attention weights at each token, with time to the right and tokens downwards.

    Aligned attention shows as a dark diagonal. All maps use the same color scale, from 0 to 1.

    Args:
        maps: A map, or several by name.
        title: Title of the figure; `None` for none.

    Returns:
        The figure, which is not part of any global state; save it with `ls_keras.plots.save`.

    Raises:
        InputError: If there is no map, an object is not a map, or a name is not a string.

    Example:
        >>> import numpy as np
        >>> from ls_keras.plots import AttentionMap, attention_map
        >>> weights = np.array([[0.9, 0.1, 0.0], [0.0, 0.2, 0.8]])
        >>> figure = attention_map({"yes": AttentionMap(weights, ["yes", "<end>"], 0.08)})
        >>> figure.axes[0].get_xlabel(), figure.axes[0].get_title()
        ('time (s)', 'yes')
    """
    check_title(title)
    named = as_named(maps, AttentionMap)
    rows = [min(len(found.tokens), _MOST_TOKENS) for found in named.values()]
    heights = [min(max(2.2, 0.8 + 0.17 * number), 8.0) for number in rows]
    figure = style.new_figure(height=sum(heights) + 0.4)
    axes = figure.subplots(len(named), 1, squeeze=False, height_ratios=heights)[:, 0]
    image: Any = None
    for ax, (name, found) in zip(axes, named.items(), strict=True):
        tokens, frames = np.shape(found.weights)
        image = ax.imshow(
            found.weights,
            cmap="Blues",
            vmin=0,
            vmax=1,
            aspect="auto",
            interpolation="nearest",
            extent=(0, frames * found.seconds, tokens - 0.5, -0.5),
        )
        step = -(-tokens // _MOST_TOKENS)
        labels = [str(token) for token in found.tokens[::step]]
        ax.set_yticks(range(0, tokens, step), labels, fontsize=style.SMALL)
        ax.set(xlabel="time (s)", ylabel="token")
        ax.set_title(textwrap.fill(name, 48), fontsize=style.TEXT)
    figure.colorbar(image, ax=axes, label="attention weight", shrink=0.8)
    if title:
        figure.suptitle(title)
    return figure


def attention_rows(maps: Attention) -> list[dict[str, Any]]:
    """Returns the numbers of the maps for `ls_keras.plots.save`, a row for each cell."""
    return [
        {
            "map": name,
            "position": n,
            "token": str(token),
            "start": round(i * found.seconds, 6),
            "weight": float(weight),
        }
        for name, found in as_named(maps, AttentionMap).items()
        for n, (token, row) in enumerate(zip(found.tokens, found.weights, strict=True))
        for i, weight in enumerate(row)
    ]


def mean_logits_map(
    maps: Logits,
    *,
    class_names: Sequence[str] | None = None,
    title: str | None = "Mean logits",
) -> "Figure":
    """Draws matrices of mean logits, with a row for each true class and a column for each logit.

    The diagonal is gray, because its values are far above the others, which show the similarities.
    All matrices use the same color scale, centered at 0.

    Args:
        maps: Result of `ls_keras.representation.mean_logits`, or several by name.
        class_names: Names of all K classes. Default: their numbers.
        title: Title of the figure; `None` for none.

    Returns:
        The figure, which is not part of any global state; save it with `ls_keras.plots.save`.

    Raises:
        InputError: If there is no matrix, an object is not one, or a name is not a string.

    Example:
        >>> from ls_keras.plots import mean_logits_map
        >>> from ls_keras.representation import mean_logits
        >>> found = mean_logits([0, 1, 2], [[4.0, 1.0, 0.0], [1.0, 4.0, 0.0], [0.0, 0.0, 3.0]])
        >>> figure = mean_logits_map({"hard targets": found})
        >>> figure.axes[0].get_title()
        'hard targets'
    """
    check_title(title)
    named = as_named(maps, MeanLogits)
    figure = style.new_figure(height=5.4 * len(named) + 0.6, fixed_aspect=True)
    axes = figure.subplots(len(named), 1, squeeze=False)[:, 0]
    others = [m.matrix[~np.eye(len(m.classes), dtype=bool)] for m in named.values()]
    largest = float(np.nanmax(np.abs(np.concatenate([*others, [1e-12]]))))
    image: Any = None
    for ax, (name, found) in zip(axes, named.items(), strict=True):
        image = _draw_logits(ax, found, _names(found, class_names), largest)
        ax.set_title(textwrap.fill(name, 44), fontsize=style.TEXT)
    label = "mean logit minus the mean over the classes"
    figure.colorbar(image, ax=axes, label=label, location="bottom", shrink=0.8, aspect=30)
    if title:
        figure.suptitle(title)
    return figure


def mean_logits_rows(
    maps: Logits, class_names: Sequence[str] | None = None
) -> list[dict[str, Any]]:
    """Returns the numbers of the maps for `ls_keras.plots.save`, a row for each cell."""
    rows = []
    for name, found in as_named(maps, MeanLogits).items():
        names = _names(found, class_names)
        for (i, k), mean in np.ndenumerate(found.matrix):
            value = None if np.isnan(mean) else float(mean)
            cell = {"class": names[i], "logit": names[k], "mean": value}
            rows.append({"map": name, **cell, "count": int(found.counts[i])})
    return rows


def _draw_logits(ax: "Axes", found: MeanLogits, names: Sequence[str], largest: float):
    size = len(found.classes)
    others = np.ma.masked_where(np.eye(size, dtype=bool), found.matrix)
    image = ax.imshow(others, cmap="PuOr", vmin=-largest, vmax=largest, interpolation="nearest")
    ax.set_facecolor("0.8")
    step = -(-size // _MOST_CLASSES)
    names = [textwrap.shorten(name, 18, placeholder="…") for name in names[::step]]
    upright = all(len(name) <= 2 for name in names)
    at = range(0, size, step)
    ax.set_xticks(at, names, rotation=0 if upright else 90, fontsize=style.SMALL)
    ax.set_yticks(at, names, fontsize=style.SMALL)
    if size <= _NUMBERED:
        for (i, k), value in np.ndenumerate(found.matrix):
            if not np.isnan(value):
                color = "white" if i != k and abs(value) > 0.65 * largest else "black"
                ax.text(k, i, f"{value:.1f}", ha="center", va="center", fontsize=_CELL, color=color)
    ax.set(xlabel="logit", ylabel="true class")
    return image


def _names(found: MeanLogits, class_names: Sequence[str] | None) -> list[str]:
    if class_names is None:
        return [str(c) for c in found.classes]
    names = as_names(class_names, "class_names", max(found.classes) + 1)
    return [names[c] for c in found.classes]
