"""Images in class folders: `CLASS/*.png`, or `train/CLASS/*.png` and `test/CLASS/*.png`."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image

from ls_base.safe_open import read_bytes
from lsk_engine import InputError
from lsk_engine.data.formats.text_files import list_folder
from lsk_engine.data.lazy import LazyNotes
from lsk_engine.data.splits import split_from_name, unique_splits
from lsk_image.formats.decode import FORMATS
from lsk_image.formats.image_store import EncodedPixels, ImageSource, LabeledImages


def read_class_folders(
    folder: Path,
    *,
    size: int | None = None,
    channels: int | None = None,
    classes: Sequence[str] | None = None,
) -> ImageSource:
    """Lists the images of each class; they are read when they are needed.

    The classes are the folders in sorted order (those of `train`, if there are splits). Hidden
    files and files without an image's suffix are ignored.

    Args:
        folder: The folder.
        size: As for `lsk_image.data.load_source`.
        channels: As for `load_source`.
        classes: As for `load_source`.

    Raises:
        InputError: If there are fewer than two classes, a class without images, or a class that
            the training split does not have.
    """
    splits, notes = find_split_folders(folder, any_split=classes is not None)
    known = list_folders(splits["train"]) if classes is None else list(classes)
    if len(known) < 2:
        raise InputError(
            "Expected at least two class folders, MNIST's idx files or .npz files in "
            f"{splits['train']}. Received: {', '.join(known) or 'no folders'}"
        )
    found = {
        split: _read_split(path, known, size, channels, subset=classes is not None)
        for split, path in splits.items()
    }
    all_notes = LazyNotes(
        lambda: (*notes, *(n for images in found.values() for n in images.pixels.notes))
    )
    return ImageSource(found, known, all_notes)


def find_split_folders(
    folder: Path, *, any_split: bool = False
) -> tuple[dict[str, Path], list[str]]:
    """Returns the folder of each split, and notes; a folder without splits is all `train`.

    Args:
        folder: The folder.
        any_split: Whether `train` may be missing.

    Raises:
        InputError: If two folders are for one split, such as `val` and `dev`.
    """
    names = list_folders(folder)
    found = unique_splits([(s, n) for n in names if (s := split_from_name(n))], folder)
    if "train" not in found and not (any_split and found):
        return {"train": folder}, []
    others = [name for name in names if name not in found.values()]
    notes = [f"folders that name no split are not read: {', '.join(others)}"] if others else []
    return {split: folder / name for split, name in found.items()}, notes


def list_images(folder: Path) -> list[Path]:
    """Returns the images in a folder, sorted by name; none if there is no such folder."""
    suffixes = {s for s, known in Image.registered_extensions().items() if known in FORMATS}
    inside = folder.iterdir() if folder.is_dir() else ()
    return sorted(f for f in inside if f.suffix.lower() in suffixes and not f.name.startswith("."))


def list_folders(folder: Path) -> list[str]:
    """Returns the names of the folders in a folder, sorted, without hidden ones."""
    return sorted(p.name for p in folder.iterdir() if p.is_dir() and not p.name.startswith("."))


def _read_split(
    folder: Path, classes: list[str], size: int | None, channels: int | None, *, subset: bool
) -> LabeledImages:
    unknown = sorted(set(list_folders(folder)) - set(classes))
    if unknown:
        raise InputError(
            f"Expected the classes of the training images: {', '.join(classes)}. "
            f"Received: {folder / unknown[0]}"
        )
    present = [name for name in classes if not subset or (folder / name).is_dir()]
    if not present:
        raise InputError(
            f"Expected a folder of class folders, such as {folder / classes[0]}. "
            f"Received: {list_folder(folder)}"
        )
    files: list[Path] = []
    labels: list[int] = []
    for name in present:
        images = list_images(folder / name)
        if not images:
            raise InputError(f"Expected images in {folder / name}. Received: none")
        files += images
        labels += [classes.index(name)] * len(images)

    def read(rows: np.ndarray) -> list[bytes]:
        return [read_bytes(files[row], error=InputError) for row in rows]

    name = str(folder)
    pixels = EncodedPixels(read, len(files), lambda row: str(files[row]), size, channels, name)
    return LabeledImages(pixels, np.array(labels), name)
