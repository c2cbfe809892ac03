"""Images in NumPy's `.npz` files: arrays, or JPEG bytes one after another with their offsets."""

import itertools
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from ls_base.npz import ArraySpec, NpzArray, npz_names, open_npz
from lsk_engine import InputError
from lsk_engine.data.formats.ragged import check_offsets
from lsk_engine.data.formats.text_files import list_folder
from lsk_engine.data.lazy import LazyNotes
from lsk_engine.data.split_names import split_from_name, split_from_prefix, unique_splits
from lsk_image.formats.image_store import ArrayPixels, EncodedPixels, Pixels
from lsk_image.source_data import ImageSource, LabeledImages

_NAMES = ArraySpec("U", (None,))
_KNOWN = {
    **dict.fromkeys(("images", "jpeg", "offsets", "labels"), ArraySpec()),
    "class_names": _NAMES,
}


def read_npz_file(
    file: Path, *, size: int | None = None, channels: int | None = None, new: bool = False
) -> ImageSource:
    """Reads one file with `x_train`, `y_train`, `x_test`, `y_test`, as Keras's `mnist.npz` is.

    Args:
        file: The file.
        size: See `lsk_image.sources.load_source`.
        channels: Likewise.
        new: Whether any split will do, `test` alone, say.

    Raises:
        InputError: If arrays are missing or have the wrong shape.
    """
    names = npz_names(file, error=InputError)
    found = [
        (split, name[2:])
        for name in names
        if name[:2] == "x_" and (split := split_from_name(name[2:]))
    ]
    words = unique_splits(found, str(file))
    wanted = {f"{axis}_{word}": ArraySpec() for axis in "xy" for word in words.values()}
    arrays = _open(file, {**wanted, "class_names": _NAMES})
    if not words if new else "train" not in words:
        raise InputError(
            f"Expected x_train, y_train, x_test and y_test in {file}. "
            f"Received: {', '.join(sorted(names)) or 'no arrays'}"
        )
    splits = {}
    for split, word in words.items():
        pixels = ArrayPixels(arrays[f"x_{word}"], f"x_{word} of {file}", size, channels)
        labels = _array(arrays, f"y_{word}", file).read()
        if labels.ndim == 2 and labels.shape[1] == 1:  # as Keras's data sets have them
            labels = labels[:, 0]
        splits[split] = LabeledImages(pixels, labels, f"y_{word} of {file}")
    return ImageSource(splits, _class_names(arrays))


def read_npz_folder(
    folder: Path, *, size: int | None = None, channels: int | None = None, new: bool = False
) -> ImageSource:
    """Reads `train*.npz` and, where there are, `validation*.npz` and `test*.npz` of a folder.

    Splits are called as `lsk_engine.data.split_names` has it: `val_jpeg.npz` is of validation.

    Each holds `labels` and either `images`, uint8 `(n, height, width[, channels])`, or `jpeg`, the
    bytes of all encoded images together, with `offsets`, n + 1 integers: image i is
    `jpeg[offsets[i] : offsets[i + 1]]`. `class_names` is optional, and the same
    wherever it is.

    Args:
        folder: The folder.
        size: See `lsk_image.sources.load_source`.
        channels: Likewise.
        new: Whether any split will do, `test` alone, say.

    Raises:
        InputError: If a file is missing, can't be read or doesn't fit together, or if two name
            their classes differently.
    """
    splits, names, encoded = {}, {}, False
    notes: list[str] = []
    files, others = npz_files(folder, new=new)
    for split, file in files.items():
        arrays = _open(file, _KNOWN)
        encoded |= "jpeg" in arrays
        pixels = _pixels(arrays, file, size, channels)
        splits[split] = LabeledImages(pixels, _array(arrays, "labels", file).read(), str(file))
        names[split] = _class_names(arrays)
    if encoded:
        notes.append(
            "images decoded from JPEG, which is lossy: not the pixels of the original data set"
        )
    if others:
        notes.append(f"not read, of no split's name: {', '.join(others)}")
    told = LazyNotes(lambda: (*(n for s in splits.values() for n in s.pixels.notes), *notes))
    return ImageSource(splits, _one_list(names, files), told)


def npz_files(folder: Path, *, new: bool = False) -> tuple[dict[str, Path], list[str]]:
    """Returns the file of each split, and the names of `.npz` files that belong to none.

    Args:
        folder: The folder.
        new: As for `read_npz_folder`.

    Raises:
        InputError: If there is none for training, or are several for one split.
    """
    found: dict[str, list[str]] = {}
    others = []
    for name in sorted(file.name for file in folder.glob("*.npz")):
        split = split_from_prefix(name)
        if split is None:
            others.append(name)
        else:
            found.setdefault(split, []).append(name)
    if not found or not new:
        found.setdefault("train", [])
    for split, names in found.items():
        if len(names) != 1:
            received = ", ".join(names) or list_folder(folder)
            raise InputError(f"Expected one {split}*.npz in {folder}. Received: {received}")
    return {split: folder / names[0] for split, names in found.items()}, others


def _pixels(
    arrays: Mapping[str, NpzArray], file: Path, size: int | None, channels: int | None
) -> Pixels:
    if "images" in arrays:
        return ArrayPixels(arrays["images"], f"images of {file}", size, channels)
    jpeg, offsets = (_array(arrays, key, file) for key in ("jpeg", "offsets"))
    if jpeg.dtype != np.uint8 or jpeg.ndim != 1 or not np.issubdtype(offsets.dtype, np.integer):
        raise InputError(
            f"Expected jpeg, bytes (uint8), and integer offsets in {file}. "
            f"Received: {jpeg.dtype} of shape {jpeg.shape} and {offsets.dtype}"
        )
    ends = offsets.read().reshape(-1).astype(np.int64)
    check_offsets(ends, len(jpeg), str(file))

    def read(rows: np.ndarray) -> list[bytes]:
        return [jpeg[ends[row] : ends[row + 1]].tobytes() for row in rows]

    def name(row: int) -> str:
        return f"image {row} of {file}"

    return EncodedPixels(read, len(ends) - 1, name, size, channels, str(file))


def _open(file: Path, wanted: Mapping[str, ArraySpec]) -> dict[str, NpzArray]:
    return open_npz(file, wanted, optional=wanted, error=InputError)


def _array(arrays: Mapping[str, NpzArray], key: str, file: Path) -> NpzArray:
    if key not in arrays:
        raise InputError(f"Expected an array {key!r} in {file}. Received: {_listing(arrays)}")
    return arrays[key]


def _class_names(arrays: Mapping[str, NpzArray]) -> list[str] | None:
    return [str(name) for name in arrays["class_names"].read()] if "class_names" in arrays else None


def _one_list(names: Mapping[str, list[str] | None], files: Mapping[str, Path]) -> list[str] | None:
    """Returns the class names of all splits: those of training, where it has some."""
    named = {split: found for split, found in names.items() if found}
    if not named:
        return None
    first = "train" if "train" in named else next(iter(named))
    for split, found in named.items():
        for label, (one, other) in enumerate(itertools.zip_longest(named[first], found)):
            if one != other:
                raise InputError(
                    f"Expected class {label} to have one name in {files[first]} and "
                    f"{files[split]}. Received: {one!r} and {other!r}"
                )
    return named[first]


def _listing(arrays) -> str:
    return ", ".join(sorted(arrays)) or "no arrays"
