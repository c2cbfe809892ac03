"""Files of a user's own: read whole, plain or packed, as lines, and listed for an error."""

from pathlib import Path

from ls_base.errors import InputError
from ls_base.safe_open import FREE_BYTES, read_unpacked

LONGEST_LINE = 1 << 16  # bytes: what takes a line for a sentence does not end on longer ones
FREE_TEXT_BYTES = 1 << 26  # bytes of packed text: lines take several times their bytes
_LISTED = 12


def read_file(file: Path, *, free: int = FREE_BYTES) -> bytes:
    """Returns the content of a regular file, unpacked if it ends in `.gz`.

    Args:
        file: The file.
        free: Bytes that may be unpacked from however few; beyond, 100 times the packed ones.

    Raises:
        InputError: If it can't be read, is damaged, unpacks to more, or is no regular file.
    """
    return read_unpacked(file, free=free, error=InputError)


def read_lines(file: Path) -> list[str]:
    """Returns the lines of a UTF-8 file, plain or `.gz`, without spaces at their ends.

    Args:
        file: The file.

    Raises:
        InputError: As `read_file`, or if it is not UTF-8, or a line has more than 65,536 bytes;
            the line is named.
    """
    return split_lines(read_file(file, free=FREE_TEXT_BYTES), str(file))


def split_lines(content: bytes, name: str) -> list[str]:
    """Does what `read_lines` does with bytes that are there already.

    Args:
        content: UTF-8, perhaps with a byte-order mark.
        name: Where it is from, for an error.
    """
    start, number = 0, 0
    while start < len(content):
        end = content.find(b"\n", start)
        end = len(content) if end < 0 else end
        number += 1
        if end - start > LONGEST_LINE:
            raise InputError(
                f"Expected lines of at most {LONGEST_LINE:,} bytes, a sentence each. "
                f"Received: {end - start:,} bytes in line {number} of {name}"
            )
        start = end + 1
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise InputError(
            f"Expected UTF-8 text. Received: byte 0x{content[error.start]:02x} in line {line} of "
            f"{name}"
        ) from error
    # Not str.splitlines: U+2028 and other separators occur inside sentences.
    lines = text.split("\n")
    if not lines[-1]:
        lines.pop()
    return [line.strip() for line in lines]


def list_folder(folder: Path) -> str:
    """Returns what lies in a folder, as the end of an error says it.

    Args:
        folder: An existing folder.
    """
    names = sorted(path.name for path in folder.iterdir())
    shown = ", ".join(names[:_LISTED]) or "an empty folder"
    return shown + (f" and {len(names) - _LISTED} more" if len(names) > _LISTED else "")
