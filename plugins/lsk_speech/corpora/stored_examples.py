"""Examples of TensorFlow Datasets that are read again when a batch has them."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, cast

import numpy as np

from lsk_engine import InputError
from lsk_engine.data.formats.tfds import read_split
from lsk_speech.corpora.recordings import Streamed, in_threads


class StoredExamples:
    """The examples of some splits, one split after another.

    Args:
        builder: The data set.
        names: Its splits.
        read: Returns the samples of an example, which is called as told in errors.
    """

    def __init__(
        self,
        builder,
        names: Sequence[str],
        read: Callable[[Mapping[str, Any], str], np.ndarray],
    ):
        self.builder, self.names, self.read = builder, names, read
        self._sources: list | None = None
        if builder.info.file_format.value == "array_record":
            self._sources = [builder.as_data_source(name) for name in names]
            self._ends = np.cumsum([len(source) for source in self._sources])

    def all(self) -> Iterator[tuple[Mapping[str, Any], str]]:
        """Yields every example, and what it is called in an error."""
        for name in self.names:
            for i, example in enumerate(read_split(self.builder, name)):
                yield example, self._called(name, i)

    def samples(self, row: int) -> np.ndarray:
        """Returns the samples of one example.

        Raises:
            InputError: If its file can be read in order only.
        """
        if self._sources is None:
            raise InputError(
                "Expected array_record files, which can be read row by row (`tfds build "
                f"{self.builder.name} --file_format=array_record`), or data that `lsk prepare` "
                f"wrote. Received: {self.builder.info.file_format.value} files of more than memory "
                "is to hold"
            )
        place = int(np.searchsorted(self._ends, row, side="right"))
        i = row - (int(self._ends[place - 1]) if place else 0)
        return self.read(self._sources[place][i], self._called(self.names[place], i))

    @property
    def by_row(self) -> bool:
        """Whether examples can be read in any order."""
        return self._sources is not None

    def _called(self, name: str, i: int) -> str:
        return f"example {i} of {name} in {self.builder.info.full_name}"


class StreamedExamples(Streamed):
    """Their samples, brought to a sample rate.

    Args:
        stored: The examples.
        lengths: How many samples each will have.
    """

    def __init__(self, stored: StoredExamples, lengths: np.ndarray):
        self._stored, self._rows = stored, np.arange(len(lengths))
        super().__init__(lengths, np.zeros(0, np.int16))

    def take(self, rows: np.ndarray) -> "StreamedExamples":
        """Returns the examples `rows`."""
        taken = cast(StreamedExamples, super().take(rows))
        taken._rows = self._rows[rows]
        return taken

    def make(self, rows: np.ndarray) -> Iterator[np.ndarray]:
        """Yields samples; of files that can be read in order only, if the rows are in order."""
        wanted = self._rows[rows]
        if self._stored.by_row or len(wanted) < 2 or (np.diff(wanted) <= 0).any():
            yield from in_threads(self._stored.samples, wanted)
            return
        left = iter(wanted.tolist())
        row = next(left)
        for i, (example, called) in enumerate(self._stored.all()):
            if i == row:
                yield self._stored.read(example, called)
                if (row := next(left, -1)) < 0:
                    return
