"""Pictures that runs keep, as a page embeds them."""

import base64
import dataclasses
import struct
from pathlib import Path

from ls_base.errors import FileError
from ls_base.safe_open import read_bytes

_MOST_BYTES = 1 << 24
_SIGNATURE, _END = b"\x89PNG\r\n\x1a\n", b"IEND\xaeB`\x82"
_MOST_PIXELS = 1 << 16  # a side


@dataclasses.dataclass(frozen=True)
class Picture:
    """A PNG.

    Attributes:
        data: Its bytes in base64.
        width: In pixels.
        height: In pixels.
    """

    data: str
    width: int
    height: int


def read_picture(file: Path) -> Picture:
    """Reads a PNG file.

    Args:
        file: The file, of at most 16 MiB.

    Raises:
        FileError: If it can't be read, or is no whole PNG.
    """
    content = read_bytes(file, max_bytes=_MOST_BYTES)
    if not content.startswith(_SIGNATURE) or content[12:16] != b"IHDR":
        raise FileError(f"Expected a PNG at {file}. Received: something else")
    if not content.endswith(_END):
        raise FileError(f"Expected a whole PNG at {file}. Received: one without its end")
    width, height = struct.unpack(">II", content[16:24])
    if not (0 < width <= _MOST_PIXELS and 0 < height <= _MOST_PIXELS):
        raise FileError(f"Expected a PNG of a size at {file}. Received: {width} × {height}")
    return Picture(base64.b64encode(content).decode("ascii"), width, height)
