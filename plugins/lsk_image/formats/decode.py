"""Decoding one picture to bytes of a given size and number of channels, with Pillow."""

import contextlib
import io
from collections.abc import Sequence

import numpy as np
from PIL import ExifTags, Image, ImageOps

from ls_base.errors import reason
from lsk_engine import InputError

MODES = {1: "L", 3: "RGB"}
# Formats that Pillow decodes itself; for others, such as EPS, it would start a program.
FORMATS = ("BMP", "GIF", "JPEG", "JPEG2000", "PNG", "PPM", "TIFF", "WEBP")
_MAX_PIXELS = 1 << 26  # a small file may claim any size
_SIDEWAYS = (5, 6, 7, 8)  # EXIF orientations that swap width and height
_MAX_LISTED = 20


class UnreadableImageError(InputError):
    """A picture cannot be decoded.

    Args:
        name: The picture's name, such as its file.
        why: The reason.
    """

    def __init__(self, name: str, why: str):
        super().__init__(f"Could not decode the picture {name}: {why}")
        self.name, self.why = name, why


def unreadable_images(errors: Sequence[UnreadableImageError]) -> InputError:
    """Returns one error that names all pictures that cannot be decoded."""
    listed = "; ".join(f"{error.name}: {error.why}" for error in errors[:_MAX_LISTED])
    more = f"; and {len(errors) - _MAX_LISTED:,} more" if len(errors) > _MAX_LISTED else ""
    pictures = "1 picture" if len(errors) == 1 else f"{len(errors):,} pictures"
    return InputError(
        f"Could not decode {pictures}: {listed}{more}. Repair or remove them, or leave them out "
        "with data.skip_unreadable=true"
    )


@contextlib.contextmanager
def open_image(file, name: str):
    """Opens a picture with Pillow; whatever Pillow raises becomes an `UnreadableImageError`.

    Args:
        file: A file object.
        name: The picture's name in an error.
    """
    try:
        with Image.open(file, formats=FORMATS) as image:
            yield image
    except InputError:
        raise
    except Image.UnidentifiedImageError as error:
        raise UnreadableImageError(name, "not a picture in a known format") from error
    except Exception as error:  # Pillow's decoders raise exceptions of many types
        raise UnreadableImageError(name, reason(error)) from error


def upright_size(image: Image.Image) -> tuple[int, int]:
    """Returns `(width, height)` after the rotation that EXIF asks for, without decoding pixels.

    Args:
        image: An open image.
    """
    orientation = 1
    if image.format != "TIFF":  # Pillow rotates these itself
        with contextlib.suppress(Exception):
            # The base class reads the header only; PNG's own getexif would decode the pixels.
            orientation = Image.Image.getexif(image).get(ExifTags.Base.Orientation, 1)
    width, height = image.size
    return (height, width) if orientation in _SIDEWAYS else (width, height)


def decode_image(
    content: bytes,
    name: str,
    size: int | None = None,
    channels: int | None = None,
    *,
    changed: np.ndarray | None = None,
) -> np.ndarray:
    """Decodes one picture: rotated as its EXIF says, transparent parts on white.

    Args:
        content: The encoded picture.
        name: Its name in an error.
        size: Height and width: the shorter side is scaled to it and the center cut out; `None`
            keeps the size.
        channels: 1 (gray) or 3 (color) to convert to; `None` keeps the picture's channels, which
            then have to be 1 or 3.
        changed: Two booleans that are set to whether the size and the channels were changed.

    Returns:
        uint8 `(height, width, channels)`.

    Raises:
        UnreadableImageError: If it is truncated, too large, or not a picture.
        InputError: If it has other channels.
    """
    with open_image(io.BytesIO(content), name) as image:
        if image.width * image.height > _MAX_PIXELS:
            raise UnreadableImageError(
                name, f"{image.width} × {image.height}, more than {_MAX_PIXELS:,} pixels"
            )
        image.load()
        with contextlib.suppress(Exception):  # damaged EXIF data are ignored
            ImageOps.exif_transpose(image, in_place=True)
        whole = _to_8_bits(image, name)
        if channels is None and whole.mode not in MODES.values():
            raise InputError(
                "Expected an image with 1 or 3 channels, or data.channels. "
                f"Received: {name} of mode {whole.mode}"
            )
        if changed is not None:
            changed[0] = size is not None and whole.size != (size, size)
            changed[1] = channels is not None and whole.mode != MODES[channels]
        return to_array(_on_white(whole), size, channels)


def to_array(image: Image.Image, size: int | None, channels: int | None) -> np.ndarray:
    """Returns the pixels of an image, resized and converted as for `decode_image`."""
    if channels is not None and image.mode != MODES[channels]:
        image = image.convert(MODES[channels])
    if size is not None and image.size != (size, size):
        image = ImageOps.fit(image, (size, size), Image.Resampling.BILINEAR)
    array = np.asarray(image)
    return array[..., None] if array.ndim == 2 else array


def _to_8_bits(image: Image.Image, name: str) -> Image.Image:
    """Returns an image of 8 bits a channel; of 16 bits the upper 8, where Pillow would clip."""
    if image.mode == "1":
        return image.convert("L")
    if image.mode.startswith("I;16") or (image.mode == "I" and image.format == "PPM"):
        return Image.fromarray((np.asarray(image) >> 8).astype(np.uint8))
    if image.mode in ("I", "F"):
        raise UnreadableImageError(name, f"mode {image.mode}, not 8 or 16 bits a channel")
    return image


def _on_white(image: Image.Image) -> Image.Image:
    """Returns an image on white; the color of transparent pixels is arbitrary."""
    if not image.has_transparency_data:
        return image
    white = Image.new("RGBA", image.size, "white")
    white.alpha_composite(image.convert("RGBA"))
    return white.convert("L" if image.mode == "L" else "RGB")
