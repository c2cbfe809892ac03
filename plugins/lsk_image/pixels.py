"""Access to the pixels of many images: an array, or files decoded when a batch asks for them."""

import abc
import io
import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np
from PIL import Image

from ls_base.errors import reason
from lsk_engine import InputError

IN_MEMORY = 2**30  # bytes of decoded pixels that are kept, rather than decoded for each batch
_MODES = {1: "L", 3: "RGB"}
# What Pillow decodes by itself: for EPS, say, it would start another program.
FORMATS = ("BMP", "GIF", "JPEG", "JPEG2000", "PNG", "PPM", "TIFF", "WEBP")
_MOST_PIXELS = 1 << 26  # of one image; a small file may claim any number
_THREADED = 100 * 100  # pixels an image above which threads pay: Pillow decodes without the GIL


class Pixels(abc.ABC):
    """Images of one shape.

    Attributes:
        shape: `(height, width, channels)`.
        notes: What was done to bring images to it, with counts, where that is known.
    """

    shape: tuple[int, int, int]
    notes: tuple[str, ...] = ()

    @abc.abstractmethod
    def __len__(self) -> int:
        """Returns the number of images."""

    @abc.abstractmethod
    def gather(self, rows: np.ndarray) -> np.ndarray:
        """Returns the images `rows`, uint8 `(len(rows), height, width, channels)`."""


class ArrayPixels(Pixels):
    """Images in memory.

    Args:
        array: uint8 `(n, height, width)` or `(n, height, width, channels)`, 1 or 3 channels.
        what: What it is called in an error.
        size: Height and width to bring images to; `None`: as they are.
        channels: 1 or 3, to convert to; `None`: as they are.

    Raises:
        InputError: For another shape or dtype, or no images.
    """

    def __init__(
        self, array: np.ndarray, what: str, size: int | None = None, channels: int | None = None
    ):
        if array.ndim == 3:
            array = array[..., None]
        if array.ndim != 4 or array.shape[-1] not in _MODES or array.dtype != np.uint8:
            raise InputError(
                "Expected uint8 images (n, height, width), or with 1 or 3 channels at the end. "
                f"Received: {what} of shape {array.shape}, {array.dtype}"
            )
        if not len(array):
            raise InputError(
                f"Expected at least one image. Received: {what} of shape {array.shape}"
            )
        if size not in (None, *({array.shape[1]} & {array.shape[2]})) or channels not in (
            None,
            array.shape[-1],
        ):
            before = array.shape
            images = (Image.fromarray(np.squeeze(a, -1) if a.shape[-1] == 1 else a) for a in array)
            array = np.stack([_as_array(image, size, channels) for image in images])
            self.notes = brought(
                what,
                array.shape[1:],
                resized=len(array) * (before[1:3] != array.shape[1:3]),
                converted=len(array) * (before[3] != array.shape[3]),
            )
        self.array = array
        self.shape = array.shape[1:]

    def __len__(self) -> int:
        return len(self.array)

    def gather(self, rows: np.ndarray) -> np.ndarray:
        """Returns copies."""
        return self.array[rows]


