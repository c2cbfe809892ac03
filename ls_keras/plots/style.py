"""How every figure looks, and how it is saved with its numbers.

Figures are made with Matplotlib's object-oriented interface only: no pyplot, no backend, no
change of rcParams, so that drawing never disturbs a caller's own plots.
"""

import csv
import io
import itertools
import json
import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from matplotlib.figure import Figure

from ls_base.errors import InputError
from ls_base.files import write_bytes

# Okabe and Ito's colors, told apart with any color vision; black is kept for references.
COLORS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#F0E442")
MARKERS = ("o", "s", "^", "D", "v", "P", "X")
LINE_STYLES = ("-", "--", "-.", (0, (1, 1)), (0, (5, 1, 1, 1, 1, 1)), (0, (8, 2)), (0, (3, 3)))
REFERENCE: dict[str, Any] = {"color": "black", "linewidth": 1.0, "linestyle": ":"}
GRID: dict[str, Any] = {"color": "0.88", "linewidth": 0.6}


class Look(NamedTuple):
    """What tells one series from another: its color, and in black and white the rest."""

    color: str
    marker: str
    line_style: Any


def looks() -> Iterator[Look]:
    """Yields a look for each series; the seven combinations repeat."""
    return itertools.cycle(Look(*look) for look in zip(COLORS, MARKERS, LINE_STYLES, strict=True))


def new_figure(width: float = 5.0, height: float = 5.0) -> Figure:
    """Returns an empty figure of `width` × `height` inches that lays itself out."""
    return Figure(figsize=(width, height), layout="constrained")


def tidy(ax) -> None:
    """Gives axes a light grid behind what is drawn, and no frame at the top and right."""
    ax.grid(True, **GRID)
    ax.set_axisbelow(True)
    ax.spines[["top", "right"]].set_visible(False)


def save(
    figure: Figure,
    path: str | os.PathLike,
    data: Mapping[str, Any] | Sequence[Mapping[str, Any]],
    *,
    dpi: int = 150,
) -> list[Path]:
    """Writes a figure as PNG and its numbers beside it, each file whole or not at all.

    Args:
        figure: The figure.
        path: The image's path; its suffix is or becomes `.png`.
        data: The numbers that are drawn: a mapping, written as `.json`; or rows with the same
            keys, written as `.json` and `.csv`.
        dpi: Dots per inch.

    Returns:
        The paths written.

    Raises:
        InputError: If rows have different keys.
    """
    path = Path(path).with_suffix(".png")
    image = io.BytesIO()
    # No version of the software in the file: the same drawing gives the same bytes.
    figure.savefig(image, format="png", dpi=dpi, metadata={"Software": None})
    files = {path: image.getvalue()}
    text = json.dumps(data, indent=2, ensure_ascii=False) + "\n"
    files[path.with_suffix(".json")] = text.encode()
    if not isinstance(data, Mapping):
        files[path.with_suffix(".csv")] = _table(data).encode()
    for file, content in files.items():
        write_bytes(file, content)
    return list(files)


def _table(rows: Sequence[Mapping[str, Any]]) -> str:
    names = list(rows[0]) if rows else []
    for row in rows:
        if list(row) != names:
            raise InputError(
                f"Expected rows with the keys {', '.join(names)}. Received: {', '.join(row)}"
            )
    out = io.StringIO()
    table = csv.DictWriter(out, names, lineterminator="\n")
    table.writeheader()
    table.writerows(rows)
    return out.getvalue()
