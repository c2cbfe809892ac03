"""Recordings that are decoded when they are asked for: first lengths, then samples by batch."""

import abc
import concurrent.futures
import itertools
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import cast

import numpy as np

from ls_base.process import num_cores
from lsk_engine import InputError
from lsk_engine.data.formats.ragged import Ragged, row_offsets
from lsk_speech.corpora.recording import read_recording, recorded_length

IN_MEMORY = 1 << 30  # bytes of a split's samples, or features, that are kept rather than made again
_AHEAD = 16  # recordings a thread that are decoded before somebody takes them


class Streamed(Ragged):
    """Rows that are made when they are asked for; none is kept.

    Args:
        lengths: How long each row will be.
        like: An array of no rows, of the type and width of those to come.
    """

    def __init__(self, lengths: np.ndarray, like: np.ndarray):
        super().__init__(like, row_offsets(lengths))

    @abc.abstractmethod
    def make(self, rows: np.ndarray) -> Iterator[np.ndarray]:
        """Yields rows one by one, in the order that they are asked for in."""

    def take(self, rows: np.ndarray) -> "Streamed":
        """Returns the rows `rows`."""
        return cast(Streamed, super().take(rows))

    @property
    def bytes(self) -> int:
        """What all rows would take."""
        width = int(np.prod(self.values.shape[1:])) * self.values.dtype.itemsize
        return int(self.lengths.sum()) * width

    def __getitem__(self, row: int) -> np.ndarray:
        return next(iter(self.make(np.array([row]))))

    def padded(self, rows: np.ndarray, size: int, dtype=None, *, end=None) -> np.ndarray:
        """Returns `(len(rows), size, ...)`, as `Ragged.padded`."""
        return Ragged.of(self.make(rows)).padded(np.arange(len(rows)), size, dtype, end=end)

    def flattened(self) -> tuple[np.ndarray, np.ndarray]:
        """Returns all rows, one after another, and their offsets."""
        out = np.empty((int(self.lengths.sum()), *self.values.shape[1:]), self.values.dtype)
        ends = row_offsets(self.lengths)
        for row, start in zip(self._runs(), ends, strict=False):
            out[start : start + len(row)] = row
        return out, ends

    def kept(self) -> Ragged:
        """Returns the rows in memory, if `IN_MEMORY` holds them, or else itself."""
        return self if self.bytes > IN_MEMORY else Ragged(*self.flattened())

    def _runs(self) -> Iterator[np.ndarray]:
        return self.make(np.arange(len(self)))


class Recordings(Streamed):
    """Files, decoded and brought to a sample rate in threads.

    Args:
        files: WAV or FLAC.
        names: What each is called in an error.
        sample_rate: Samples a second wanted.
    """

    def __init__(self, files: Sequence[Path], names: Sequence[str], sample_rate: int):
        self._files, self._names, self._rate = files, names, sample_rate
        with concurrent.futures.ThreadPoolExecutor(num_cores()) as pool:
            try:
                found = pool.map(recorded_length, files, itertools.repeat(sample_rate), names)
                lengths = np.fromiter(found, np.int64, len(files))
            finally:
                pool.shutdown(cancel_futures=True)
        super().__init__(lengths, np.zeros(0, np.int16))

    def take(self, rows: np.ndarray) -> "Recordings":
        """Returns the recordings `rows`."""
        taken = cast(Recordings, super().take(rows))
        taken._files = [self._files[row] for row in rows]
        taken._names = [self._names[row] for row in rows]
        return taken

    def make(self, rows: np.ndarray) -> Iterator[np.ndarray]:
        """Yields samples of recordings."""
        return in_threads(self._decode, rows)

    def _decode(self, row: int) -> np.ndarray:
        samples = read_recording(self._files[row], self._rate, self._names[row])
        if len(samples) != self.lengths[row]:
            raise InputError(
                f"Expected {self.lengths[row]:,} samples, as when the data were opened. "
                f"Received: {self._names[row]}, with {len(samples):,}"
            )
        return samples


def in_threads(
    read: Callable[[int], np.ndarray], rows: np.ndarray, threads: int | None = None
) -> Iterator[np.ndarray]:
    """Reads rows in threads, a few ahead of whoever takes them, in order.

    Args:
        read: Reads one.
        rows: Which.
        threads: How many; `None`: as many as there are cores.
    """
    threads = threads or num_cores()
    left = iter(rows.tolist())
    with concurrent.futures.ThreadPoolExecutor(threads) as pool:
        waiting = [pool.submit(read, row) for row in itertools.islice(left, _AHEAD * threads)]
        try:
            while waiting:
                found = waiting.pop(0).result()
                waiting += [pool.submit(read, row) for row in itertools.islice(left, 1)]
                yield found
        finally:
            pool.shutdown(cancel_futures=True)
