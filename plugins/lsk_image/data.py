"""Loads labeled images and draws the splits that a source lacks."""

import dataclasses
import functools
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ls_base.process import num_cores
from lsk_engine import Config, Examples, InputError, TaskData
from lsk_engine.data.lazy import LazyNotes, LazySplits, lazy_array, map_splits
from lsk_engine.data.splits import draw_rows, splits_to_score
from lsk_engine.settings.source_spec import path_or_name
from lsk_engine.tasks.class_ids import class_names, count_classes, named_classes, near_of_many
from lsk_image.config import DataConfig
from lsk_image.formats.array_files import read_idx_folder, read_npz_file, read_npz_folder
from lsk_image.formats.class_folders import read_class_folders
from lsk_image.formats.image_store import ArrayPixels, ImageSource, LabeledImages
from lsk_image.formats.tfds_images import read_tfds


def load_source(
    name: str,
    *,
    size: int | None = None,
    channels: int | None = None,
    data_dir: str | Path | None = None,
    classes: Sequence[str] | None = None,
) -> ImageSource:
    """Opens labeled images by name.

    Args:
        name: `digits`, or a path or name as for `lsk_engine.settings.source_spec.path_or_name`.
        size: Height and width that images are resized to; `None` keeps their size.
        channels: 1 or 3, to convert to; `None` keeps their channels.
        data_dir: Folder of TFDS data; default `TFDS_DATA_DIR`, then TFDS's own.
        classes: The classes of a finished run, to open new images for it: any split will do, and a
            folder may lack some classes.

    Raises:
        InputError: If there are no such data, or they are damaged; it names the file and row.
    """
    if name == "digits":
        return _load_digits(size, channels)
    found = path_or_name(name)
    options: dict[str, Any] = {"size": size, "channels": channels}
    if not isinstance(found, Path):
        return read_tfds(found, **options, data_dir=data_dir)
    if not found.exists():
        raise InputError(f"Expected a folder or an .npz file with images. Received: {found}")
    if not found.is_dir():
        return read_npz_file(found, **options, any_split=classes is not None)
    names = [path.name for path in found.iterdir()]
    if any(name.startswith("train") and "ubyte" in name for name in names):
        return read_idx_folder(found, **options)
    if any(name.endswith(".npz") for name in names):
        return read_npz_folder(found, **options, any_split=classes is not None)
    return read_class_folders(found, **options, classes=classes)


def _load_digits(size: int | None, channels: int | None) -> ImageSource:
    from sklearn.datasets import load_digits

    images, labels = load_digits(return_X_y=True)
    scaled = np.round(images.reshape(-1, 8, 8) * (255 / 16)).astype(np.uint8)
    pixels = ArrayPixels(scaled, "digits", size, channels)
    split = LabeledImages(pixels, labels.astype(np.int64), "digits")
    return ImageSource({"train": split}, [str(i) for i in range(10)])


class Images(Examples):
    """Images of one split with their labels; pixels stay uint8.

    Args:
        images: Images and labels.
        rows: The rows that belong to the split; `None`: all.
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
        """Number of batches to load in parallel: the cores, if images are decoded per batch."""
        return num_cores() if self.pixels.decodes else 1

    def __len__(self) -> int:
        return len(self.labels)

    def take(self, rows: np.ndarray) -> "Images":
        """Returns a subset as a split."""
        return Images(self.source, self.rows[rows])

    def gather(
        self, rows: np.ndarray, size: int | None
    ) -> tuple[dict[str, np.ndarray], np.ndarray]:
        """Returns the images and labels of `rows`; all have one shape, so `size` is `None`."""
        return {"image": self.pixels.gather(self.rows[rows])}, self.labels[rows]


def load(config: Config, artifacts: Mapping[str, bytes] | None = None) -> TaskData:
    """Loads the data of a configuration; draws validation and test images if there are none."""
    options = config.data
    source = _open_source(options)
    num_classes = _num_classes(source)

    def checked(name: str, images: LabeledImages) -> LabeledImages:
        _check_labels(images, num_classes)
        return images

    source = dataclasses.replace(source, splits=map_splits(source.splits, checked))
    splits, notes = split_images(source, options)
    names = source.class_names or [str(label) for label in range(num_classes)]
    return _task_data(splits, names, splits.keys(), (source.notes, notes))


def load_new(config: Config, artifacts: Mapping[str, bytes]) -> TaskData:
    """Loads new images for a finished run, in their own splits or, if they have none, as `all`.

    Args:
        config: The run's configuration with the new source.
        artifacts: The run's artifacts, which name its classes.

    Raises:
        InputError: If the run does not name its classes, or the images have others.
    """
    names = class_names(artifacts)
    source = _open_source(config.data, names)
    splits = map_splits(
        source.splits,
        lambda name, images: Images(use_class_ids(names, images, source.class_names)),
    )
    scored = [name for name in splits_to_score(splits) if name != "train"]
    data = _task_data(splits, names, scored, (source.notes, ()))
    return dataclasses.replace(data, splits=splits_to_score(data.splits))


def _open_source(options: DataConfig, classes: Sequence[str] | None = None) -> ImageSource:
    source = load_source(
        options.source, size=options.size, channels=options.channels, classes=classes
    )
    if not options.skip_unreadable:
        return source
    splits = map_splits(source.splits, lambda name, images: images.without_unreadable())
    notes = LazyNotes(
        lambda: (*source.notes, *(n for images in splits.values() for n in images.pixels.notes))
    )
    return ImageSource(splits, source.class_names, notes)


def use_class_ids(
    names: Sequence[str], images: LabeledImages, own_names: Sequence[str] | None
) -> LabeledImages:
    """Returns images with a run's class ids; images without class names have them already.

    Args:
        names: The run's classes.
        images: Images.
        own_names: The images' classes; each has to be one of the run's.
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
    """Builds the task data: labels are known at once, pixels are decoded when a split is used.

    Args:
        splits: The splits.
        names: The classes.
        noted: Splits to load before the notes are complete.
        notes: Notes of the source, and on drawn splits.
    """
    first: list[tuple[int, int, int]] = []

    def prepare(name: str, images: Any) -> Examples:
        _check_labels(images.source, len(names))
        first.append(images.shape)  # of the split that is loaded first; in training, `train`
        _check_shape(images.source, first[0])
        images.pixels.keep(images.rows)
        return images

    lazy = map_splits(splits, prepare)

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
    """Draws validation and test images from the training images if the source has none.

    Args:
        source: The source.
        options: The numbers to draw, and the seed.

    Returns:
        The splits `train`, `validation` and `test`, read when they are first used, and notes.

    Raises:
        InputError: If nothing is left to train on; raised when a drawn split is first used.
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
        count = count_classes(int(source.splits["train"].labels.max()))
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
