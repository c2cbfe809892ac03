"""Rows of unequal length in one flat array: samples, feature frames, tokens, lines of text."""

import copy
import itertools
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import BinaryIO

import numpy as np

from ls_base.errors import InputError

_SHORT = 256  # up to this size, one gather of all values is faster than a copy per row
_CHUNK = 1 << 24  # values; bounds the memory for writing as another dtype


class Ragged:
    """Rows of unequal length, stored one after another; batches of them are padded on demand.

    Args:
        values: Array `(total, ...)`, in memory or memory-mapped.
        offsets: int64 `(n + 1,)`: row i is `values[offsets[i] : offsets[i + 1]]`.
        check: Called with the first and the end of ranges of values before they are read.

    Example:
        >>> rows = Ragged.of([np.array([1, 2, 3]), np.array([4])])
        >>> rows.padded(np.array([1, 0]), 5, end=9).tolist()
        [[4, 9, 0, 0, 0], [1, 2, 3, 9, 0]]
    """

    def __init__(
        self,
        values: np.ndarray,
        offsets: np.ndarray,
        check: Callable[[np.ndarray, np.ndarray], None] | None = None,
    ):
        self.values, self.starts, self._check = values, offsets[:-1], check
        self.lengths: np.ndarray = np.diff(offsets)

    @classmethod
    def of(cls, rows: Iterable[np.ndarray]) -> "Ragged":
        """Joins arrays that agree in all axes but the first; at least one."""
        arrays = list(rows)
        return cls(np.concatenate(arrays), row_offsets([len(array) for array in arrays]))

    def save(
        self,
        values_file: Path,
        offsets_file: Path,
        dtype: np.dtype | None = None,
        *,
        version: tuple[int, int] = (1, 0),
    ) -> None:
        """Writes these rows alone, one after another, and flushes them to the disk.

        Args:
            values_file: A new `.npy` file for the values.
            offsets_file: A new `.npy` file for the offsets.
            dtype: The values' dtype in the file; `None`: unchanged.
            version: The version of the `.npy` format of the values, (1, 0) or (2, 0).
        """
        dtype = self.values.dtype if dtype is None else np.dtype(dtype)
        ends = row_offsets(self.lengths)
        header = {
            "descr": np.lib.format.dtype_to_descr(dtype),
            "fortran_order": False,
            "shape": (int(ends[-1]), *self.values.shape[1:]),
        }
        begin = {
            (1, 0): np.lib.format.write_array_header_1_0,
            (2, 0): np.lib.format.write_array_header_2_0,
        }[version]
        # Not through a memory map, which ends in a bus error if the disk is full.
        with values_file.open("wb") as file:
            begin(file, header)
            for run in self._runs():
                for start in range(0, len(run), _CHUNK):
                    file.write(np.ascontiguousarray(run[start : start + _CHUNK], dtype).data)
            _flush(file)
        with offsets_file.open("wb") as file:
            np.save(file, ends)
            _flush(file)

    def take(self, rows: np.ndarray) -> "Ragged":
        """Returns the rows `rows`; the values are shared."""
        taken = copy.copy(self)
        taken.starts, taken.lengths = self.starts[rows], self.lengths[rows]
        return taken

    def __len__(self) -> int:
        return len(self.starts)

    def __getitem__(self, row: int) -> np.ndarray:
        self._read(self.starts[[row]], self.lengths[[row]])
        return self.values[self.starts[row] : self.starts[row] + self.lengths[row]]

    def padded(self, rows: np.ndarray, size: int, dtype=None, *, end=None) -> np.ndarray:
        """Returns `(len(rows), size, ...)`: rows as `dtype`, then zeros.

        Args:
            rows: The rows, at least one.
            size: The padded length.
            dtype: The result's dtype; `None`: that of the values.
            end: A value to append to each row; `None`: nothing.

        Raises:
            InputError: If a row does not fit.
        """
        starts, lengths = self.starts[rows], self.lengths[rows]
        needed = int(lengths.max()) + (end is not None)
        if needed > size:
            raise InputError(
                f"Expected a size of at least {needed} for these rows. Received: {size}"
            )
        self._read(starts, lengths)
        shape = (len(rows), size, *self.values.shape[1:])
        out = np.zeros(shape, self.values.dtype if dtype is None else dtype)
        if size <= _SHORT:
            positions = np.arange(size)
            inside = positions < lengths[:, None]
            out[inside] = self.values[(starts[:, None] + positions)[inside]]
        else:
            for target, start, length in zip(out, starts, lengths, strict=True):
                target[:length] = self.values[start : start + length]
        if end is not None:
            out[np.arange(len(rows)), lengths] = end
        return out

    def flattened(self) -> tuple[np.ndarray, np.ndarray]:
        """Returns values and offsets of these rows alone, in order."""
        return np.concatenate([self.values[:0], *self._runs()]), row_offsets(self.lengths)

    def _read(self, starts: np.ndarray, lengths: np.ndarray) -> None:
        if self._check is not None:
            self._check(starts, starts + lengths)

    def _runs(self) -> Iterator[np.ndarray]:
        """Yields the values of these rows in order, those that lie side by side at once."""
        self._read(self.starts, self.lengths)
        ends = self.starts + self.lengths
        apart = np.flatnonzero(self.starts[1:] != ends[:-1]) + 1
        for first, last in itertools.pairwise([0, *apart.tolist(), len(self)]):
            if first < last:
                yield self.values[self.starts[first] : ends[last - 1]]


def row_offsets(lengths: Sequence[int] | np.ndarray) -> np.ndarray:
    """Returns the offsets of rows of these lengths: where each begins, and where the last ends.

    Example:
        >>> row_offsets([3, 0, 1]).tolist()
        [0, 3, 3, 4]
    """
    return np.concatenate([np.zeros(1, np.int64), np.cumsum(lengths, dtype=np.int64)])


def check_offsets(ends: np.ndarray, total: int, what: str) -> None:
    """Refuses offsets that do not divide all values into rows.

    Args:
        ends: The offsets: integers `(n + 1,)`.
        total: The number of values.
        what: The offsets' name in an error.

    Raises:
        InputError: If they don't rise from 0 to `total`.
    """
    if not len(ends) or ends[0] != 0 or ends[-1] != total or (np.diff(ends) < 0).any():
        found = f"{ends[0]} … {ends[-1]}" if len(ends) else "none"
        raise InputError(
            f"Expected offsets that rise from 0 to {total} in {what}. Received: {found}"
        )


def _flush(file: BinaryIO) -> None:
    file.flush()
    os.fsync(file.fileno())
