"""A folder of class folders: `CLASS/*.png`, or `train/CLASS/*.png` and `test/CLASS/*.png`."""

from pathlib import Path

import numpy as np
from PIL import Image

from ls_base.reading import read_bytes
from lsk_engine import InputError
from lsk_image.pixels import FORMATS, EncodedPixels
from lsk_image.source_data import ImageSource, LabeledImages

_SPLITS = {"train": ("train",), "validation": ("validation", "val"), "test": ("test",)}


def read_class_folders(
    folder: Path, *, size: int | None = None, channels: int | None = None
) -> ImageSource:
    """Reads images by class.

    The classes are the folders in sorted order (those of `train`, where there are splits). Hidden
    files, and files whose suffix is that of no image, are left out.

    Args:
        folder: The folder.
        size: See `lsk_image.sources.load_source`.
        channels: Likewise.

    Raises:
        InputError: If there are fewer than two classes, a class without images, or a class in
            another split that `train` does not have.
    """
    splits = {}
    for split, names in _SPLITS.items():
        found = [folder / name for name in names if (folder / name).is_dir()]
        if found:
            splits[split] = found[0]
    if "train" not in splits:
        splits = {"train": folder}
    classes = _folders(splits["train"])
    if len(classes) < 2:
        raise InputError(
            "Expected at least two class folders, MNIST's idx files or .npz files in "
            f"{splits['train']}. Received: {', '.join(classes) or 'no folders'}"
        )
    return ImageSource(
        {split: _read(path, classes, size, channels) for split, path in splits.items()}, classes
    )


def _read(
    folder: Path, classes: list[str], size: int | None, channels: int | None
) -> LabeledImages:
    unknown = sorted(set(_folders(folder)) - set(classes))
    if unknown:
        raise InputError(
            f"Expected the classes of the training images: {', '.join(classes)}. "
            f"Received: {folder / unknown[0]}"
        )
    suffixes = {s for s, known in Image.registered_extensions().items() if known in FORMATS}
    files: list[Path] = []
    labels: list[int] = []
    for label, name in enumerate(classes):
        inside = (folder / name).iterdir() if (folder / name).is_dir() else ()
        images = sorted(
            f for f in inside if f.suffix.lower() in suffixes and not f.name.startswith(".")
        )
        if not images:
            raise InputError(f"Expected images in {folder / name}. Received: none")
        files += images
        labels += [label] * len(images)

    def read(rows: np.ndarray) -> list[bytes]:
        return [read_bytes(files[row], error=InputError) for row in rows]

    pixels = EncodedPixels(read, len(files), lambda row: str(files[row]), size, channels)
    return LabeledImages(pixels.decoded(), np.array(labels), str(folder))


def _folders(folder: Path) -> list[str]:
    return sorted(p.name for p in folder.iterdir() if p.is_dir() and not p.name.startswith("."))
