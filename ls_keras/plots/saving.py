"""Figures in files, each with the numbers that it shows beside it."""

import contextlib
import csv
import inspect
import io
import json
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ls_base.files import nan_to_none, write_bytes
from ls_keras.errors import InputError, shown
from ls_keras.inputs.validation import as_count, as_function, as_path
from ls_keras.plots.attention_map import attention_map, attention_rows
from ls_keras.plots.beam_panels import beam_panels
from ls_keras.plots.distillation_curves import distillation_curves
from ls_keras.plots.information_curve import information_curve, information_rows
from ls_keras.plots.learning_curves import learning_curves, learning_rows
from ls_keras.plots.mean_logits_map import mean_logits_map, mean_logits_rows
from ls_keras.plots.plot_inputs import with_same_keys
from ls_keras.plots.projection_panels import projection_panels, projection_rows
from ls_keras.plots.reliability_diagram import reliability_diagram, reliability_rows
from ls_keras.plots.risk_coverage_diagram import risk_coverage_diagram, risk_coverage_rows
from ls_keras.plots.temperature_panels import temperature_panels

if TYPE_CHECKING:
    from matplotlib.figure import Figure
    from matplotlib.transforms import Bbox

MAX_DPI = 2400
# Suffixes of what somebody may ask for, or of what is written beside it.
_REPLACED = (
    *(".png", ".svg", ".pdf", ".eps", ".ps", ".jpg", ".jpeg", ".gif", ".bmp", ".webp"),
    *(".tif", ".tiff", ".json", ".csv"),
)
_MARGIN = 0.12  # inches around what is drawn: a dark page shows it
# What draws, and what gives the numbers of the same; `with_same_keys`: rows are what is drawn.
NUMBERS: dict[Callable[..., "Figure"], Callable[..., list]] = {
    attention_map: attention_rows,
    beam_panels: with_same_keys,
    distillation_curves: with_same_keys,
    information_curve: information_rows,
    learning_curves: learning_rows,
    mean_logits_map: mean_logits_rows,
    projection_panels: projection_rows,
    reliability_diagram: reliability_rows,
    risk_coverage_diagram: risk_coverage_rows,
    temperature_panels: with_same_keys,
}


def save_plot(
    draw: Callable[..., "Figure"], data: Any, path: str | os.PathLike, **options: Any
) -> list[Path]:
    """Draws, and writes the figure with its numbers beside it; see `save`.

    Args:
        draw: A function of `ls_keras.plots` that draws, such as `reliability_diagram`.
        data: What it draws.
        path: The image's path, see `save`.
        **options: Arguments of `draw`.

    Returns:
        The paths written.

    Raises:
        InputError: If `draw` is none of these functions, or as it raises.

    Example:
        >>> import ls_keras
        >>> from ls_keras.plots import reliability_diagram, save_plot
        >>> curve = ls_keras.reliability_curve([0, 0, 0, 1], [[0.75, 0.25]] * 4)
        >>> paths = save_plot(reliability_diagram, curve, "reliability", title="Test")
        >>> [path.name for path in paths]
        ['reliability.png', 'reliability.svg', 'reliability.json', 'reliability.csv']
    """
    numbers = NUMBERS.get(as_function(draw, "draw"))
    if numbers is None:
        raise InputError(
            f"Expected one of {', '.join(sorted(known.__name__ for known in NUMBERS))}. "
            f"Received: {shown(getattr(draw, '__name__', draw))}"
        )
    # Names of classes, for instance, are in figure and numbers alike.
    shared = inspect.signature(numbers).parameters
    rows = numbers(data, **{name: value for name, value in options.items() if name in shared})
    return save(draw(data, **options), path, rows)


