"""Saves figures as PNG and SVG, with their numbers as JSON and CSV."""

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
from ls_keras.plots.distillation_curves import distillation_curves
from ls_keras.plots.heat_maps import (
    attention_map,
    attention_rows,
    mean_logits_map,
    mean_logits_rows,
)
from ls_keras.plots.information_curve import information_curve, information_rows
from ls_keras.plots.learning_curves import learning_curves, learning_rows
from ls_keras.plots.plot_inputs import fill_missing_keys
from ls_keras.plots.projection_panels import projection_panels, projection_rows
from ls_keras.plots.reliability_diagram import reliability_diagram, reliability_rows
from ls_keras.plots.risk_coverage_diagram import risk_coverage_diagram, risk_coverage_rows
from ls_keras.plots.score_panels import beam_panels, temperature_panels

if TYPE_CHECKING:
    from matplotlib.figure import Figure
    from matplotlib.transforms import Bbox

MIN_DPI, MAX_DPI = 10, 2400  # Matplotlib cannot draw the letters of fewer
# Suffixes that `save` replaces: those of images, and of the files of numbers.
_REPLACED = (
    *(".png", ".svg", ".pdf", ".eps", ".ps", ".jpg", ".jpeg", ".gif", ".bmp", ".webp"),
    *(".tif", ".tiff", ".json", ".csv"),
)
_MARGIN = 0.12  # inches around the figure, visible on a dark page
# For each figure, the function that returns its numbers.
ROW_FUNCTIONS: dict[Callable[..., "Figure"], Callable[..., list]] = {
    attention_map: attention_rows,
    beam_panels: fill_missing_keys,
    distillation_curves: fill_missing_keys,
    information_curve: information_rows,
    learning_curves: learning_rows,
    mean_logits_map: mean_logits_rows,
    projection_panels: projection_rows,
    reliability_diagram: reliability_rows,
    risk_coverage_diagram: risk_coverage_rows,
    temperature_panels: fill_missing_keys,
}


def save_plot(
    draw: Callable[..., "Figure"], data: Any, path: str | os.PathLike, **options: Any
) -> list[Path]:
    """Draws a figure and writes it with its numbers; see `save`.

    Args:
        draw: A drawing function of `ls_keras.plots`, such as `reliability_diagram`.
        data: The data to draw.
        path: Path of the image; see `save`.
        **options: Other arguments of `draw`.

    Returns:
        The written paths.

    Raises:
        InputError: If `draw` is another function, or arguments of `draw` are wrong.

    Example:
        >>> import ls_keras
        >>> from ls_keras.plots import reliability_diagram, save_plot
        >>> curve = ls_keras.reliability_curve([0, 0, 0, 1], [[0.75, 0.25]] * 4)
        >>> paths = save_plot(reliability_diagram, curve, "reliability", title="Test")
        >>> [path.name for path in paths]
        ['reliability.png', 'reliability.svg', 'reliability.json', 'reliability.csv']
    """
    numbers = ROW_FUNCTIONS.get(as_function(draw, "draw"))
    if numbers is None:
        raise InputError(
            f"Expected one of {', '.join(sorted(known.__name__ for known in ROW_FUNCTIONS))}. "
            f"Received: {shown(getattr(draw, '__name__', draw))}"
        )
    # Options such as class names also apply to the numbers.
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
    """Writes a figure as PNG and SVG, and its numbers as JSON and CSV, each file atomically.

    The same figure gives the same bytes.

    Args:
        figure: The figure.
        path: Path of the image. `.png` replaces the suffix of an image and is appended to any other
            name, such as `alpha-0.1`.
        data: The numbers of the figure: a mapping, written as `.json`; or rows with the same keys,
            written as `.json` and `.csv`. NaN and infinity are `null` in JSON and empty in CSV.
        dpi: Dots per inch of the PNG, at least 10. Default: 150.

    Returns:
        The written paths.

    Raises:
        InputError: If rows have different keys.
    """
    path = as_path(path, "path")
    if not path.name:
        raise InputError(f"Expected the path of a file. Received: {shown(path)}")
    path = image_path(path)
    if not hasattr(figure, "savefig"):
        raise InputError(f"Expected a figure of Matplotlib. Received: {shown(figure)}")
    as_count(dpi, "dpi", MIN_DPI, MAX_DPI)
    is_rows = isinstance(data, Sequence) and all(isinstance(row, Mapping) for row in data)
    if not isinstance(data, Mapping) and not is_rows:
        raise InputError(f"Expected rows of numbers, or a mapping. Received: {shown(data)}")
    with _layout(figure, dpi) as box:
        # Metadata without version and date, so that the same figure gives the same bytes.
        files = {
            path: _image(figure, box, format="png", dpi=dpi, metadata={"Software": None}),
            path.with_suffix(".svg"): _image(
                figure, box, format="svg", metadata={"Date": None, "Creator": None}
            ),
        }
    try:
        data = nan_to_none(data)
        text = json.dumps(data, indent=2, ensure_ascii=False, allow_nan=False) + "\n"
    except (TypeError, ValueError, RecursionError) as error:
        raise InputError(f"Expected data that JSON supports. Received: {error}") from error
    files[path.with_suffix(".json")] = text.encode()
    if not isinstance(data, Mapping):
        files[path.with_suffix(".csv")] = _table(data).encode()
    for file, content in files.items():
        write_bytes(file, content)
    return list(files)


def image_path(path: Path) -> Path:
    """Returns the path of the PNG that `save` writes.

    Example:
    >>> [image_path(Path(name)).name for name in ("a", "a.svg", "alpha-0.1", "alpha-0.1.png")]
    ['a.png', 'a.png', 'alpha-0.1.png', 'alpha-0.1.png']
    """
    if path.suffix.lower() in _REPLACED:
        return path.with_suffix(".png")
    return path.with_name(f"{path.name}.png")


@contextlib.contextmanager
def _layout(figure: "Figure", dpi: int) -> Iterator["Bbox"]:
    """Computes the layout of a figure once for both formats, and yields its bounding box.

    Matplotlib would compute the layout for each file, and draw twice.
    """
    import matplotlib

    engine, own_dpi = figure.get_layout_engine(), figure.dpi
    with matplotlib.rc_context(
        {"figure.autolayout": False, "figure.constrained_layout.use": False}
    ):
        try:
            figure.set_dpi(dpi)  # the width of letters depends on it
            figure.draw_without_rendering()
            box = figure.get_tightbbox().padded(_MARGIN)
            figure.set_layout_engine(None)  # with these settings, no layout
            yield box
        finally:
            figure.set_layout_engine(engine or "none")
            figure.set_dpi(own_dpi)


def _image(figure: "Figure", box: "Bbox", **options: Any) -> bytes:
    """Returns an image; the text of an SVG stays text, to be searched and read aloud."""
    import matplotlib

    file = io.BytesIO()
    with matplotlib.rc_context({"svg.hashsalt": "ls-keras", "svg.fonttype": "none"}):
        figure.savefig(file, bbox_inches=box, **options)
    return file.getvalue()


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
