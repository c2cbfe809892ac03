"""Files of a user's own: read whole, plain or packed, and listed for an error."""

import gzip
import zlib
from pathlib import Path

from ls_base.errors import InputError

_LISTED = 12


def read_file(file: Path) -> bytes:
    """Returns the content of a file, unpacked if it ends in `.gz`.

    Args:
        file: The file.

    Raises:
        InputError: If it can't be read, or is damaged.
    """
    try:
        content = file.read_bytes()
        return gzip.decompress(content) if file.suffix == ".gz" else content
    except (OSError, EOFError, zlib.error) as error:
        raise InputError(f"Expected a readable file {file}. Received: {error}") from error


def listing(folder: Path) -> str:
    """Returns what lies in a folder, as the end of an error says it.

    Args:
        folder: An existing folder.
    """
    names = sorted(path.name for path in folder.iterdir())
    shown = ", ".join(names[:_LISTED]) or "an empty folder"
    return shown + (f" and {len(names) - _LISTED} more" if len(names) > _LISTED else "")
