"""Some of the examples of each split, for a quick look."""

import dataclasses
from collections.abc import Iterator

import numpy as np

from lsk_engine.data.lazy import LazyNotes, map_splits
from lsk_engine.tasks.contract import Examples, TaskData


def subsample(data: TaskData, most: int | None, *, scored: bool = False) -> TaskData:
    """Returns data of which no split has more than so many examples, and notes that say so.

    They are drawn at random, since data are often sorted by class; the draw is the same for every
    seed. Classes, vocabulary and how often classes are labels stay those of all the data.

    Args:
        data: The data.
        most: Examples of a split; `None`: all.
        scored: Whether notes are about what is scored only, for which no training split is loaded.
    """
    if most is None:
        return data
    numbers = {name: number for number, name in enumerate(data.splits)}

    def look(name: str, examples: Examples) -> Examples:
        if len(examples) <= most:
            return examples
        order = np.random.default_rng([0, numbers[name]]).permutation(len(examples))
        return take_examples(examples, np.sort(order[:most]))

    def notes() -> Iterator[str]:
        yield from data.notes
        for name in data.splits:
            if scored and name == "train":
                continue
            examples = data.splits[name]
            if len(examples) > most:
                yield f"{name}: a quick look at {most:,} of {len(examples):,} examples"

    return dataclasses.replace(data, splits=map_splits(data.splits, look), notes=LazyNotes(notes))


def take_examples(examples: Examples, rows: np.ndarray) -> Examples:
    """Returns some examples as a split of their own.

    Args:
        examples: A split; a task's own way, its method `take`, is preferred.
        rows: Which.
    """
    taken = examples.take(rows)
    return SubsetExamples(examples, rows) if taken is None else taken


class SubsetExamples(Examples):
    """Some examples of a split, which has no way of its own to take them.

    Args:
        examples: The split.
        rows: Which.
    """

    def __init__(self, examples: Examples, rows: np.ndarray):
        self._examples, self._rows = examples, rows
        self.sizes = None if examples.sizes is None else examples.sizes[rows]
        self.references = [examples.references[row] for row in rows]
        self.workers = examples.workers

    def __len__(self) -> int:
        return len(self._rows)

    def gather(
        self, rows: np.ndarray, size: int | None
    ) -> tuple[dict[str, np.ndarray], np.ndarray]:
        """Returns what the split has of these rows."""
        return self._examples.gather(self._rows[rows], size)

    def label_counts(self) -> np.ndarray:
        """Returns how many labels that count each example has."""
        return self._examples.label_counts()[self._rows]
