"""Labeled images by name: `digits`, a folder, an `.npz` file, or a TFDS data set."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ls_base.errors import InputError
from lsk_image.pixels import ArrayPixels, Pixels


@dataclass(frozen=True)
class LabeledImages:
    """One split.

    Attributes:
        pixels: The images.
        labels: Their classes, integers `(n,)`.
        name: What it is called in an error.
    """

    pixels: Pixels
    labels: np.ndarray
    name: str

    def __post_init__(self):
        if self.labels.ndim != 1 or not np.issubdtype(self.labels.dtype, np.integer):
            raise InputError(
                "Expected integer labels, one an image. Received: labels of shape "
                f"{self.labels.shape}, {self.labels.dtype} in {self.name}"
            )
        if len(self.pixels) != len(self.labels):
            raise InputError(
                "Expected as many labels as images. "
                f"Received: {len(self.labels)} and {len(self.pixels)} in {self.name}"
            )


@dataclass(frozen=True)
class ImageSource:
    """Labeled images in splits, as their source has them.

    Attributes:
        splits: `train`, and `validation` and `test` where there are.
        class_names: By label; `None`: numbers, up to the largest training label.
        notes: What a report should say about the data.
    """

    splits: Mapping[str, LabeledImages]
    class_names: Sequence[str] | None = None
    notes: tuple[str, ...] = ()


def load_source(
    name: str,
    *,
    size: int | None = None,
    channels: int | None = None,
    data_dir: str | Path | None = None,
) -> ImageSource:
    """Loads labeled images; those that memory holds are decoded at once.

    Args:
        name: `digits`, a path (with a separator, or existing), or `tfds:NAME`; any other name is
            looked for in TFDS too.
        size: Height and width that images are brought to; `None`: as they are.
        channels: 1 or 3, converted to; `None`: as they are.
        data_dir: Where TFDS data lie prepared; default `TFDS_DATA_DIR`, then TFDS's own.

    Raises:
        InputError: If there are no such data, or they are damaged; the file and row are named.
    """
    if name == "digits":
        return _digits(size, channels)
    path = Path(name).expanduser()
    if not name.startswith("tfds:") and _is_path(name):
        return _read_path(path, size, channels)
    from lsk_image.tfds_images import read_tfds

    return read_tfds(name.removeprefix("tfds:"), size=size, channels=channels, data_dir=data_dir)


def _is_path(name: str) -> bool:
    path = Path(name).expanduser()
    return path.exists() or path.is_absolute() or name.startswith((".", "~"))


def _read_path(path: Path, size: int | None, channels: int | None) -> ImageSource:
    if not path.exists():
        raise InputError(f"Expected a folder or an .npz file with images. Received: {path}")
    if path.is_file():
        from lsk_image.npz_images import read_npz_file

        return read_npz_file(path, size=size, channels=channels)
    names = [p.name for p in path.iterdir()]
    if any(n.startswith("train") and "ubyte" in n for n in names):
        from lsk_image.idx_images import read_idx_folder

        return read_idx_folder(path, size=size, channels=channels)
    if any(n.endswith(".npz") for n in names):
        from lsk_image.npz_images import read_npz_folder

        return read_npz_folder(path, size=size, channels=channels)
    from lsk_image.class_folders import read_class_folders

    return read_class_folders(path, size=size, channels=channels)


def _digits(size: int | None, channels: int | None) -> ImageSource:
    from sklearn.datasets import load_digits

    images, labels = load_digits(return_X_y=True)
    scaled = np.round(images.reshape(-1, 8, 8) * (255 / 16)).astype(np.uint8)
    pixels = ArrayPixels(scaled, "digits", size, channels)
    split = LabeledImages(pixels, labels.astype(np.int64), "digits")
    return ImageSource({"train": split}, [str(i) for i in range(10)])
