"""Labeled images by name: `digits`, a folder, an `.npz` file, or a TFDS data set."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from lsk_engine import InputError
from lsk_engine.settings.source_spec import path_or_name
from lsk_image.formats.class_folders import read_class_folders
from lsk_image.formats.idx_images import read_idx_folder
from lsk_image.formats.image_store import ArrayPixels
from lsk_image.formats.npz_images import read_npz_file, read_npz_folder
from lsk_image.formats.tfds_images import read_tfds
from lsk_image.source_data import ImageSource, LabeledImages


def load_source(
    name: str,
    *,
    size: int | None = None,
    channels: int | None = None,
    data_dir: str | Path | None = None,
    classes: Sequence[str] | None = None,
) -> ImageSource:
    """Loads labeled images; those that memory holds are decoded at once.

    Args:
        name: `digits`, or a path or name as `lsk_engine.settings.source_spec.path_or_name` has it.
        size: Height and width that images are brought to; `None`: as they are.
        channels: 1 or 3, converted to; `None`: as they are.
        classes: Of other images than a run's, the run's classes: any split will do then, and a
            folder may lack some of the classes.
        data_dir: Where TFDS data lie prepared; default `TFDS_DATA_DIR`, then TFDS's own.

    Raises:
        InputError: If there are no such data, or they are damaged; the file and row are named.
    """
    if name == "digits":
        return _digits(size, channels)
    found = path_or_name(name)
    if isinstance(found, Path):
        return _read_path(found, size, channels, classes)
    return read_tfds(found, size=size, channels=channels, data_dir=data_dir)


def _read_path(
    path: Path, size: int | None, channels: int | None, classes: Sequence[str] | None
) -> ImageSource:
    if not path.exists():
        raise InputError(f"Expected a folder or an .npz file with images. Received: {path}")
    if not path.is_dir():
        return read_npz_file(path, size=size, channels=channels, new=classes is not None)
    names = [p.name for p in path.iterdir()]
    if any(n.startswith("train") and "ubyte" in n for n in names):
        return read_idx_folder(path, size=size, channels=channels)
    if any(n.endswith(".npz") for n in names):
        return read_npz_folder(path, size=size, channels=channels, new=classes is not None)
    return read_class_folders(path, size=size, channels=channels, classes=classes)


def _digits(size: int | None, channels: int | None) -> ImageSource:
    from sklearn.datasets import load_digits

    images, labels = load_digits(return_X_y=True)
    scaled = np.round(images.reshape(-1, 8, 8) * (255 / 16)).astype(np.uint8)
    pixels = ArrayPixels(scaled, "digits", size, channels)
    split = LabeledImages(pixels, labels.astype(np.int64), "digits")
    return ImageSource({"train": split}, [str(i) for i in range(10)])
