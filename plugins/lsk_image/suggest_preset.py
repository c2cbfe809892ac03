"""A user's own pictures before a run is made of them: what there is, and what is chosen for it."""

import dataclasses
import io
import statistics
from collections import Counter
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from ls_base.errors import reason
from ls_base.npz_arrays import open_npz
from ls_base.npz_schema import ArraySpec, npz_names
from ls_base.safe_open import open_regular
from lsk_engine import InputError
from lsk_engine.data.formats.ragged import check_offsets
from lsk_engine.settings.config import Suggestion
from lsk_image.config import PRESETS
from lsk_image.formats.class_folders import folders_in, pictures_in, split_folders
from lsk_image.formats.image_store import FORMATS, upright_size
from lsk_image.formats.npz_images import npz_files

FEW = 5000  # pictures: below, epochs are short and more of them are needed
LARGEST = 64  # pixels a side that the presets for own pictures are meant for
_SMALL_GRAY = 32


@dataclasses.dataclass(frozen=True)
class Survey:
    """What pictures there are, by their headers: nothing is decoded.

    Attributes:
        sizes: How many pictures have each `(width, height)`.
        gray: How many are gray; the others have colors, a palette or transparency.
        classes: How many class folders there are; `None`: labels tell.
    """

    sizes: Counter[tuple[int, int]]
    gray: int
    classes: int | None = None

    @property
    def total(self) -> int:
        """How many pictures there are."""
        return sum(self.sizes.values())

    @property
    def side(self) -> int:
        """The median of the shorter sides."""
        return int(statistics.median_low(min(size) for size in self.sizes.elements()))


def suggest(source: Path, preset: str | None, given: Mapping[str, Any]) -> Suggestion | None:
    """Chooses a preset by size and number of pictures, and one size and color where they differ.

    Args:
        source: A folder or file.
        preset: The preset that the user chose, if any; it stays.
        given: The settings that the user gave, by dotted key.

    Returns:
        The choice; `None` where there is nothing to choose.
    """
    settled = {key for key, value in given.items() if value is not None}
    if preset is not None:
        known = next((p.settings for p in PRESETS if p.name == preset), {})
        settled |= {key for key, value in known.items() if value is not None}
        if {"data.size", "data.channels"} <= settled:
            return None
    found = survey(source)
    if found is None:
        return None
    settings: dict[str, Any] = {}
    differing = len(found.sizes) > 1
    large = preset is None and found.side > LARGEST
    if "data.size" not in settled and (differing or large):
        settings["data.size"] = min(found.side, LARGEST) if preset is None else found.side
    if "data.channels" not in settled and found.gray < found.total:
        settings["data.channels"] = 3
    if preset is not None and not settings:
        return None
    chosen = preset or _preset(found)
    return Suggestion(chosen, settings, (_told(found, preset is None, chosen, settings),))


def survey(source: Path) -> Survey | None:
    """Returns what pictures a folder or `.npz` file has; `None`: it has none that are known.

    Raises:
        InputError: If a picture is none, with its name; or as the readers of such data.
    """
    if not source.is_dir():
        return _of_file(source)
    names = [path.name for path in source.iterdir()]
    if any(name.startswith("train") and "ubyte" in name for name in names):
        return None  # MNIST's own files: of one size, gray, and with presets of their own
    if any(name.endswith(".npz") for name in names):
        files, _ = npz_files(source)
        return _together([_of_file(file) for file in files.values()])
    folders, _ = split_folders(source)
    classes = folders_in(folders["train"])
    inside = [folders[split] / name for split in folders for name in classes]
    return _of_headers(
        ((file, str(file)) for folder in inside for file in pictures_in(folder)), len(classes)
    )


def _of_file(file: Path) -> Survey | None:
    """Surveys an `.npz` file; what is wrong with it, its reader says."""
    if not file.is_file() or file.suffix != ".npz":
        return None
    names = npz_names(file, error=InputError)
    if "jpeg" in names and "offsets" in names:
        arrays = open_npz(
            file,
            {"jpeg": ArraySpec("u", (None,)), "offsets": ArraySpec("iu", (None,))},
            error=InputError,
        )
        jpeg, ends = arrays["jpeg"], arrays["offsets"].read().astype(np.int64)
        check_offsets(ends, len(jpeg), str(file))
        pictures = (
            (io.BytesIO(jpeg[ends[i] : ends[i + 1]].tobytes()), f"image {i} of {file}")
            for i in range(len(ends) - 1)
        )
        return _of_headers(pictures)
    keys = [name for name in names if name == "images" or name.startswith("x_")]
    images = open_npz(file, dict.fromkeys(keys, ArraySpec()), error=InputError).values()
    return _together([_of_array(array.shape) for array in images])


def _of_array(shape: tuple[int, ...]) -> Survey | None:
    if len(shape) not in (3, 4) or not shape[0]:
        return None
    gray = shape[0] if len(shape) == 3 or shape[3] == 1 else 0
    return Survey(Counter({(shape[2], shape[1]): shape[0]}), gray)


def _of_headers(pictures: Iterable[tuple[Any, str]], classes: int | None = None) -> Survey | None:
    sizes: Counter[tuple[int, int]] = Counter()
    gray = 0
    for content, name in pictures:
        try:
            with _opened(content) as file, Image.open(file, formats=FORMATS) as image:
                sizes[upright_size(image)] += 1
                gray += image.mode in ("1", "L", "I", "I;16", "F")
        except InputError:
            raise
        except Exception as error:  # Pillow's decoders raise whatever they stumble over
            raise InputError(
                f"Expected an image that can be decoded. Received: {name}: {reason(error)}"
            ) from error
    return Survey(sizes, gray, classes) if sizes else None


def _opened(content: Any):
    return open_regular(content, error=InputError) if isinstance(content, Path) else content


def _together(parts: Iterable[Survey | None]) -> Survey | None:
    known = [part for part in parts if part is not None]
    if not known:
        return None
    sizes = sum((part.sizes for part in known), Counter())
    return Survey(sizes, sum(part.gray for part in known))


def _preset(found: Survey) -> str:
    if found.gray == found.total and found.side <= _SMALL_GRAY:
        return "gray-pictures"
    return "few-pictures" if found.total < FEW else "many-pictures"


def _told(found: Survey, chose_preset: bool, preset: str, settings: Mapping[str, Any]) -> str:
    sizes = found.sizes
    of = f"{len(sizes):,} sizes" if len(sizes) > 1 else "{} × {}".format(*next(iter(sizes)))
    text = f"Found {found.total:,} pictures of {of}"
    if found.classes is not None:
        text = f"Found {found.classes:,} classes, {found.total:,} pictures of {of}"
    if found.gray:
        text += ", all gray" if found.gray == found.total else f", {found.gray:,} of them gray"
    choices = []
    if size := settings.get("data.size"):
        choices.append(f"brought to {size} × {size} (data.size={size})")
    if "data.channels" in settings and found.gray:
        choices.append("gray ones to color (data.channels=3)")
    if chose_preset:
        choices.append(f"preset {preset} (--preset takes another)")
    return f"{text}; {'; '.join(choices)}" if choices else text
