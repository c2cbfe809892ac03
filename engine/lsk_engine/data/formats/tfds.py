"""Opening data sets of TensorFlow Datasets (TFDS) that are prepared on this machine."""

import difflib
import os
from collections.abc import Iterable, Iterator
from pathlib import Path

from ls_base.errors import InputError, MissingExtraError


def open_builder(
    name: str,
    *,
    extra: str,
    expected: str,
    build_options: str = "",
    data_dir: str | Path | None = None,
):
    """Opens a prepared data set; nothing is ever downloaded.

    Args:
        name: A name such as `cifar10`, or with a version, `cifar10:3.0.2`.
        extra: The extra of this package that installs TFDS, for the error if it is missing.
        expected: The valid names, for the error about an unknown one.
        build_options: Options of `tfds build`, for the error if the data set is not prepared.
        data_dir: The folder of the data; default: `TFDS_DATA_DIR`, else the default of TFDS.

    Returns:
        A `tfds.core.DatasetBuilder`.

    Raises:
        MissingExtraError: If TFDS is not installed.
        InputError: If the data set is unknown, can't be opened, or is not prepared.
    """
    try:
        import tensorflow_datasets as tfds
    except ImportError as error:  # pragma: no cover - the extra is installed where tests run
        raise MissingExtraError(
            f"Expected the {extra} extra: pip install 'ls-keras[{extra}]'. Received: {error}"
        ) from error
    try:
        # TFDS itself reads the variable only once, when it is imported.
        builder = tfds.builder(name, data_dir=data_dir or os.environ.get("TFDS_DATA_DIR"))
    except tfds.core.DatasetNotFoundError as error:
        dataset = name.partition("/")[0].partition(":")[0]
        near = difflib.get_close_matches(dataset, _known_names(tfds), n=3, cutoff=0.6)
        hint = f", did you mean {' or '.join(near)}?" if near else ""
        raise InputError(f"Expected {expected}. Received: {name!r}{hint}") from error
    except (ValueError, AssertionError, OSError, ImportError) as error:
        lines = str(error).strip().splitlines() or [type(error).__name__]
        raise InputError(
            f"Expected the name of a TFDS data set that can be opened. Received: {name!r}: "
            f"{lines[0][:200]}"
        ) from error
    if not builder.is_prepared():
        command = " ".join(filter(None, ("tfds build", name, build_options)))
        raise InputError(
            f"Expected the TFDS data set {name!r} prepared in {builder.data_dir}; nothing is "
            f"downloaded here. Prepare it where there is a network: `{command}`, then set "
            "TFDS_DATA_DIR. Received: no such data"
        )
    return builder


def find_split(builder, candidates: Iterable[str]) -> str | None:
    """Returns the first of `candidates` that is a split of the data set, or `None`."""
    available = list(builder.info.splits)
    return next((candidate for candidate in candidates if candidate in available), None)


def missing_split(builder, name: str, split: str) -> InputError:
    """Returns the error about a missing split, which names the available ones."""
    available = ", ".join(builder.info.splits) or "none"
    return InputError(
        f"Expected a {split} split in the TFDS data set {name!r}. Received: {available}"
    )


def read_split(builder, split: str) -> Iterator:
    """Yields the examples of a split in order; TensorFlow is needed for TFRecord files only.

    Args:
        builder: The data set.
        split: One of its splits.

    Raises:
        MissingExtraError: If TensorFlow is needed and not installed.
    """
    if builder.info.file_format.value == "array_record":
        source = builder.as_data_source(split)
        return (source[index] for index in range(len(source)))
    return read_in_order(builder, split)


def read_in_order(builder, split: str, **options):
    """Returns the examples of files without random access, in order, read by TensorFlow.

    Args:
        builder: The data set.
        split: One of its splits.
        **options: Options of `as_dataset`.

    Raises:
        MissingExtraError: If TensorFlow is not installed.
    """
    try:
        import tensorflow  # noqa: F401
    except ImportError as error:
        raise MissingExtraError(
            f"Expected TensorFlow to read {builder.info.file_format.value} files, or data prepared "
            f"as array_record. Received: {error}"
        ) from error
    import tensorflow_datasets as tfds

    return iter(tfds.as_numpy(builder.as_dataset(split, shuffle_files=False, **options)))


def _known_names(tfds) -> list[str]:
    try:
        return tfds.list_builders()
    except ImportError:  # it needs TensorFlow
        return []
