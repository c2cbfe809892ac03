"""Rows of unequal length in one flat array: samples, feature frames, tokens."""

import copy
import itertools
from collections.abc import Iterable

import numpy as np


class Ragged:
    """Rows one after another, padded when somebody asks for some.

    Args:
        values: `(total, ...)`, in memory or memory-mapped.
        offsets: int64 `(n + 1,)`: row i is `values[offsets[i] : offsets[i + 1]]`.

    Example:
        >>> rows = Ragged.of([np.array([1, 2, 3]), np.array([4])])
        >>> rows.padded(np.array([1, 0]), 4).tolist()
        [[4, 0, 0, 0], [1, 2, 3, 0]]
    """

    def __init__(self, values: np.ndarray, offsets: np.ndarray):
        self.values, self.starts = values, offsets[:-1]
        self.lengths: np.ndarray = np.diff(offsets)

    @classmethod
    def of(cls, rows: Iterable[np.ndarray]) -> "Ragged":
        """Joins arrays that agree in all axes but the first; at least one."""
        arrays = list(rows)
        return cls(np.concatenate(arrays), offsets([len(array) for array in arrays]))

    def take(self, rows: np.ndarray) -> "Ragged":
        """Returns the rows `rows`; the values are shared."""
        taken = copy.copy(self)
        taken.starts, taken.lengths = self.starts[rows], self.lengths[rows]
        return taken

    def __len__(self) -> int:
        return len(self.starts)

    def __getitem__(self, row: int) -> np.ndarray:
        return self.values[self.starts[row] : self.starts[row] + self.lengths[row]]

    def padded(self, rows: np.ndarray, size: int, dtype=None) -> np.ndarray:
        """Returns `(len(rows), size, ...)`: rows as `dtype`, then zeros."""
        shape = (len(rows), size, *self.values.shape[1:])
        out = np.zeros(shape, self.values.dtype if dtype is None else dtype)
        for target, row in zip(out, rows, strict=True):
            target[: self.lengths[row]] = self[row]
        return out

    def flattened(self) -> tuple[np.ndarray, np.ndarray]:
        """Returns values and offsets of these rows alone, in order."""
        return np.concatenate([self[i] for i in range(len(self))]), offsets(self.lengths)


def offsets(lengths: Iterable[int]) -> np.ndarray:
    """Returns where rows of these lengths begin, and where the last one ends."""
    return np.fromiter(itertools.accumulate(lengths, initial=0), np.int64)
