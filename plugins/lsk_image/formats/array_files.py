"""Images in array files: MNIST's idx format and NumPy's `.npz`."""

import itertools
import math
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from ls_base.npz import ArraySpec, NpzArray, npz_names, open_npz
from lsk_engine import InputError
from lsk_engine.data.formats.ragged import check_offsets
from lsk_engine.data.formats.text_files import list_folder, read_file
from lsk_engine.data.lazy import LazyNotes
from lsk_engine.data.splits import split_from_name, split_from_prefix, unique_splits
from lsk_image.formats.image_store import (
    ArrayPixels,
    EncodedPixels,
    ImageSource,
    LabeledImages,
    Pixels,
)

_PREFIXES = {"train": "train", "test": "t10k"}
_KINDS = {"images": 3, "labels": 1}  # rank


def read_idx_folder(
    folder: Path, *, size: int | None = None, channels: int | None = None
) -> ImageSource:
    """Reads `train-images-idx3-ubyte`, `train-labels-idx1-ubyte` and the `t10k-…` of a folder.

    Args:
        folder: The folder; each file plain or `.gz`.
        size: As for `lsk_image.data.load_source`.
        channels: As for `load_source`.

    Raises:
        InputError: If a file is missing, truncated or not an idx file of bytes.
    """
    splits = {}
    for split, prefix in _PREFIXES.items():
        files = {kind: _find(folder, prefix, kind, rank) for kind, rank in _KINDS.items()}
        images, labels = (read_idx(files[kind], rank) for kind, rank in _KINDS.items())
        pixels = ArrayPixels(images, str(files["images"]), size, channels)
        splits[split] = LabeledImages(pixels, labels.astype(np.int64), str(files["labels"]))
    return ImageSource(splits)


def read_idx(file: Path, rank: int) -> np.ndarray:
    """Reads one idx file of unsigned bytes.

    Its header has two zeros, 8 for bytes, the rank, and the sizes as big-endian 32-bit integers.

    Args:
        file: The file, plain or `.gz`.
        rank: 3 for images, 1 for labels.

    Returns:
        A uint8 array of that rank.
    """
    content = read_file(file)
    start = 4 + 4 * rank
    if len(content) < start or content[:4] != bytes([0, 0, 8, rank]):
        raise InputError(
            f"Expected an idx file of bytes of rank {rank}. "
            f"Received: {file}, which starts with {content[:4].hex(' ')}"
        )
    shape = tuple(int(n) for n in np.frombuffer(content, ">u4", rank, offset=4))
    if len(content) - start != math.prod(shape):
        raise InputError(
            f"Expected {math.prod(shape)} values of shape {shape} in {file}. "
            f"Received: {len(content) - start}"
        )
    return np.frombuffer(content, np.uint8, offset=start).reshape(shape)


def _find(folder: Path, prefix: str, kind: str, rank: int) -> Path:
    name = f"{prefix}-{kind}-idx{rank}-ubyte"
    for candidate in (name, name.replace("-idx", ".idx")):
        for suffix in ("", ".gz"):
            file = folder / f"{candidate}{suffix}"
            if file.exists():
                return file
    raise InputError(f"Expected {name}, plain or .gz, in {folder}. Received: {list_folder(folder)}")


_NAMES = ArraySpec("U", (None,))
_KNOWN = {
    **dict.fromkeys(("images", "jpeg", "offsets", "labels"), ArraySpec()),
    "class_names": _NAMES,
}


def read_npz_file(
    file: Path, *, size: int | None = None, channels: int | None = None, any_split: bool = False
) -> ImageSource:
    """Reads one file with `x_train`, `y_train`, `x_test`, `y_test`, like Keras's `mnist.npz`.

    Args:
        file: The file.
        size: As for `lsk_image.data.load_source`.
        channels: As for `load_source`.
        any_split: Whether the training split may be missing.

    Raises:
        InputError: If arrays are missing or have the wrong shape.
    """
    names = npz_names(file, error=InputError)
    found = [(s, n[2:]) for n in names if n[:2] == "x_" and (s := split_from_name(n[2:]))]
    words = unique_splits(found, str(file))
    wanted = {f"{axis}_{word}": ArraySpec() for axis in "xy" for word in words.values()}
    arrays = _open(file, {**wanted, "class_names": _NAMES})
    if not words if any_split else "train" not in words:
        raise InputError(
            f"Expected x_train, y_train, x_test and y_test in {file}. "
            f"Received: {', '.join(sorted(names)) or 'no arrays'}"
        )
    splits = {}
    for split, word in words.items():
        pixels = ArrayPixels(arrays[f"x_{word}"], f"x_{word} of {file}", size, channels)
        labels = _array(arrays, f"y_{word}", file).read()
        if labels.ndim == 2 and labels.shape[1] == 1:  # as in Keras's data sets
            labels = labels[:, 0]
        splits[split] = LabeledImages(pixels, labels, f"y_{word} of {file}")
    return ImageSource(splits, _class_names(arrays))


