"""Suggests a preset and settings for a user's own pictures, from their sizes and colors."""

import dataclasses
import io
import statistics
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

from ls_base.safe_open import open_regular
from lsk_engine import InputError
from lsk_engine.settings.config import Suggestion
from lsk_image.config import PRESETS
from lsk_image.formats.array_files import JpegArray, find_npz_files, open_images
from lsk_image.formats.class_folders import find_split_folders, list_folders, list_images
from lsk_image.formats.decode import (
    UnreadableImageError,
    open_image,
    unreadable_images,
    upright_size,
)

FEW = 5000  # pictures: below, epochs are short and more of them are needed
LARGEST = 64  # pixels a side that the presets for own pictures are meant for
_SMALL_GRAY = 32


@dataclasses.dataclass(frozen=True)
class Survey:
    """Statistics of pictures, from their headers: nothing is decoded.

    Attributes:
        sizes: Number of pictures of each `(width, height)`.
        gray: Number of gray pictures; the others have color, a palette or transparency.
        classes: Number of class folders; `None` if the classes are labels.
    """

    sizes: Counter[tuple[int, int]]
    gray: int
    classes: int | None = None

    @property
    def total(self) -> int:
        """Number of pictures."""
        return sum(self.sizes.values())

    @property
    def side(self) -> int:
        """The median of the shorter sides."""
        return int(statistics.median_low(min(size) for size in self.sizes.elements()))


def suggest(source: Path, preset: str | None, given: Mapping[str, Any]) -> Suggestion | None:
    """Chooses a preset by the size and number of pictures, and one size and color if they differ.

    Args:
        source: A folder or file.
        preset: The preset that the user chose, which is kept; `None` to choose one.
        given: The settings that the user gave, by dotted key.

    Returns:
        The choice; `None` if there is nothing to choose.
    """
    settled = {key for key, value in given.items() if value is not None}
    if preset is not None:
        known = next((p.settings for p in PRESETS if p.name == preset), {})
        settled |= {key for key, value in known.items() if value is not None}
        if {"data.size", "data.channels"} <= settled:
            return None
    skip = str(given.get("data.skip_unreadable")).lower() in ("true", "yes", "1")
    found = survey(source, skip_unreadable=skip)
    if found is None:
        return None
    settings: dict[str, Any] = {}
    large = preset is None and found.side > LARGEST
    if "data.size" not in settled and (len(found.sizes) > 1 or large):
        settings["data.size"] = min(found.side, LARGEST) if preset is None else found.side
    if "data.channels" not in settled and found.gray < found.total:
        settings["data.channels"] = 3
    if preset is not None and not settings:
        return None
    chosen = preset or _choose_preset(found)
    return Suggestion(chosen, settings, (_describe(found, preset is None, chosen, settings),))


def survey(source: Path, *, skip_unreadable: bool = False) -> Survey | None:
    """Reads the headers of the pictures in a folder or `.npz` file.

    Args:
        source: A folder or file.
        skip_unreadable: Whether to ignore files that are not pictures.

    Returns:
        Their statistics; `None` if there are no pictures of a known kind.

    Raises:
        InputError: If some files are not pictures, with all their names.
    """
    if not source.is_dir():
        return _survey_file(source)
    names = [path.name for path in source.iterdir()]
    if any(name.startswith("train") and "ubyte" in name for name in names):
        return None  # MNIST's own files have one size and presets of their own
    if any(name.endswith(".npz") for name in names):
        files, _ = find_npz_files(source)
        return _combine([_survey_file(file) for file in files.values()])
    folders, _ = find_split_folders(source)
    classes = list_folders(folders["train"])
    images = [
        f for split in folders.values() for name in classes for f in list_images(split / name)
    ]
    opened = (
        (lambda file=file: open_regular(file, error=InputError), str(file)) for file in images
    )
    return _survey_headers(opened, skip_unreadable, len(classes))


def _survey_file(file: Path) -> Survey | None:
    if not file.is_file() or file.suffix != ".npz":
        return None
    images = open_images(file)
    if isinstance(images, JpegArray):
        opened = (
            (lambda i=i: io.BytesIO(images[i]), f"image {i} of {file}") for i in range(len(images))
        )
        return _survey_headers(opened)
    return _combine([_survey_array(array.shape) for array in images.values()])


def _survey_array(shape: tuple[int, ...]) -> Survey | None:
    if len(shape) not in (3, 4) or not shape[0]:
        return None
    gray = shape[0] if len(shape) == 3 or shape[3] == 1 else 0
    return Survey(Counter({(shape[2], shape[1]): shape[0]}), gray)


def _survey_headers(
    pictures: Iterable[tuple[Callable[[], Any], str]],
    skip_unreadable: bool = False,
    classes: int | None = None,
) -> Survey | None:
    sizes: Counter[tuple[int, int]] = Counter()
    gray, failures = 0, []
    for opened, name in pictures:
        try:
            with opened() as file, open_image(file, name) as image:
                sizes[upright_size(image)] += 1
                gray += image.mode in ("1", "L", "I", "I;16", "F")
        except UnreadableImageError as error:
            failures.append(error)
    if failures and not skip_unreadable:
        raise unreadable_images(failures)
    return Survey(sizes, gray, classes) if sizes else None


def _combine(parts: Iterable[Survey | None]) -> Survey | None:
    known = [part for part in parts if part is not None]
    if not known:
        return None
    sizes = sum((part.sizes for part in known), Counter())
    return Survey(sizes, sum(part.gray for part in known))


def _choose_preset(found: Survey) -> str:
    if found.gray == found.total and found.side <= _SMALL_GRAY:
        return "gray-pictures"
    return "few-pictures" if found.total < FEW else "many-pictures"


def _describe(found: Survey, chose_preset: bool, preset: str, settings: Mapping[str, Any]) -> str:
    sizes = found.sizes
    of = f"{len(sizes):,} sizes" if len(sizes) > 1 else "{} × {}".format(*next(iter(sizes)))
    classes = f"{found.classes:,} classes, " if found.classes is not None else ""
    text = f"Found {classes}{found.total:,} pictures of {of}"
    if found.gray:
        text += ", all gray" if found.gray == found.total else f", {found.gray:,} of them gray"
    choices = []
    if size := settings.get("data.size"):
        choices.append(f"resized to {size} × {size} (data.size={size})")
    if "data.channels" in settings and found.gray:
        choices.append("gray ones converted to color (data.channels=3)")
    if chose_preset:
        choices.append(f"preset {preset} (choose another with --preset)")
    return f"{text}; {'; '.join(choices)}" if choices else text
