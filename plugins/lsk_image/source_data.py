"""What a source of images gives: labeled images in splits."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from lsk_engine import InputError
from lsk_image.formats.image_store import Pixels


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
        notes: What a report should say about the data; some of it is known of images that are kept.
    """

    splits: Mapping[str, LabeledImages]
    class_names: Sequence[str] | None = None
    notes: Sequence[str] = ()
