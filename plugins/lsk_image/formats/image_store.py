"""Access to the pixels of many images: an array, or files decoded when a batch asks for them."""

import abc
import contextlib
import functools
import io
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np
from PIL import ExifTags, Image, ImageOps

from ls_base.errors import reason
from ls_base.npz import NpzArray
from ls_base.process import num_cores
from lsk_engine import InputError

IN_MEMORY = 2**30  # bytes of decoded pixels that are kept, rather than decoded for each batch
_MODES = {1: "L", 3: "RGB"}
# What Pillow decodes by itself: for EPS, say, it would start another program.
FORMATS = ("BMP", "GIF", "JPEG", "JPEG2000", "PNG", "PPM", "TIFF", "WEBP")
_MOST_PIXELS = 1 << 26  # of one image; a small file may claim any number
_ON_ITS_SIDE = (5, 6, 7, 8)  # orientations of EXIF that change places of width and height
_THREADED = 100 * 100  # pixels an image above which threads pay: Pillow decodes without the GIL


class Pixels(abc.ABC):
    """Images of one shape.

    Attributes:
        shape: `(height, width, channels)`.
        notes: What was done to bring images to it, with counts, where that is known.
        decodes: Whether rows that are asked for now would be decoded now.
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
        """Decodes images that will be asked for again and again, where memory holds them.

        Args:
            rows: Which.
        """
        return None


class ArrayPixels(Pixels):
    """Images in an array, in memory or in a file.

    Args:
        array: uint8 `(n, height, width)` or `(n, height, width, channels)`, 1 or 3 channels.
        what: What it is called in an error.
        size: Height and width to bring images to; `None`: as they are.
        channels: 1 or 3, to convert to; `None`: as they are.

    Raises:
        InputError: For another shape or dtype, or no images.
    """

    def __init__(
        self,
        array: np.ndarray | NpzArray,
        what: str,
        size: int | None = None,
        channels: int | None = None,
    ):
        before = (*array.shape, 1) if array.ndim == 3 else array.shape
        if len(before) != 4 or before[-1] not in _MODES or array.dtype != np.uint8:
            raise InputError(
                "Expected uint8 images (n, height, width), or with 1 or 3 channels at the end. "
                f"Received: {what} of shape {array.shape}, {array.dtype}"
            )
        if not before[0]:
            raise InputError(
                f"Expected at least one image. Received: {what} of shape {array.shape}"
            )
        self._stored, self._size, self._channels = array, size, channels
        same = size in (None, *({before[1]} & {before[2]}))
        side = before[1:3] if same else (size, size)
        self.shape = (*side, channels or before[3])
        self._changed = self.shape != before[1:]
        if self._changed:
            self.notes = brought(
                what,
                self.shape,
                resized=before[0] * (not same),
                converted=before[0] * (before[3] != self.shape[2]),
            )

    def __len__(self) -> int:
        return len(self._stored)

    @functools.cached_property
    def array(self) -> np.ndarray:
        """The images, of one shape; of a large file, a memory map."""
        stored = self._stored.read() if isinstance(self._stored, NpzArray) else self._stored
        return stored[..., None] if stored.ndim == 3 else stored

    def gather(self, rows: np.ndarray) -> np.ndarray:
        """Returns copies."""
        if not self._changed:
            return self.array[rows]
        if len(self) * int(np.prod(self.shape)) > IN_MEMORY:
            return self._brought(self.array[rows])
        return self._all[rows]

    @functools.cached_property
    def _all(self) -> np.ndarray:
        return self._brought(self.array)

    def _brought(self, array: np.ndarray) -> np.ndarray:
        images = (Image.fromarray(np.squeeze(a, -1) if a.shape[-1] == 1 else a) for a in array)
        return np.stack([_as_array(image, self._size, self._channels) for image in images])


class EncodedPixels(Pixels):
    """Images that are decoded when they are asked for.

    Args:
        read: Gives the encoded images (JPEG, PNG and others of `FORMATS`) of some rows.
        count: Number of images.
        name: Gives what a row is called in an error.
        size: Height and width to bring images to; `None`: all have the first one's.
        channels: 1 or 3, to convert to; `None`: all have as many as the first one.
        what: What they are called in notes; `None`: there are none.

    Raises:
        InputError: Once they are asked for, if the first image, or one of those asked for, can't be
            decoded.
    """

    def __init__(
        self,
        read: Callable[[np.ndarray], Sequence[bytes]],
        count: int,
        name: Callable[[int], str],
        size: int | None = None,
        channels: int | None = None,
        what: str | None = None,
    ):
        self.read, self.count, self.name = read, count, name
        self.size, self.channels, self.what = size, channels, what
        self._other = np.zeros((2, count), bool)  # decoded, of another size, of other channels
        self._kept = np.zeros(count, bool)
        if not count:
            raise InputError("Expected at least one image. Received: none")

    @functools.cached_property
    def shape(self) -> tuple[int, int, int]:  # type: ignore[override]
        """`(height, width, channels)` of the first image, brought to what was asked for."""
        first = self.read(np.array([0]))[0]
        return decode_image(first, self.name(0), self.size, self.channels).shape

    @property
    def notes(self) -> tuple[str, ...]:  # type: ignore[override]
        """What was done to images that are kept."""
        if self.what is None or not self._kept.any():
            return ()
        resized, converted = self._other[:, self._kept].sum(axis=1)
        return brought(self.what, self.shape, resized=int(resized), converted=int(converted))

    @property
    def decodes(self) -> bool:  # type: ignore[override]
        """Whether there are more than memory holds."""
        return self.count * int(np.prod(self.shape)) > IN_MEMORY

    def __len__(self) -> int:
        return self.count

    def gather(self, rows: np.ndarray) -> np.ndarray:
        """Reads and decodes, but for what is kept."""
        if self._kept[rows].all():
            return self._decoded[rows]
        return self._read(rows)

    def keep(self, rows: np.ndarray) -> None:
        """Decodes images, if `IN_MEMORY` holds all that there are.

        Args:
            rows: Which.
        """
        missing = rows[~self._kept[rows]]
        if self.decodes or not len(missing):
            return
        for part in np.array_split(missing, -(-len(missing) // 1024)):
            self._decoded[part] = self._read(part)
            self._kept[part] = True

    @functools.cached_property
    def _decoded(self) -> np.ndarray:
        return np.empty((self.count, *self.shape), np.uint8)  # pages that nobody writes take none

    def _read(self, rows: np.ndarray) -> np.ndarray:
        out = np.empty((len(rows), *self.shape), np.uint8)

        def decode(position: int, content: bytes) -> None:
            out[position] = self._decode(content, int(rows[position]))

        contents = self.read(rows)
        if self.shape[0] * self.shape[1] < _THREADED:
            for position, content in enumerate(contents):
                decode(position, content)
        else:
            with ThreadPoolExecutor(num_cores()) as pool:
                list(pool.map(decode, range(len(rows)), contents))
        return out

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


def upright_size(image: Image.Image) -> tuple[int, int]:
    """Returns `(width, height)` of an image that is opened, as `decode_image` turns it.

    Args:
        image: The image, whose pixels are not read.
    """
    orientation = 1
    if image.format != "TIFF":  # that one Pillow turns by itself
        with contextlib.suppress(Exception):
            # What stands before the pixels: of a PNG, its own getexif would decode all of it.
            orientation = Image.Image.getexif(image).get(ExifTags.Base.Orientation, 1)
    width, height = image.size
    return (height, width) if orientation in _ON_ITS_SIDE else (width, height)


def decode_image(
    content: bytes,
    what: str,
    size: int | None = None,
    channels: int | None = None,
    *,
    other: np.ndarray | None = None,
) -> np.ndarray:
    """Decodes one image, turned as its EXIF says; what is transparent lies on white.

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
            with contextlib.suppress(Exception):  # EXIF that can't be read says nothing
                ImageOps.exif_transpose(image, in_place=True)
            whole = _of_8_bits(image, what)
            if channels is None and whole.mode not in _MODES.values():
                raise InputError(
                    "Expected an image with 1 or 3 channels, or data.channels. "
                    f"Received: {what} of mode {whole.mode}"
                )
            if other is not None:
                other[0] = size is not None and whole.size != (size, size)
                other[1] = channels is not None and whole.mode != _MODES[channels]
            return _as_array(_on_white(whole), size, channels)
    except InputError:
        raise
    except Exception as error:  # Pillow's decoders raise whatever they stumble over
        raise InputError(
            f"Expected an image that can be decoded. Received: {what}: {reason(error)}"
        ) from error


def _of_8_bits(image: Image.Image, what: str) -> Image.Image:
    """Returns an image of 8 bits a channel: the upper ones of 16, which Pillow would cut off."""
    if image.mode == "1":
        return image.convert("L")
    deep_pgm = image.mode == "I" and image.format == "PPM"
    if image.mode.startswith("I;16") or deep_pgm:
        return Image.fromarray((np.asarray(image) >> 8).astype(np.uint8))
    if image.mode in ("I", "F"):
        raise InputError(
            f"Expected an image of 8 or 16 bits a channel. Received: {what} of mode {image.mode}"
        )
    return image


def _on_white(image: Image.Image) -> Image.Image:
    """Returns an image on white; what is transparent has any color, and Pillow would show it."""
    if not image.has_transparency_data:
        return image
    white = Image.new("RGBA", image.size, "white")
    white.alpha_composite(image.convert("RGBA"))
    return white.convert("L" if image.mode == "L" else "RGB")


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
