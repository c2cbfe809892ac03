"""MNIST's own files: images and labels in the idx format, plain or `.gz`."""

import math
from pathlib import Path

import numpy as np

from lsk_engine import InputError
from lsk_engine.data.formats.text_files import list_folder, read_file
from lsk_image.formats.image_store import ArrayPixels
from lsk_image.source_data import ImageSource, LabeledImages

_PREFIXES = {"train": "train", "test": "t10k"}
_KINDS = {"images": 3, "labels": 1}  # rank


def read_idx_folder(
    folder: Path, *, size: int | None = None, channels: int | None = None
) -> ImageSource:
    """Reads `train-images-idx3-ubyte`, `train-labels-idx1-ubyte` and the `t10k-…` of a folder.

    Args:
        folder: The folder; each file plain or `.gz`.
        size: See `lsk_image.sources.load_source`.
        channels: Likewise.

    Raises:
        InputError: If a file is missing, cut off or no idx file of bytes.
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

    A header (two zeros, 8 for bytes, the rank, then the sizes as big-endian 32-bit integers),
    then the values.

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
