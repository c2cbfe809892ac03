"""Labeled images as examples: splits, checks, and what is held out."""

from collections.abc import Mapping

import numpy as np

from lsk_engine import Config, Examples, InputError, TaskData
from lsk_engine.data.held_out import draw_rows
from lsk_image.config import DataConfig
from lsk_image.source_data import ImageSource, LabeledImages
from lsk_image.sources import load_source


class Images(Examples):
    """Some images of a split with their labels; pixels stay uint8.

    Args:
        images: The images and labels.
        rows: Which of them; `None`: all.
    """

    def __init__(self, images: LabeledImages, rows: np.ndarray | None = None):
        self.pixels = images.pixels
        self.rows = np.arange(len(images.labels)) if rows is None else rows
        self.labels = images.labels[self.rows].astype(np.int32)
        self.references = self.labels.tolist()

    @property
    def shape(self) -> tuple[int, int, int]:
        """`(height, width, channels)`."""
        return self.pixels.shape

    def __len__(self) -> int:
        return len(self.labels)

    def gather(
        self, rows: np.ndarray, size: int | None
    ) -> tuple[dict[str, np.ndarray], np.ndarray]:
        """Returns the images and labels of `rows`; all have one shape, so `size` is `None`."""
        return {"image": self.pixels.gather(self.rows[rows])}, self.labels[rows]


def load(config: Config, artifacts: Mapping[str, bytes] | None = None) -> TaskData:
    """Loads the source and holds out what it has no split for."""
    options = config.data
    source = load_source(options.source, size=options.size, channels=options.channels)
    num_classes = _num_classes(source)
    for images in source.splits.values():
        _check(images, num_classes, source.splits["train"].pixels.shape)
    splits, notes = split_images(source, options)
    train = splits["train"]
    names = source.class_names or [str(label) for label in range(num_classes)]
    return TaskData(
        splits=splits,
        num_classes=num_classes,
        ignore_class=None,
        class_names=list(names),
        class_counts=np.bincount(train.labels, minlength=num_classes),
        notes=(*source.notes, *notes),
    )


def split_images(source: ImageSource, options: DataConfig) -> tuple[dict[str, Images], list[str]]:
    """Draws validation and test images from the training images, where the source has none.

    Args:
        source: The source.
        options: How many, and the seed of the draw.

    Returns:
        The splits `train`, `validation` and `test`, and notes.

    Raises:
        InputError: If nothing would be left to train on.
    """
    splits = {name: Images(images) for name, images in source.splits.items() if name != "train"}
    missing = {}
    if "test" not in splits:
        missing["test"] = options.test
    if "validation" not in splits or options.validation:
        missing["validation"] = options.validation
    train = source.splits["train"]
    rows, notes = draw_rows(
        len(train.labels),
        missing,
        seed=options.split_seed,
        examples=options.examples,
        noun="images",
    )
    splits |= {name: Images(train, drawn) for name, drawn in rows.items()}
    return {name: splits[name] for name in ("train", "validation", "test")}, notes


def _num_classes(source: ImageSource) -> int:
    if source.class_names is not None:
        count = len(source.class_names)
    else:
        count = int(source.splits["train"].labels.max()) + 1
    if count < 2:
        raise InputError(f"Expected at least two classes. Received: {count}")
    return count


def _check(images: LabeledImages, num_classes: int, shape: tuple[int, int, int]) -> None:
    wrong = np.flatnonzero((images.labels < 0) | (images.labels >= num_classes))
    if len(wrong):
        raise InputError(
            f"Expected labels in [0, {num_classes}). "
            f"Received: {images.labels[wrong[0]]} at row {wrong[0]} of {images.name}"
        )
    if images.pixels.shape != shape:
        raise InputError(
            f"Expected images of shape {shape} as in training, or data.size and data.channels. "
            f"Received: {images.pixels.shape} in {images.name}"
        )
