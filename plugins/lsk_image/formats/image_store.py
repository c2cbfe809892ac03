"""Labeled images, held as an array or decoded from files when a batch needs them."""

import abc
import functools
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
from PIL import Image

from ls_base.npz import NpzArray
from ls_base.process import num_cores
from lsk_engine import InputError
from lsk_image.formats.decode import (
    MODES,
    UnreadableImageError,
    decode_image,
    to_array,
    unreadable_images,
)

IN_MEMORY = 2**30  # bytes of decoded pixels that are kept; larger data are decoded per batch
_THREADED = 100 * 100  # pixels an image above which threads pay: Pillow decodes without the GIL


class Pixels(abc.ABC):
    """Images of one shape.

    Attributes:
        shape: `(height, width, channels)`.
        notes: How images were resized or converted, with counts, as far as that is known.
        decodes: Whether images are decoded for each batch.
    """

    shape: tuple[int, int, int]
    notes: tuple[str, ...] = ()
    decodes: bool = False

    @abc.abstractmethod
    def __len__(self) -> int:
        """Returns the number of images."""

    @abc.abstractmethod
    def gather(self, rows: np.ndarray) -> np.ndarray:
        """Returns the images `rows`, uint8 `(len(rows), height, width, channels)`."""

    def keep(self, rows: np.ndarray) -> None:
        """Decodes images that every epoch needs, if memory holds them.

        Args:
            rows: Their rows.
        """
        return None


