"""Lines of UTF-8 text files, plain or packed; those of large files stay on the disk."""

import copy
import mmap
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import BinaryIO

import numpy as np

from ls_base.errors import InputError
from ls_base.safe_open import FREE_BYTES, open_regular, read_unpacked

LONGEST_LINE = 1 << 16  # bytes; a longer line is no sentence
FREE_TEXT_BYTES = 1 << 26  # of unpacked text: its lines take several times their bytes
ON_DISK = 1 << 26  # bytes of text from which lines stay on the disk
_CHUNK = 1 << 24
_BYTE_ORDER_MARK = b"\xef\xbb\xbf"
_MAX_LISTED = 12


def read_file(file: Path, *, free: int = FREE_BYTES) -> bytes:
    """Returns the content of a regular file, unpacked if its name ends in `.gz`.

    Args:
        file: The file.
        free: Unpacked bytes that are always allowed; beyond, 100 times the packed bytes are.

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
    """Returns the lines of a text, as `read_lines` does.

    Args:
        content: UTF-8, perhaps with a byte-order mark.
        name: Its source, for an error.
    """
    _find_line_ends(content, name)
    # Not str.splitlines: U+2028 and other separators occur inside sentences.
    lines = content.decode("utf-8-sig").split("\n")
    if not lines[-1]:
        lines.pop()
    return [line.strip() for line in lines]


class TextLines(Sequence[str]):
    r"""Lines of UTF-8 text behind a memory map, each without the spaces at its ends.

    A file of millions of lines takes the memory of its line ends.

    Args:
        file: The text; it may be closed, or without a name, afterwards.
        name: Its name in an error.

    Raises:
        InputError: If it is not UTF-8, or a line has more than 65,536 bytes; the line is named.

    Example:
        >>> import io, tempfile
        >>> with tempfile.TemporaryFile() as file:
        ...     _ = file.write("eins \nzwei\n".encode())
        ...     lines = TextLines(file, "a file")
        >>> list(lines), lines.take(np.array([1]))[0]
        (['eins', 'zwei'], 'zwei')
    """

    def __init__(self, file: BinaryIO, name: str):
        file.flush()
        self._text = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        marked = self._text[: len(_BYTE_ORDER_MARK)] == _BYTE_ORDER_MARK
        ends = _find_line_ends(self._text, name)
        if marked and len(self._text) == len(_BYTE_ORDER_MARK):
            ends = ends[:0]  # a mark is no line
        self._starts = np.concatenate([[0], ends[:-1] + 1]) if len(ends) else ends
        self._ends = ends
        if marked and len(ends):
            self._starts[0] = len(_BYTE_ORDER_MARK)

    def take(self, rows: np.ndarray) -> "TextLines":
        """Returns the lines `rows`; the text is shared."""
        taken = copy.copy(self)
        taken._starts, taken._ends = self._starts[rows], self._ends[rows]
        return taken

    def __len__(self) -> int:
        return len(self._ends)

    def __getitem__(self, index):
        if isinstance(index, slice):
            return [self._line(a, b) for a, b in zip(self._starts[index], self._ends[index])]  # noqa: B905
        return self._line(self._starts[index], self._ends[index])

    def __iter__(self) -> Iterator[str]:
        for start in range(0, len(self), 4096):
            yield from self[start : start + 4096]

    def _line(self, start: int, end: int) -> str:
        return self._text[start:end].decode("utf-8").strip()


def open_lines(file: Path) -> Sequence[str]:
    """Returns the lines of a UTF-8 file, plain or `.gz`; those of a large file stay on the disk.

    A packed file is unpacked into a temporary one, in the folder of the environment variable
    `TMPDIR`.

    Args:
        file: The file.

    Raises:
        InputError: As `read_lines`.
    """
    if file.suffix != ".gz":
        with open_regular(file, error=InputError) as content:
            content.seek(0, 2)
            if content.tell() >= ON_DISK:
                return TextLines(content, str(file))
        return read_lines(file)
    unpacked = read_file(file, free=FREE_TEXT_BYTES)
    if len(unpacked) < ON_DISK:
        return split_lines(unpacked, str(file))
    with tempfile.TemporaryFile() as content:
        content.write(unpacked)
        del unpacked
        return TextLines(content, str(file))


def spool_lines(rows: Iterable[tuple[str, ...]], columns: int) -> list[Sequence[str]]:
    """Stores columns of lines: in memory if they are small, else in temporary files.

    Args:
        rows: One line of each column at a time, without line ends.
        columns: The number of columns.
    """
    stored: list[list[str]] = [[] for _ in range(columns)]
    files: list = []
    size = 0
    for row in rows:
        if files:
            for file, line in zip(files, row, strict=True):
                file.write(f"{line}\n".encode())
            continue
        for column, line in zip(stored, row, strict=True):
            column.append(line)
            size += len(line)
        if size >= ON_DISK:
            for column in stored:
                files.append(tempfile.TemporaryFile())  # noqa: SIM115 - closed below
                files[-1].writelines(f"{line}\n".encode() for line in column)
            stored = []
    if not files:
        return [tuple(column) for column in stored]
    found: list[Sequence[str]] = []
    for file in files:
        with file:
            found.append(TextLines(file, "a temporary file"))
    return found


def take_lines(lines: Sequence, rows: np.ndarray) -> Sequence:
    """Returns a subset of lines, without loading lines on disk.

    Args:
        lines: Lines of any kind.
        rows: The rows to take.
    """
    take = getattr(lines, "take", None)
    return tuple(lines[row] for row in rows) if take is None else take(rows)


def list_folder(folder: Path) -> str:
    """Returns the names of the first files in a folder, for the end of an error message.

    Args:
        folder: An existing folder.
    """
    names = sorted(path.name for path in folder.iterdir())
    shown = ", ".join(names[:_MAX_LISTED]) or "an empty folder"
    return shown + (f" and {len(names) - _MAX_LISTED} more" if len(names) > _MAX_LISTED else "")


def _find_line_ends(text: bytes | mmap.mmap, name: str) -> np.ndarray:
    """Returns the position of each line's end, and checks the encoding and the lines' lengths."""
    parts = [np.zeros(0, np.int64)]
    start = 0
    while start < len(text):
        stop = min(start + _CHUNK, len(text))
        if stop < len(text):
            stop = text.rfind(b"\n", start, stop) + 1
            if not stop:  # the line is longer than a chunk
                end = text.find(b"\n", start)
                stop = len(text) if end < 0 else end + 1
                if stop - start > LONGEST_LINE + 1:
                    raise _too_long(stop - start, sum(map(len, parts)), name)
        part = text[start:stop]
        try:
            part.decode("utf-8")
        except UnicodeDecodeError as error:
            line = sum(map(len, parts)) + part.count(b"\n", 0, error.start) + 1
            raise InputError(
                f"Expected UTF-8 text. Received: byte 0x{part[error.start]:02x} in line {line} of "
                f"{name}"
            ) from error
        parts.append(np.flatnonzero(np.frombuffer(part, np.uint8) == ord("\n")) + start)
        start = stop
    ends = np.concatenate(parts).astype(np.int64)
    if not len(ends) or ends[-1] != len(text) - 1:
        ends = np.append(ends, len(text))
    lengths = np.diff(ends, prepend=-1) - 1
    if len(long := np.flatnonzero(lengths > LONGEST_LINE)):
        raise _too_long(lengths[long[0]], long[0], name)
    return ends


def _too_long(size: int, before: int, name: str) -> InputError:
    return InputError(
        f"Expected lines of at most {LONGEST_LINE:,} bytes, a sentence each. "
        f"Received: {size:,} bytes in line {before + 1} of {name}"
    )
