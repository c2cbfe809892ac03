"""Attention as heat maps: the frames that a decoder attends to at each token."""

import dataclasses
import textwrap
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from ls_base.brief_repr import BriefRepr
from ls_keras.backend.tensors import as_array
from ls_keras.errors import InputError, shown
from ls_keras.inputs.validation import as_number
from ls_keras.plots import style
from ls_keras.plots.plot_inputs import as_named, check_axes, check_title, get_figure

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_LABELED = 40  # largest number of tokens that are all labeled


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
        is_list = hasattr(self.tokens, "__len__") and not isinstance(self.tokens, dict)
        number = len(self.tokens) if is_list else -1
        if weights.ndim != 2 or not weights.size or number != len(weights):
            raise InputError(
                "Expected weights (tokens, frames), and a token for each row. "
                f"Received: shape {weights.shape} and "
                + (f"{number} tokens" if number >= 0 else f"tokens {shown(self.tokens)}")
            )
        if not np.isfinite(weights).all():
            raise InputError("Expected finite weights. Received: NaN or infinity among them")
        as_number(self.seconds, "seconds", low=0, above=True)


Maps = AttentionMap | Mapping[str, AttentionMap]


def attention_map(
    maps: Maps, *, axes: "Sequence[Axes] | None" = None, title: str | None = "Attention"
) -> "Figure":
    """Draws the attention weights at each token, with time to the right and tokens downwards.

    Aligned attention shows as a dark diagonal. All maps use the same color scale, from 0 to 1.

    Args:
        maps: A map, or several by name.
        axes: Axes to draw on, one for each map. Default: those of a new figure.
        title: Title of the figure; `None` for none.

    Returns:
        The figure, which is not part of any global state; save it with `ls_keras.plots.save`.

    Raises:
        InputError: If there is no map, an object is not a map, a name is not a string, or the
            number of axes differs.

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
    if axes is None:
        heights = [
            min(max(2.2, 0.8 + 0.17 * min(len(found.tokens), _LABELED)), 8.0)
            for found in named.values()
        ]
        figure = style.new_figure(height=sum(heights) + 0.4)
        axes = list(figure.subplots(len(named), 1, squeeze=False, height_ratios=heights).ravel())
    axes = check_axes(axes, len(named), "a map")
    image: Any = None
    for ax, (name, found) in zip(axes, named.items(), strict=True):
        image = _draw(ax, found)
        ax.set_title(textwrap.fill(name, 48), fontsize=style.TEXT)
    figure = get_figure(axes[0])
    figure.colorbar(image, ax=axes, label="attention weight", shrink=0.8)
    if title:
        figure.suptitle(title)
    return figure


def attention_rows(maps: Maps) -> list[dict[str, Any]]:
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


def _draw(ax: "Axes", found: AttentionMap):
    tokens, frames = np.asarray(found.weights).shape
    image = ax.imshow(
        found.weights,
        cmap="Blues",
        vmin=0,
        vmax=1,
        aspect="auto",
        interpolation="nearest",
        extent=(0, frames * found.seconds, tokens - 0.5, -0.5),
    )
    step = -(-tokens // _LABELED)
    labels = [str(token) for token in found.tokens[::step]]
    ax.set_yticks(range(0, tokens, step), labels, fontsize=style.SMALL)
    ax.set(xlabel="time (s)", ylabel="token")
    return image