def read_npz_folder(
    folder: Path, *, size: int | None = None, channels: int | None = None, any_split: bool = False
) -> ImageSource:
    """Reads `train*.npz` and, if they exist, `validation*.npz` and `test*.npz` of a folder.

    Each holds `labels` and either `images`, uint8 `(n, height, width[, channels])`, or `jpeg`, all
    encoded images concatenated, with `offsets`, n + 1 integers: image i is
    `jpeg[offsets[i] : offsets[i + 1]]`. `class_names` is optional and must agree between files.

    Args:
        folder: The folder.
        size: As for `lsk_image.data.load_source`.
        channels: As for `load_source`.
        any_split: Whether the training split may be missing.

    Raises:
        InputError: If a file is missing or damaged, or if two name their classes differently.
    """
    splits, names, encoded = {}, {}, False
    notes: list[str] = []
    files, others = find_npz_files(folder, any_split=any_split)
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
        notes.append(f"files that name no split are not read: {', '.join(others)}")
    all_notes = LazyNotes(lambda: (*(n for s in splits.values() for n in s.pixels.notes), *notes))
    return ImageSource(splits, _common_names(names, files), all_notes)


def find_npz_files(folder: Path, *, any_split: bool = False) -> tuple[dict[str, Path], list[str]]:
    """Returns the file of each split, and the names of `.npz` files of no split.

    Args:
        folder: The folder.
        any_split: Whether the training split may be missing.

    Raises:
        InputError: If the training split is missing, or several files are for one split.
    """
    found: dict[str, list[str]] = {}
    others = []
    for name in sorted(file.name for file in folder.glob("*.npz")):
        split = split_from_prefix(name)
        if split is None:
            others.append(name)
        else:
            found.setdefault(split, []).append(name)
    if not found or not any_split:
        found.setdefault("train", [])
    for split, names in found.items():
        if len(names) != 1:
            received = ", ".join(names) or list_folder(folder)
            raise InputError(f"Expected one {split}*.npz in {folder}. Received: {received}")
    return {split: folder / names[0] for split, names in found.items()}, others


class JpegArray(Sequence[bytes]):
    """The encoded images of an `.npz` file with `jpeg` and `offsets`.

    Args:
        arrays: The arrays of the file.
        file: The file.

    Raises:
        InputError: If the arrays do not fit together.
    """

    def __init__(self, arrays: Mapping[str, NpzArray], file: Path):
        self._jpeg, offsets = (_array(arrays, key, file) for key in ("jpeg", "offsets"))
        types = (self._jpeg.dtype, offsets.dtype)
        if self._jpeg.ndim != 1 or types[0] != np.uint8 or not np.issubdtype(types[1], np.integer):
            raise InputError(
                f"Expected jpeg, bytes (uint8), and integer offsets in {file}. "
                f"Received: {types[0]} of shape {self._jpeg.shape} and {types[1]}"
            )
        self._ends = offsets.read().reshape(-1).astype(np.int64)
        check_offsets(self._ends, len(self._jpeg), str(file))

    def __len__(self) -> int:
        return len(self._ends) - 1

    def __getitem__(self, row):
        return self._jpeg[self._ends[row] : self._ends[row + 1]].tobytes()


def open_images(file: Path) -> JpegArray | dict[str, NpzArray]:
    """Opens the images of any `.npz` file.

    Args:
        file: The file.

    Returns:
        Its encoded images, or its arrays `images` and `x_…` by name.
    """
    names = npz_names(file, error=InputError)
    if {"jpeg", "offsets"} <= set(names):
        return JpegArray(_open(file, _KNOWN), file)
    keys = [name for name in names if name == "images" or name.startswith("x_")]
    return open_npz(file, dict.fromkeys(keys, ArraySpec()), error=InputError)


def _pixels(
    arrays: Mapping[str, NpzArray], file: Path, size: int | None, channels: int | None
) -> Pixels:
    if "images" in arrays:
        return ArrayPixels(arrays["images"], f"images of {file}", size, channels)
    images = JpegArray(arrays, file)
    return EncodedPixels(
        lambda rows: [images[row] for row in rows],
        len(images),
        lambda row: f"image {row} of {file}",
        size,
        channels,
        str(file),
    )


def _open(file: Path, wanted: Mapping[str, ArraySpec]) -> dict[str, NpzArray]:
    return open_npz(file, wanted, optional=wanted, error=InputError)


def _array(arrays: Mapping[str, NpzArray], key: str, file: Path) -> NpzArray:
    if key not in arrays:
        names = ", ".join(sorted(arrays)) or "no arrays"
        raise InputError(f"Expected an array {key!r} in {file}. Received: {names}")
    return arrays[key]


def _class_names(arrays: Mapping[str, NpzArray]) -> list[str] | None:
    return [str(name) for name in arrays["class_names"].read()] if "class_names" in arrays else None


def _common_names(
    names: Mapping[str, list[str] | None], files: Mapping[str, Path]
) -> list[str] | None:
    """Returns the class names of all splits, after checking that they agree."""
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
