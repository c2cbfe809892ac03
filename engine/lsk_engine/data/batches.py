"""Batches as a function of the global step, so that a resumed run sees what it would have seen.

The source is NumPy and knows no framework; `lsk_engine.data.datasets` wraps it for the backend.
"""

import dataclasses
import functools
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from ls_base.errors import InputError
from lsk_engine.tasks.contract import Examples

PADDING_ID = -1  # the id of rows that only fill a batch


class Batch(NamedTuple):
    """One batch of a fixed number of rows.

    Attributes:
        inputs: Arrays by input name, each with leading axis `batch_size`.
        labels: Integers `(batch_size, ...)`.
        sample_weight: float32 in the shape of `labels`; 0 where a position does not count.
        ids: int64 `(batch_size,)`: the examples' rows in their split; `PADDING_ID` for filling.

    `batch_size` is the source's for batches of this size, rounded up to a multiple of its
    `replicas`; a process that reads one of several shards has its part of these rows.
    """

    inputs: dict[str, np.ndarray]
    labels: np.ndarray
    sample_weight: np.ndarray
    ids: np.ndarray


@dataclasses.dataclass(frozen=True, eq=False)
class BatchSource:
    """`batch(step)` for any step, in O(1) within an epoch and O(n) once an epoch.

    Every batch has `batch_size` rows and one of at most `len(boundaries)` sizes; with
    `whole_split`, no more rows than the split has examples of its size. A partial last batch is
    filled with rows of weight 0: other examples of the split, since copies of a few would distort
    the statistics of BatchNormalization.

    The weights contain the denominator of the loss: the sum of `weight × loss` is the mean over the
    positions that count, in whatever way a batch is distributed over replicas. In training, the
    weights of each batch sum to 1. With `whole_split`, all batches have equal weights, so that the
    mean over batches is the mean over the split's positions.

    Args:
        examples: The split.
        batch_size: Rows in each batch, over all replicas.
        ignore_class: The label of padding, or `None`.
        boundaries: Ascending sizes that batches are padded to; `None` for one common shape.
        shuffle: Whether each epoch has its own order, drawn from `seed` and the epoch's number.
        seed: Any integer ≥ 0.
        whole_split: Whether weights refer to the whole split instead of the batch.
        drop_remainder: Whether partial batches are skipped instead of filled.
        replicas: Number of replicas; the rows of a batch are filled to a multiple of it.
        tokens: Largest number of positions in a batch, filling included: a batch of size L has
            `tokens // L` rows, a multiple of `replicas` if possible; `None`: `batch_size` rows.
        shard: The part of each batch to read, as `(index, count)`. Parts are consecutive rows;
            `count` divides `replicas`. Weights are those of the whole batch.

    Attributes:
        failures: Exceptions from reading batches.
    """

    examples: Examples
    batch_size: int
    ignore_class: int | None = None
    boundaries: Sequence[int] | None = None
    shuffle: bool = False
    seed: int = 0
    whole_split: bool = False
    drop_remainder: bool = False
    replicas: int = 1
    tokens: int | None = None
    shard: tuple[int, int] = (0, 1)
    failures: list[Exception] = dataclasses.field(default_factory=list, init=False)

    def __post_init__(self):
        if self.batch_size < 1:
            raise InputError(f"Expected a batch size of at least 1. Received: {self.batch_size}")
        if not len(self.examples):
            raise InputError("Expected at least one example. Received: an empty split")
        sizes = self.examples.sizes
        if (sizes is None) != (self.boundaries is None):
            raise InputError(
                "Expected `boundaries` for examples with sizes, and for no others. "
                f"Received: boundaries={self.boundaries}"
            )
        if sizes is not None and sizes.max() > max(self.boundaries or ()):
            raise InputError(
                f"Expected examples of size at most {max(self.boundaries or ())}. "
                f"Received: one of size {sizes.max()}"
            )
        if self.tokens is not None and sizes is None:
            raise InputError(
                "Expected training.tokens_per_batch for examples of unequal length only; others "
                f"are counted by training.batch_size. Received: {self.tokens}"
            )
        if not self.steps_per_epoch:
            raise InputError(
                "Expected at least one whole batch, without training.drop_remainder or with a "
                f"smaller training.batch_size. Received: {len(self.examples)} examples, "
                f"batch_size={self.batch_size}"
            )

    @functools.cached_property
    def _members(self) -> list[tuple[np.ndarray, int]]:
        """The rows of each bucket that is not empty, and the number of rows in its batches."""
        if self.examples.sizes is None:
            rows = np.arange(len(self.examples))
            return [(rows, self._rows_of(len(rows), None))]
        bucket = np.searchsorted(np.asarray(self.boundaries), self.examples.sizes)
        groups = (
            (np.flatnonzero(bucket == b), size) for b, size in enumerate(self.boundaries or ())
        )
        return [(rows, self._rows_of(len(rows), size)) for rows, size in groups if len(rows)]

    def _rows_of(self, count: int, size: int | None) -> int:
        """Returns the number of rows in batches of `count` examples of one size."""
        if self.tokens is None or size is None:
            return min(self.batch_size, count) if self.whole_split else self.batch_size
        rows = max(self.tokens // size, 1)
        return max(rows // self.replicas, 1) * self.replicas

    @property
    def rows_vary(self) -> bool:
        """Whether batches of different sizes have different numbers of rows."""
        return len({rows for _, rows in self._members}) > 1

    @functools.cached_property
    def steps_per_epoch(self) -> int:
        """Number of batches in an epoch, without partial ones if `drop_remainder` is set."""
        found = 0
        for rows, together in self._members:
            found += (len(rows) + (0 if self.drop_remainder else together - 1)) // together
        return found

    @functools.cached_property
    def _label_counts(self) -> np.ndarray:
        return self.examples.label_counts()

    @functools.cached_property
    def num_labels(self) -> int:
        """Number of positions that count in the split."""
        return int(self._label_counts.sum())

    def batch(self, step: int) -> Batch:
        """Returns the batch of the global step `step` ≥ 0."""
        epoch, position = divmod(step, self.steps_per_epoch)
        rows, others, together = self._plan(epoch)[position]
        size = None
        if self.examples.sizes is not None:
            fitting = np.searchsorted(np.asarray(self.boundaries), self.examples.sizes[rows].max())
            size = int(self.boundaries[fitting])  # type: ignore[index]
        filling = -(-together // self.replicas) * self.replicas - len(rows)
        padded = np.concatenate([rows, np.resize(others, filling)])
        ids = np.concatenate([rows, np.full(filling, PADDING_ID)]).astype(np.int64)
        index, count = self.shard
        part = slice(index * len(padded) // count, (index + 1) * len(padded) // count)
        ids = ids[part]
        try:
            inputs, labels = self.examples.gather(padded[part], size)
        except Exception as error:
            self.failures.append(error)
            raise
        counts = np.ones(labels.shape, bool)
        if self.ignore_class is not None:
            counts &= labels != self.ignore_class
        counts[ids == PADDING_ID] = False
        if self.whole_split:
            scale = self.steps_per_epoch / max(self.num_labels, 1)
        else:
            whole = counts.sum() if count == 1 else self._label_counts[rows].sum()
            scale = 1.0 / max(int(whole), 1)
        return Batch(inputs, labels, counts.astype(np.float32) * np.float32(scale), ids)

    def _plan(self, epoch: int) -> list[tuple[np.ndarray, np.ndarray, int]]:
        """Returns, for each batch of an epoch, its rows, rows to fill it with, and its size."""
        return self._plans(epoch if self.shuffle else 0)

    @functools.cached_property
    def _plans(self):
        # Two epochs: prefetching crosses the boundary while evaluation reads the epoch before.
        @functools.lru_cache(maxsize=2)
        def plan(epoch: int) -> list[tuple[np.ndarray, np.ndarray, int]]:
            rng = np.random.default_rng([self.seed, epoch])
            batches = []
            for rows, n in self._members:
                order = rng.permutation(rows) if self.shuffle else rows
                end = len(order)
                if self.drop_remainder:
                    end -= end % n
                batches += [(order[i : i + n], order, n) for i in range(0, end, n)]
            if self.shuffle:
                batches = [batches[i] for i in rng.permutation(len(batches))]
            return batches

        return plan


def bucket_boundaries(sizes: np.ndarray, max_buckets: int = 3) -> tuple[int, ...]:
    """Returns at most `max_buckets` sizes with the least padding.

    Minimizes Σ_i (boundary(i) − size(i)) exactly, by dynamic programming over the distinct sizes.
    Few buckets, because XLA compiles a program for each shape.

    Args:
        sizes: Int array `(n,)`, n ≥ 1.
        max_buckets: At least 1.

    Example:
    >>> bucket_boundaries(np.array([3, 3, 4, 9, 10, 30]), max_buckets=3)
    (4, 10, 30)
    """
    if max_buckets < 1 or not len(sizes):
        raise InputError(
            "Expected sizes and at least one bucket. "
            f"Received: {len(sizes)} sizes, max_buckets={max_buckets}"
        )
    values, counts = np.unique(sizes, return_counts=True)
    below = np.concatenate([[0], np.cumsum(counts)])  # examples smaller than values[i]
    best = values * below[1:]  # cost of one bucket over values[: i + 1]
    cuts: list[np.ndarray] = []
    for _ in range(min(max_buckets, len(values)) - 1):
        # cost[j, i]: what came before ends at j, the new bucket holds values[j + 1 : i + 1].
        cost = best[:, None] + values[None, :] * (below[None, 1:] - below[1:, None])
        cost = np.where(np.arange(len(values))[:, None] < np.arange(len(values)), cost, 2**62)
        cut = cost.argmin(axis=0)
        cuts.append(cut)
        best = cost[cut, np.arange(len(values))]
    boundaries, end = [], len(values) - 1
    for cut in [*reversed(cuts), None]:
        boundaries.append(int(values[end]))
        if cut is not None:
            end = int(cut[end])
    return tuple(reversed(boundaries))
