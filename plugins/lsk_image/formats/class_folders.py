"""A folder of class folders: `CLASS/*.png`, or `train/CLASS/*.png` and `test/CLASS/*.png`."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image

from ls_base.safe_open import read_bytes
from lsk_engine import InputError
from lsk_engine.data.formats.text_files import list_folder
from lsk_engine.data.lazy import LazyNotes
from lsk_engine.data.split_names import split_from_name, unique_splits
from lsk_image.formats.image_store import FORMATS, EncodedPixels
from lsk_image.source_data import ImageSource, LabeledImages


def read_class_folders(
    folder: Path,
    *,
    size: int | None = None,
    channels: int | None = None,
    classes: Sequence[str] | None = None,
) -> ImageSource:
    """Reads images by class.

    The classes are the folders in sorted order (those of `train`, where there are splits). Hidden
    files, and files whose suffix is that of no image, are left out.

    Args:
        folder: The folder.
        size: See `lsk_image.sources.load_source`.
        channels: Likewise.
        classes: Likewise.

    Raises:
        InputError: If there are fewer than two classes, a class without images, or a class in
            another split that `train` does not have.
    """
    splits, notes = split_folders(folder, new=classes is not None)
    known = folders_in(splits["train"]) if classes is None else list(classes)
    if len(known) < 2:
        raise InputError(
            "Expected at least two class folders, MNIST's idx files or .npz files in "
            f"{splits['train']}. Received: {', '.join(known) or 'no folders'}"
        )
    found = {
        split: _read(path, known, size, channels, some=classes is not None)
        for split, path in splits.items()
    }
    told = LazyNotes(
        lambda: (*notes, *(n for images in found.values() for n in images.pixels.notes))
    )
    return ImageSource(found, known, told)


def split_folders(folder: Path, *, new: bool = False) -> tuple[dict[str, Path], list[str]]:
    """Returns the folder of each split, and notes; without `train`, all is for training.

    Args:
        folder: The folder.
        new: Whether any split will do, `test` alone, say.

    Raises:
        InputError: If two folders are for one split, such as `val` and `dev`.
    """
    names = folders_in(folder)
    found = unique_splits([(split, n) for n in names if (split := split_from_name(n))], folder)
    if "train" not in found and not (new and found):
        return {"train": folder}, []
    others = [name for name in names if name not in found.values()]
    notes = [f"not read, of no split's name: {', '.join(others)}"] if others else []
    return {split: folder / name for split, name in found.items()}, notes


def _read(
    folder: Path, classes: list[str], size: int | None, channels: int | None, *, some: bool
) -> LabeledImages:
    unknown = sorted(set(folders_in(folder)) - set(classes))
    if unknown:
        raise InputError(
            f"Expected the classes of the training images: {', '.join(classes)}. "
            f"Received: {folder / unknown[0]}"
        )
    present = [name for name in classes if not some or (folder / name).is_dir()]
    if not present:
        raise InputError(
            f"Expected a folder of class folders, such as {folder / classes[0]}. "
            f"Received: {list_folder(folder)}"
        )
    files: list[Path] = []
    labels: list[int] = []
    for name in present:
        images = pictures_in(folder / name)
        if not images:
            raise InputError(f"Expected images in {folder / name}. Received: none")
        files += images
        labels += [classes.index(name)] * len(images)

    def read(rows: np.ndarray) -> list[bytes]:
        return [read_bytes(files[row], error=InputError) for row in rows]

    name = str(folder)
    pixels = EncodedPixels(read, len(files), lambda row: str(files[row]), size, channels, name)
    return LabeledImages(pixels, np.array(labels), name)


def pictures_in(folder: Path) -> list[Path]:
    """Returns the images in a folder, by name; none if there is no such folder."""
    suffixes = {s for s, known in Image.registered_extensions().items() if known in FORMATS}
    inside = folder.iterdir() if folder.is_dir() else ()
    return sorted(f for f in inside if f.suffix.lower() in suffixes and not f.name.startswith("."))


def folders_in(folder: Path) -> list[str]:
    """Returns the names of the folders in a folder, hidden ones left out, sorted."""
    return sorted(p.name for p in folder.iterdir() if p.is_dir() and not p.name.startswith("."))