class EncodedPixels(Pixels):
    """Images that are decoded when they are asked for.

    Args:
        read: Gives the encoded images (JPEG, PNG and others of `FORMATS`) of some rows.
        count: Number of images.
        name: Gives what a row is called in an error.
        size: Height and width to bring images to; `None`: all have the first one's.
        channels: 1 or 3, to convert to; `None`: all have as many as the first one.

    Raises:
        InputError: If the first image can't be decoded; `gather` raises it for the others.
    """

    def __init__(
        self,
        read: Callable[[np.ndarray], Sequence[bytes]],
        count: int,
        name: Callable[[int], str],
        size: int | None = None,
        channels: int | None = None,
    ):
        self.read, self.count, self.name = read, count, name
        self.size, self.channels = size, channels
        self._other = np.zeros((2, count), bool)  # decoded, of another size, of other channels
        if not count:
            raise InputError("Expected at least one image. Received: none")
        first = decode_image(read(np.array([0]))[0], name(0), size, channels)
        self.shape = first.shape

    def __len__(self) -> int:
        return self.count

    def gather(self, rows: np.ndarray) -> np.ndarray:
        """Reads and decodes."""
        out = np.empty((len(rows), *self.shape), np.uint8)

        def decode(position: int, content: bytes) -> None:
            out[position] = self._decode(content, int(rows[position]))

        contents = self.read(rows)
        if self.shape[0] * self.shape[1] < _THREADED:
            for position, content in enumerate(contents):
                decode(position, content)
        else:
            with ThreadPoolExecutor(os.cpu_count()) as pool:
                list(pool.map(decode, range(len(rows)), contents))
        return out

    def decoded(self, what: str = "images") -> Pixels:
        """Returns the images in memory, if they fit into `IN_MEMORY`, or else itself.

        Args:
            what: What they are called in notes.
        """
        if self.count * int(np.prod(self.shape)) > IN_MEMORY:
            return self
        parts = np.array_split(np.arange(self.count), -(-self.count // 1024))
        pixels = ArrayPixels(np.concatenate([self.gather(rows) for rows in parts]), "images")
        resized, converted = self._other.sum(axis=1)
        pixels.notes = brought(what, self.shape, resized=int(resized), converted=int(converted))
        return pixels

    def _decode(self, content: bytes, row: int) -> np.ndarray:
        image = decode_image(
            content, self.name(row), self.size, self.channels, other=self._other[:, row]
        )
        if image.shape != self.shape:
            raise InputError(
                f"Expected images of one shape, {self.shape} (height, width, channels), or "
                f"data.size and data.channels. Received: {self.name(row)} of shape {image.shape}"
            )
        return image


def brought(
    what: str, shape: tuple[int, int, int], *, resized: int, converted: int
) -> tuple[str, ...]:
    """Returns notes on images that were brought to one shape.

    Example:
    >>> brought("train", (32, 32, 3), resized=0, converted=2)
    ('train: 2 images converted to color',)
    """
    color = "color" if shape[2] == 3 else "gray"
    notes = []
    if resized:
        notes.append(f"{what}: {resized:,} images brought to {shape[0]} × {shape[1]}")
    if converted:
        notes.append(f"{what}: {converted:,} images converted to {color}")
    return tuple(notes)


def decode_image(
    content: bytes,
    what: str,
    size: int | None = None,
    channels: int | None = None,
    *,
    other: np.ndarray | None = None,
) -> np.ndarray:
    """Decodes one image.

    Args:
        content: The encoded image.
        what: What it is called in an error.
        size: Height and width: the shorter side is scaled to it, the middle cut out; `None`: as
            it is.
        channels: 1 or 3, converted to; `None`: as it is, which has to be one of them.
        other: Two booleans, which are set to whether it had another size, other channels.

    Returns:
        uint8 `(height, width, channels)`.

    Raises:
        InputError: If it is cut off or no image, or has other channels.
    """
    try:
        with Image.open(io.BytesIO(content), formats=FORMATS) as image:
            if image.width * image.height > _MOST_PIXELS:
                raise InputError(
                    f"Expected an image of at most {_MOST_PIXELS:,} pixels. "
                    f"Received: {what} of {image.width} × {image.height}"
                )
            image.load()
            if channels is None and image.mode not in _MODES.values():
                raise InputError(
                    "Expected an image with 1 or 3 channels, or data.channels. "
                    f"Received: {what} of mode {image.mode}"
                )
            if other is not None:
                other[0] = size is not None and image.size != (size, size)
                other[1] = channels is not None and image.mode != _MODES[channels]
            return _as_array(image, size, channels)
    except InputError:
        raise
    except Exception as error:  # Pillow's decoders raise whatever they stumble over
        raise InputError(
            f"Expected an image that can be decoded. Received: {what}: {reason(error)}"
        ) from error


def _as_array(image: Image.Image, size: int | None, channels: int | None) -> np.ndarray:
    if channels is not None and image.mode != _MODES[channels]:
        image = image.convert(_MODES[channels])
    if size is not None and image.size != (size, size):
        width, height = image.size
        side = min(width, height)
        left, top = (width - side) // 2, (height - side) // 2
        box = (left, top, left + side, top + side)
        image = image.resize((size, size), Image.Resampling.BILINEAR, box=box)
    array = np.asarray(image)
    return array[..., None] if array.ndim == 2 else array
