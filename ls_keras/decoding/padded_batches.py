"""Batches of examples of many lengths for a search: few shapes, none of which others decide."""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np


class PaddedBatch(NamedTuple):
    """Examples that are decoded together.

    Attributes:
        size: What they are padded to.
        rows: Their numbers.
        filled: The same, filled up with the first of them to the number of rows that all batches
            of this size have: each number would be a program of its own.
    """

    size: int
    rows: np.ndarray
    filled: np.ndarray


def padded_batches(
    sizes: Sequence[int] | np.ndarray,
    batch_size: int,
    *,
    shortest: int,
    most_positions: int | None = None,
    at_once: int = 1,
) -> Iterator[PaddedBatch]:
    """Yields batches of examples of one padded length each, the shortest first.

    The length depends on the example alone, so what else is decoded changes no result.

    Args:
        sizes: Ints `(n,)`: how long each example is.
        batch_size: Rows of a batch, at most; n, if that is less.
        shortest: See `padded_size`.
        most_positions: Rows times padded length of a batch, at most, as far as one row has fewer;
            `None`: any number.
        at_once: How many batches, one behind the other, make one here.

    Example:
        >>> from ls_keras.decoding.padded_batches import padded_batches
        >>> for size, rows, filled in padded_batches([3, 11, 8], 2, shortest=8):
        ...     print(size, rows.tolist(), filled.tolist())
        8 [0, 2] [0, 2]
        12 [1] [1, 1]
    """
    padded = np.array([padded_size(int(size), shortest) for size in sizes])
    batch_size = min(batch_size, max(len(padded), 1))
    for size in np.unique(padded):
        rows_of_size = np.flatnonzero(padded == size)
        count = batch_size
        if most_positions is not None:
            count = min(batch_size, max(1, most_positions // int(size)))
        count *= at_once
        for start in range(0, len(rows_of_size), count):
            rows = rows_of_size[start : start + count]
            filling = np.repeat(rows[:1], count - len(rows))
            yield PaddedBatch(int(size), rows, np.concatenate([rows, filling]))


def padded_size(size: int, shortest: int) -> int:
    """Returns the length that an example of `size` is padded to.

    `shortest` s, then 3/2 s, 2 s, 3 s, 4 s and so on: few lengths, as a program is compiled for
    each, and at most half too long.

    Args:
        size: At least 0.
        shortest: An even number.
    """
    power = shortest
    while power < size:
        if size <= power * 3 // 2:
            return power * 3 // 2
        power *= 2
    return power
