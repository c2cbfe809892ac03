"""Images from TensorFlow Datasets that are prepared on this machine."""

import difflib
import functools
import os
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from ls_keras.errors import InputError, MissingExtraError
from lsk_image.pixels import EncodedPixels
from lsk_image.sources import ImageSource, LabeledImages

_SPLITS = {"train": ("train",), "validation": ("validation", "val", "valid"), "test": ("test",)}
READ_AT_ONCE = 2**31  # bytes of a data set without random access that memory is filled with

Read = Callable[[np.ndarray], Sequence[bytes]]


def read_tfds(
    name: str,
    *,
    size: int | None = None,
    channels: int | None = None,
    data_dir: str | Path | None = None,
) -> ImageSource:
    """Opens a prepared TFDS data set; nothing is ever downloaded.

    array_record files are read row by row, when a batch asks for them. TFRecord files have no
    random access: a data set of up to 2 GiB is read once, a larger one refused. Labels are read
    at once in either case, for which all records are read through.

    A test split without labels (−1, as in imagenet2012) is left out; where there is no other, the
    validation split becomes the test split.

    Args:
        name: Such as `cifar10`, or with a version, `cifar10:3.0.2`.
        size: See `lsk_image.sources.load_source`.
        channels: Likewise; `None`: as the data set's feature says.
        data_dir: Where the data lie; default `TFDS_DATA_DIR` as it is set now, then TFDS's own.

    Raises:
        InputError: If the data set is unknown, not prepared, too large to be read at once, or has
            no images and labels.
    """
    try:
        import tensorflow_datasets as tfds
    except ImportError as error:  # pragma: no cover - the extra is installed where tests run
        raise MissingExtraError(
            f"Expected the image extra: pip install 'ls-keras[image]'. Received: {error}"
        ) from error
    # TFDS itself reads the variable only once, when it is imported.
    builder = _builder(tfds, name, data_dir or os.environ.get("TFDS_DATA_DIR"))
    if not builder.is_prepared():
        raise InputError(
            f"Expected the TFDS data set {name!r} prepared in {builder.data_dir}; nothing is "
            f"downloaded here. Prepare it where there is a network: `tfds build {name} "
            "--file_format=array_record`, then set TFDS_DATA_DIR. Received: no such data"
        )
    image, label = _keys(tfds, builder)
    feature = builder.info.features[image]
    channels = channels or (feature.shape[-1] if feature.shape[-1] in (1, 3) else None)
    available = list(builder.info.splits)
    splits = {}
    for split, candidates in _SPLITS.items():
        found = next((candidate for candidate in candidates if candidate in available), None)
        if found is None:
            continue
        where = f"the {found} split of {name}"
        read, labels = _records(tfds, builder, found, image, label)
        if not (labels < 0).any():
            pixels = EncodedPixels(
                read,
                len(labels),
                functools.partial(_row_name, where),
                size,
                channels,
            )
            splits[split] = LabeledImages(pixels.decoded(), labels, where)
    if "train" not in splits:
        raise InputError(
            f"Expected a train split in the TFDS data set {name!r}. "
            f"Received: {', '.join(available) or 'none'}"
        )
    if "test" not in splits and "validation" in splits:
        splits["test"] = splits.pop("validation")
    names = builder.info.features[label].names
    return ImageSource(splits, names, (f"TFDS {builder.info.full_name}",))


def _row_name(where: str, row: int) -> str:
    return f"image {row} of {where}"


def _builder(tfds, name: str, folder: str | Path | None):
    try:
        return tfds.builder(name, data_dir=folder)
    except tfds.core.DatasetNotFoundError as error:
        dataset = name.partition("/")[0].partition(":")[0]
        near = difflib.get_close_matches(dataset, _known_names(tfds), n=3, cutoff=0.6)
        hint = f", did you mean {' or '.join(near)}?" if near else ""
        raise InputError(
            "Expected digits, the path of a folder or file, or the name of a TFDS data set. "
            f"Received: {name!r}{hint}"
        ) from error
    except (ValueError, AssertionError, OSError, ImportError) as error:
        lines = str(error).strip().splitlines() or [type(error).__name__]
        raise InputError(
            f"Expected the name of a TFDS data set that can be opened. Received: {name!r}: "
            f"{lines[0][:200]}"
        ) from error


def _known_names(tfds) -> list[str]:
    try:
        return tfds.list_builders()
    except ImportError:  # it needs TensorFlow
        return []


def _keys(tfds, builder) -> tuple[str, str]:
    """Returns the keys of the image and of the label."""
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


def _records(tfds, builder, split: str, image: str, label: str) -> tuple[Read, np.ndarray]:
    """Returns what reads encoded images by row, and all labels."""
    decoders = {image: tfds.decode.SkipDecoding()}
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
    try:
        import tensorflow  # noqa: F401
    except ImportError as error:
        raise MissingExtraError(
            f"Expected TensorFlow to read {builder.info.file_format.value} files, or data prepared "
            f"as array_record. Received: {error}"
        ) from error
    records = tfds.as_numpy(builder.as_dataset(split, shuffle_files=False, decoders=decoders))
    images, numbers = zip(*((bytes(r[image]), int(r[label])) for r in records), strict=True)
    return lambda rows: [images[row] for row in rows], np.array(numbers)
