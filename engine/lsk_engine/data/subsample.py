"""Subsampling the splits of a task's data, to try things out quickly."""

import dataclasses
from collections.abc import Iterator

import numpy as np

from lsk_engine.data.lazy import LazyNotes, map_splits
from lsk_engine.tasks.contract import Examples, TaskData


def subsample(data: TaskData, max_examples: int | None, *, scored: bool = False) -> TaskData:
    """Returns data with at most `max_examples` examples in each split, and notes that say so.

    Examples are drawn at random, since data are often sorted by class, and equally for every seed.
    Classes, vocabulary and label counts stay those of all the data.

    Args:
        data: The data.
        max_examples: Examples of a split; `None`: all.
        scored: Whether notes are about scored splits only, so that no training split is loaded.
    """
    if max_examples is None:
        return data
    numbers = {name: number for number, name in enumerate(data.splits)}

    def draw(name: str, examples: Examples) -> Examples:
        if len(examples) <= max_examples:
            return examples
        order = np.random.default_rng([0, numbers[name]]).permutation(len(examples))
        return take_examples(examples, np.sort(order[:max_examples]))

    def notes() -> Iterator[str]:
        yield from data.notes
        for name in data.splits:
            if scored and name == "train":
                continue
            total = len(data.splits[name])
            if total > max_examples:
                yield f"{name}: a quick look at {max_examples:,} of {total:,} examples"

    return dataclasses.replace(data, splits=map_splits(data.splits, draw), notes=LazyNotes(notes))


def take_examples(examples: Examples, rows: np.ndarray) -> Examples:
    """Returns some examples of a split as a split; its own method `take` is preferred.

    Args:
        examples: The split.
        rows: The rows to take.
    """
    taken = examples.take(rows)
    return SubsetExamples(examples, rows) if taken is None else taken


class SubsetExamples(Examples):
    """Some examples of a split that has no method `take`.

    Args:
        examples: The split.
        rows: The rows to take.
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
        """Returns the inputs and labels of these rows."""
        return self._examples.gather(self._rows[rows], size)

    def label_counts(self) -> np.ndarray:
        """Returns the number of labels that count, per example."""
        return self._examples.label_counts()[self._rows]