def save(
    figure: "Figure",
    path: str | os.PathLike,
    data: Mapping[str, Any] | Sequence[Mapping[str, Any]],
    *,
    dpi: int = 150,
) -> list[Path]:
    """Writes a figure as PNG and SVG and its numbers beside it, each file whole or not at all.

    The same drawing gives the same bytes.

    Args:
        figure: The figure.
        path: The image's path. `.png` takes the place of the suffix of another kind of image, and
            follows any other name: of `alpha-0.1` it makes `alpha-0.1.png`.
        data: The numbers that are drawn: a mapping, written as `.json`; or rows with the same
            keys, written as `.json` and `.csv`. NaN and infinity are written as `null`, in the
            table as nothing.
        dpi: Dots per inch of the PNG.

    Returns:
        The paths written.

    Raises:
        InputError: If rows have different keys.
    """
    path = as_path(path, "path")
    if not path.name:
        raise InputError(f"Expected the path of a file. Received: {shown(path)}")
    path = image_path(path)
    if not hasattr(figure, "savefig"):
        raise InputError(f"Expected a figure of Matplotlib. Received: {shown(figure)}")
    as_count(dpi, "dpi", 1, MAX_DPI)
    is_rows = isinstance(data, Sequence) and all(isinstance(row, Mapping) for row in data)
    if not isinstance(data, Mapping) and not is_rows:
        raise InputError(f"Expected rows, or a mapping, of numbers. Received: {shown(data)}")
    with _laid_out(figure, dpi) as whole:
        files = {path: _png(figure, dpi, whole), path.with_suffix(".svg"): _svg(figure, whole)}
    try:
        data = nan_to_none(data)
        text = json.dumps(data, indent=2, ensure_ascii=False, allow_nan=False) + "\n"
    except (TypeError, ValueError, RecursionError) as error:
        raise InputError(f"Expected what JSON can hold. Received: {error}") from error
    files[path.with_suffix(".json")] = text.encode()
    if not isinstance(data, Mapping):
        files[path.with_suffix(".csv")] = _table(data).encode()
    for file, content in files.items():
        write_bytes(file, content)
    return list(files)


def image_path(path: Path) -> Path:
    """Returns where `save` writes the PNG.

    Example:
    >>> [image_path(Path(name)).name for name in ("a", "a.svg", "alpha-0.1", "alpha-0.1.png")]
    ['a.png', 'a.png', 'alpha-0.1.png', 'alpha-0.1.png']
    """
    if path.suffix.lower() in _REPLACED:
        return path.with_suffix(".png")
    return path.with_name(f"{path.name}.png")


@contextlib.contextmanager
def _laid_out(figure: "Figure", dpi: int) -> Iterator["Bbox"]:
    """Lays a figure out, once for both formats; yields what has to be shown for it to be whole.

    Matplotlib would do so for each file, and then draw what is laid out already once more.
    """
    import matplotlib

    engine, own_dpi = figure.get_layout_engine(), figure.dpi
    with matplotlib.rc_context(
        {"figure.autolayout": False, "figure.constrained_layout.use": False}
    ):
        try:
            figure.set_dpi(dpi)  # letters are not as wide at each
            figure.draw_without_rendering()
            whole = figure.get_tightbbox().padded(_MARGIN)
            figure.set_layout_engine(None)  # of these settings: none at all
            yield whole
        finally:
            figure.set_layout_engine(engine or "none")
            figure.set_dpi(own_dpi)


def _png(figure: "Figure", dpi: int, whole: "Bbox") -> bytes:
    image = io.BytesIO()
    # No version of the software among the bytes.
    metadata = {"Software": None}
    figure.savefig(image, format="png", dpi=dpi, metadata=metadata, bbox_inches=whole)
    return image.getvalue()


def _svg(figure: "Figure", whole: "Bbox") -> bytes:
    """Returns the figure with text that stays text, to be searched and read aloud."""
    import matplotlib

    image = io.BytesIO()
    with matplotlib.rc_context({"svg.hashsalt": "ls-keras", "svg.fonttype": "none"}):
        metadata = {"Date": None, "Creator": None}
        figure.savefig(image, format="svg", metadata=metadata, bbox_inches=whole)
    return image.getvalue()


def _table(rows: Sequence[Mapping[str, Any]]) -> str:
    names = list(rows[0]) if rows else []
    for row in rows:
        if row.keys() != rows[0].keys():
            raise InputError(
                f"Expected rows with the keys {', '.join(names)}. Received: {', '.join(row)}"
            )
    out = io.StringIO()
    table = csv.DictWriter(out, names, lineterminator="\n")
    table.writeheader()
    table.writerows(rows)
    return out.getvalue()
