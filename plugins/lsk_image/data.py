"""Labeled images as examples: splits, checks, and what is held out."""

import dataclasses
import functools
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from ls_base.process import num_cores
from lsk_engine import Config, Examples, InputError, TaskData
from lsk_engine.data.lazy import LazyNotes, LazySplits, lazy_array, map_splits
from lsk_engine.data.random_splits import draw_rows
from lsk_engine.data.split_names import splits_to_score
from lsk_engine.tasks.class_ids import class_names, named_classes, near_of_many
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
        self.source, self.pixels = images, images.pixels
        self.rows = np.arange(len(images.labels)) if rows is None else rows
        self.labels = images.labels[self.rows].astype(np.int32)
        self.references = self.labels.tolist()

    @property
    def shape(self) -> tuple[int, int, int]:
        """`(height, width, channels)`."""
        return self.pixels.shape

    @property
    def workers(self) -> int:  # type: ignore[override]
        """As many as there are cores, where a batch is decoded when it is asked for."""
        return num_cores() if self.pixels.decodes else 1

    def __len__(self) -> int:
        return len(self.labels)

    def take(self, rows: np.ndarray) -> "Images":
        """Returns the images `rows` as a split of their own."""
        return Images(self.source, self.rows[rows])

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

    def checked(name: str, images: LabeledImages) -> LabeledImages:
        _check_labels(images, num_classes)
        return images

    source = dataclasses.replace(source, splits=map_splits(source.splits, checked))
    splits, notes = split_images(source, options)
    names = source.class_names or [str(label) for label in range(num_classes)]
    return _task_data(splits, names, splits.keys(), (source.notes, notes))


def load_new(config: Config, artifacts: Mapping[str, bytes]) -> TaskData:
    """Loads other images than a run's, in their own splits or, without any, as `all`.

    Args:
        config: The run's, with the other source.
        artifacts: The run's, which have the names of its classes.

    Raises:
        InputError: If the run doesn't say what its classes are, or the images have others.
    """
    names, options = class_names(artifacts), config.data
    source = load_source(
        options.source, size=options.size, channels=options.channels, classes=names
    )
    splits = map_splits(
        source.splits,
        lambda name, images: Images(with_ids_of(names, images, source.class_names)),
    )
    scored = [name for name in splits_to_score(splits) if name != "train"]
    data = _task_data(splits, names, scored, (source.notes, ()))
    return dataclasses.replace(data, splits=splits_to_score(data.splits))


def with_ids_of(
    names: Sequence[str], images: LabeledImages, own_names: Sequence[str] | None
) -> LabeledImages:
    """Returns images with a run's class ids; without names of their own, they have them already.

    Args:
        names: The run's classes.
        images: Images.
        own_names: Their classes, of which each has to be one of the run's.
    """
    if own_names is None or list(own_names) == list(names):
        return images
    unknown = [name for name in own_names if name not in names]
    if unknown:
        raise InputError(f"Expected the classes of the run. {near_of_many(unknown[0], names)}")
    _check_labels(images, len(own_names))
    ids = np.array([list(names).index(name) for name in own_names])
    return dataclasses.replace(images, labels=ids[images.labels])


def _task_data(
    splits: Mapping[str, Images],
    names: Sequence[str],
    noted: Iterable[str],
    notes: tuple[Sequence[str], Sequence[str]],
) -> TaskData:
    """Returns data of which labels are known, and pixels are decoded for what is asked for.

    Args:
        splits: The splits.
        names: The classes.
        noted: The splits whose pixels the notes are about.
        notes: Of the source, and on what was drawn.
    """
    first: list[tuple[int, int, int]] = []

    def ready(name: str, images: Any) -> Examples:
        _check_labels(images.source, len(names))
        first.append(images.shape)  # of the split that is loaded first: in training, of `train`
        _check_shape(images.source, first[0])
        images.pixels.keep(images.rows)
        return images

    lazy = map_splits(splits, ready)

    def all_notes() -> Iterator[str]:
        for name in noted:
            lazy.get(name)
        yield from (note for some in notes for note in some)

    train = "train" if "train" in splits else next(iter(splits))
    return TaskData(
        splits=lazy,
        num_classes=len(names),
        ignore_class=None,
        class_names=list(names),
        class_counts=lazy_array(lambda: np.bincount(splits[train].labels, minlength=len(names))),
        artifacts=named_classes(names),
        notes=LazyNotes(all_notes),
    )


def split_images(
    source: ImageSource, options: DataConfig
) -> tuple[LazySplits[Images], Sequence[str]]:
    """Draws validation and test images from the training images, where the source has none.

    Args:
        source: The source.
        options: How many, and the seed of the draw.

    Returns:
        The splits `train`, `validation` and `test`, each of which is read when it is asked for, and
        notes.

    Raises:
        InputError: If nothing would be left to train on, once something is drawn.
    """
    missing = {}
    if "test" not in source.splits:
        missing["test"] = options.test
    if "validation" not in source.splits or options.validation:
        missing["validation"] = options.validation

    @functools.cache
    def drawn() -> tuple[dict[str, np.ndarray], list[str]]:
        return draw_rows(
            len(source.splits["train"].labels),
            missing,
            seed=options.split_seed,
            examples=options.max_train_examples,
            noun="images",
        )

    def load_split(name: str) -> Images:
        if name == "train" or name in missing:
            return Images(source.splits["train"], drawn()[0][name])
        return Images(source.splits[name])

    def notes() -> Iterator[str]:
        yield from drawn()[1]
        for name in ("validation", "test"):
            count = getattr(options, name)
            if name in source.splits and count is not None:
                setting = f"data.{name}={count}"
                effect = (
                    f"are left out ({setting})" if name in missing else f"; {setting} has no effect"
                )
                own = len(source.splits[name].labels)
                yield f"{name}: the data's own {own:,} images {effect}"

    splits = ("train", "validation", "test")
    loaders = {name: functools.partial(load_split, name) for name in splits}
    return LazySplits(loaders), LazyNotes(notes)


def _num_classes(source: ImageSource) -> int:
    if source.class_names is not None:
        count = len(source.class_names)
    else:
        count = int(source.splits["train"].labels.max()) + 1
    if count < 2:
        raise InputError(f"Expected at least two classes. Received: {count}")
    return count


def _check_labels(images: LabeledImages, num_classes: int) -> None:
    wrong = np.flatnonzero((images.labels < 0) | (images.labels >= num_classes))
    if len(wrong):
        raise InputError(
            f"Expected labels in [0, {num_classes}). "
            f"Received: {images.labels[wrong[0]]} at row {wrong[0]} of {images.name}"
        )


def _check_shape(images: LabeledImages, shape: tuple[int, int, int]) -> None:
    if images.pixels.shape != shape:
        raise InputError(
            f"Expected images of shape {shape} as in training, or data.size and data.channels. "
            f"Received: {images.pixels.shape} in {images.name}"
        )