@dataclass(frozen=True)
class LabeledImages:
    """One split.

    Attributes:
        pixels: The images.
        labels: Their classes, integers `(n,)`.
        name: Its name in an error.
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

    def without_unreadable(self) -> "LabeledImages":
        """Returns the images that can be decoded; the others are named in a note."""
        if not isinstance(self.pixels, EncodedPixels):
            return self
        pixels, rows = self.pixels.without_unreadable()
        return LabeledImages(pixels, self.labels[rows], self.name)


@dataclass(frozen=True)
class ImageSource:
    """Labeled images in splits, as their source has them.

    Attributes:
        splits: `train` and, if the source has them, `validation` and `test`.
        class_names: The name of each label; `None`: labels are numbers.
        notes: Remarks about the data for the run's output and report.
    """

    splits: Mapping[str, LabeledImages]
    class_names: Sequence[str] | None = None
    notes: Sequence[str] = ()


class ArrayPixels(Pixels):
    """Images in an array, in memory or in a file.

    Args:
        array: uint8 `(n, height, width)` or `(n, height, width, channels)`, 1 or 3 channels.
        name: Its name in an error.
        size: Height and width to resize images to; `None` keeps the size.
        channels: 1 or 3, to convert to; `None` keeps the channels.

    Raises:
        InputError: For another shape or dtype, or no images.
    """

    def __init__(
        self,
        array: np.ndarray | NpzArray,
        name: str,
        size: int | None = None,
        channels: int | None = None,
    ):
        before = (*array.shape, 1) if array.ndim == 3 else array.shape
        if len(before) != 4 or before[-1] not in MODES or array.dtype != np.uint8:
            raise InputError(
                "Expected uint8 images (n, height, width), or with 1 or 3 channels at the end. "
                f"Received: {name} of shape {array.shape}, {array.dtype}"
            )
        if not before[0]:
            raise InputError(
                f"Expected at least one image. Received: {name} of shape {array.shape}"
            )
        self._stored, self._size, self._channels = array, size, channels
        same = size in (None, *({before[1]} & {before[2]}))
        side = before[1:3] if same else (size, size)
        self.shape = (*side, channels or before[3])
        self._changed = self.shape != before[1:]
        if self._changed:
            converted = before[0] * (before[3] != self.shape[2])
            self.notes = change_notes(name, self.shape, before[0] * (not same), converted)

    def __len__(self) -> int:
        return len(self._stored)

    @functools.cached_property
    def array(self) -> np.ndarray:
        """The images as they are stored, `(n, height, width, channels)`; possibly mapped."""
        stored = self._stored.read() if isinstance(self._stored, NpzArray) else self._stored
        return stored[..., None] if stored.ndim == 3 else stored

    def gather(self, rows: np.ndarray) -> np.ndarray:
        """Returns copies of images."""
        if not self._changed:
            return self.array[rows]
        if len(self) * int(np.prod(self.shape)) > IN_MEMORY:
            return self._convert(self.array[rows])
        return self._converted[rows]

    @functools.cached_property
    def _converted(self) -> np.ndarray:
        return self._convert(self.array)

    def _convert(self, array: np.ndarray) -> np.ndarray:
        images = (Image.fromarray(np.squeeze(a, -1) if a.shape[-1] == 1 else a) for a in array)
        return np.stack([to_array(image, self._size, self._channels) for image in images])


class EncodedPixels(Pixels):
    """Images that are decoded when they are needed.

    Args:
        read: Returns the encoded images (JPEG, PNG and others) of some rows.
        count: Number of images.
        name: Returns the name of a row in an error.
        size: Height and width to resize images to; `None`: all have the first one's.
        channels: 1 or 3, to convert to; `None`: all have the first one's.
        source: Their name in notes; `None`: no notes.
        notes: Further notes.

    Raises:
        InputError: If there are no images; when images are needed, if they cannot be decoded.
    """

    def __init__(
        self,
        read: Callable[[np.ndarray], Sequence[bytes]],
        count: int,
        name: Callable[[int], str],
        size: int | None = None,
        channels: int | None = None,
        source: str | None = None,
        notes: tuple[str, ...] = (),
    ):
        self.read, self.count, self.name = read, count, name
        self.size, self.channels, self.source, self._notes = size, channels, source, notes
        self._changed = np.zeros((2, count), bool)  # resized, converted
        self._kept = np.zeros(count, bool)
        if not count:
            raise InputError("Expected at least one image. Received: none")

    @functools.cached_property
    def shape(self) -> tuple[int, int, int]:  # type: ignore[override]
        """`(height, width, channels)` of the first image, resized and converted."""
        first = self.read(np.array([0]))[0]
        return decode_image(first, self.name(0), self.size, self.channels).shape

    @property
    def notes(self) -> tuple[str, ...]:  # type: ignore[override]
        """How the images that are kept were changed."""
        if self.source is None or not self._kept.any():
            return self._notes
        resized, converted = self._changed[:, self._kept].sum(axis=1)
        changed = change_notes(self.source, self.shape, int(resized), int(converted))
        return (*self._notes, *changed)

    @property
    def decodes(self) -> bool:  # type: ignore[override]
        """Whether there are more images than memory holds."""
        return self.count * int(np.prod(self.shape)) > IN_MEMORY

    def __len__(self) -> int:
        return self.count

    def gather(self, rows: np.ndarray) -> np.ndarray:
        """Returns images, decoded unless they are kept."""
        if self._kept[rows].all():
            return self._decoded[rows]
        images, failures = self._decode(rows)
        if failures:
            raise unreadable_images(failures)
        return images

    def keep(self, rows: np.ndarray) -> None:
        """Decodes images and keeps them, if `IN_MEMORY` holds all images.

        Args:
            rows: Their rows.

        Raises:
            InputError: If some cannot be decoded; it names those of all rows.
        """
        missing = rows[~self._kept[rows]]
        if self.decodes or not len(missing):
            return
        for part in np.array_split(missing, -(-len(missing) // 1024)):
            self._decoded[part], failures = self._decode(part)
            if failures:
                raise unreadable_images(self._find_unreadable()[1])
            self._kept[part] = True

    def without_unreadable(self) -> tuple["EncodedPixels", np.ndarray]:
        """Decodes all images; returns those that can be decoded, and their rows."""
        rows, failures = self._find_unreadable()
        notes = self._notes
        if failures:
            names = ", ".join(failure.name for failure in failures)
            notes = (*notes, f"{len(failures):,} unreadable pictures left out: {names}")
        kept = EncodedPixels(
            lambda chosen: self.read(rows[chosen]),
            len(rows),
            lambda row: self.name(int(rows[row])),
            *(self.size, self.channels, self.source, notes),
        )
        return kept, rows

    def _find_unreadable(self) -> tuple[np.ndarray, list[UnreadableImageError]]:
        """Returns the rows that can be decoded, and an error for each of the others."""
        readable, failures = [], []
        for row in range(self.count):
            try:
                name = self.name(row)
                decode_image(self.read(np.array([row]))[0], name, self.size, self.channels)
                readable.append(row)
            except UnreadableImageError as error:
                failures.append(error)
        return np.array(readable, np.int64), failures

    @functools.cached_property
    def _decoded(self) -> np.ndarray:
        return np.empty((self.count, *self.shape), np.uint8)  # unwritten pages take no memory

    def _decode(self, rows: np.ndarray) -> tuple[np.ndarray, list[UnreadableImageError]]:
        images = np.empty((len(rows), *self.shape), np.uint8)

        def decode(position: int, content: bytes) -> UnreadableImageError | None:
            try:
                images[position] = self._decode_row(content, int(rows[position]))
            except UnreadableImageError as error:
                return error
            return None

        contents = self.read(rows)
        if self.shape[0] * self.shape[1] < _THREADED:
            found = list(map(decode, range(len(rows)), contents))
        else:
            with ThreadPoolExecutor(num_cores()) as pool:
                found = list(pool.map(decode, range(len(rows)), contents))
        return images, [error for error in found if error is not None]

    def _decode_row(self, content: bytes, row: int) -> np.ndarray:
        image = decode_image(
            content, self.name(row), self.size, self.channels, changed=self._changed[:, row]
        )
        if image.shape != self.shape:
            raise InputError(
                f"Expected images of one shape, {self.shape} (height, width, channels), or "
                f"data.size and data.channels. Received: {self.name(row)} of shape {image.shape}"
            )
        return image


def change_notes(
    source: str, shape: tuple[int, int, int], resized: int, converted: int
) -> tuple[str, ...]:
    """Returns notes on images that were resized or converted.

    Example:
    >>> change_notes("train", (32, 32, 3), resized=0, converted=2)
    ('train: 2 images converted to color',)
    """
    color = "color" if shape[2] == 3 else "gray"
    notes = []
    if resized:
        notes.append(f"{source}: {resized:,} images resized to {shape[0]} × {shape[1]}")
    if converted:
        notes.append(f"{source}: {converted:,} images converted to {color}")
    return tuple(notes)
