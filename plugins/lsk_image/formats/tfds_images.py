"""Images from TensorFlow Datasets that are prepared on this machine."""

import functools
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from lsk_engine import InputError
from lsk_engine.data.formats.tfds import find_split, missing_split, open_builder, read_in_order
from lsk_engine.data.lazy import LazySplits
from lsk_engine.data.splits import SPLIT_NAMES
from lsk_image.formats.image_store import EncodedPixels, ImageSource, LabeledImages

READ_AT_ONCE = 2**31  # bytes; larger data sets need random access

Read = Callable[[np.ndarray], Sequence[bytes]]


def read_tfds(
    name: str,
    *,
    size: int | None = None,
    channels: int | None = None,
    data_dir: str | Path | None = None,
) -> ImageSource:
    """Opens a prepared TFDS data set; nothing is downloaded.

    array_record files are read row by row when a batch needs them. TFRecord files have no random
    access: up to 2 GiB of them are read at once, more are refused. The labels of a split are read
    when the split is first used, which reads all its records.

    A test split without labels (its first is −1, as in imagenet2012) is left out; without another
    one, the validation split becomes the test split.

    Args:
        name: Such as `cifar10`, or with a version, `cifar10:3.0.2`.
        size: As for `lsk_image.data.load_source`.
        channels: As for `load_source`; `None`: those of the data set's image feature.
        data_dir: Folder of the data sets; default `TFDS_DATA_DIR`, then TFDS's own.

    Raises:
        InputError: If the data set is unknown, not prepared, too large to be read at once, or has
            no images and labels.
    """
    builder = open_builder(
        name,
        extra="image",
        expected="digits, the path of a folder or file, or the name of a TFDS data set",
        build_options="--file_format=array_record",
        data_dir=data_dir,
    )
    image, label = _keys(builder)
    feature = builder.info.features[image]
    channels = channels or (feature.shape[-1] if feature.shape[-1] in (1, 3) else None)

    def read_images(found: str) -> LabeledImages:
        where = f"the {found} split of {name}"
        read, labels = _records(builder, found, image, label)
        name_row = functools.partial(_row_name, where)
        return LabeledImages(
            EncodedPixels(read, len(labels), name_row, size, channels), labels, where
        )

    splits = {}
    for split, candidates in SPLIT_NAMES.items():
        found = find_split(builder, candidates)
        if found is not None and _has_labels(builder, found, image, label):
            splits[split] = functools.partial(read_images, found)
    if "train" not in splits:
        raise missing_split(builder, name, "train")
    if "test" not in splits and "validation" in splits:
        splits["test"] = splits.pop("validation")
    names = builder.info.features[label].names
    return ImageSource(LazySplits(splits), names, (f"TFDS {builder.info.full_name}",))


def _has_labels(builder, split: str, image: str, label: str) -> bool:
    decoders = {image: _decode().SkipDecoding()}
    if builder.info.file_format.value == "array_record":
        source = builder.as_data_source(split, decoders=decoders)
        return not len(source) or int(source[0][label]) >= 0
    first = next(read_in_order(builder, split, decoders=decoders), None)
    return first is None or int(first[label]) >= 0


def _decode():
    """Imports TFDS's decoders, only when they are needed."""
    import tensorflow_datasets as tfds

    return tfds.decode


def _row_name(where: str, row: int) -> str:
    return f"image {row} of {where}"


def _keys(builder) -> tuple[str, str]:
    """Returns the keys of the image and of the label."""
    import tensorflow_datasets as tfds

    features = builder.info.features
    kinds = {"image": tfds.features.Image, "label": tfds.features.ClassLabel}
    found = {
        kind: [key for key in features if isinstance(features[key], feature)]
        for kind, feature in kinds.items()
    }
    for kind, keys in found.items():
        if kind not in keys and len(keys) != 1:
            raise InputError(
                f"Expected a feature {kind!r} in the TFDS data set {builder.name!r}, or one of its "
                f"kind. Received: {', '.join(features)}"
            )
    return tuple(kind if kind in keys else keys[0] for kind, keys in found.items())  # type: ignore


def _records(builder, split: str, image: str, label: str) -> tuple[Read, np.ndarray]:
    """Returns a function that reads encoded images by row, and all labels."""
    decoders = {image: _decode().SkipDecoding()}
    if builder.info.file_format.value == "array_record":
        source = builder.as_data_source(split, decoders=decoders)
        labels = np.array([int(source[row][label]) for row in range(len(source))])
        return lambda rows: [source[int(row)][image] for row in rows], labels
    if builder.info.splits[split].num_bytes > READ_AT_ONCE:
        raise InputError(
            f"Expected array_record files, which can be read row by row: `tfds build "
            f"{builder.name} --file_format=array_record`. Received: "
            f"{builder.info.splits[split].num_bytes / 2**30:.0f} GiB of "
            f"{builder.info.file_format.value}"
        )
    records = read_in_order(builder, split, decoders=decoders)
    images, numbers = zip(*((bytes(r[image]), int(r[label])) for r in records), strict=True)
    return lambda rows: [images[row] for row in rows], np.array(numbers)
