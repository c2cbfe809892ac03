"""A uniform sample of a stream of examples, in bounded memory."""

import numpy as np

from ls_keras.inputs.numpy_examples import HostExamples


class Reservoir:
    """Keeps `capacity` of all the examples added, each with the same probability (Vitter's R).

    The draw depends on `seed` and on the order of the examples alone, not on the batches.

    Args:
        capacity: Examples to keep; all, where fewer are added.
        seed: Integer ≥ 0.
    """

    def __init__(self, capacity: int, seed: int = 0):
        self.capacity = capacity
        self.seen = 0
        self._flat, self._masked = True, False
        self._rng = np.random.default_rng(seed)
        self._logits = np.empty((0, 0))
        self._columns: dict[str, np.ndarray] = {}

    def add(self, examples: HostExamples) -> None:
        """Adds a batch; its logits are copied where they are kept."""
        logits, rows = examples.logits, examples.rows
        if not self.seen:
            self._logits = np.empty((0, logits.shape[1]), logits.dtype)
        n = len(examples)
        order = np.arange(self.seen, self.seen + n)
        # One number an example, also for those that fill the reservoir, whatever the batches.
        slots = (self._rng.random(n) * (order + 1)).astype(np.int64)
        slots = np.where(order < self.capacity, order, slots)
        taken = np.flatnonzero(slots < self.capacity)
        # Of several examples for one slot the last stays.
        slots, last = np.unique(slots[taken][::-1], return_index=True)
        taken = taken[::-1][last]
        self.seen += n
        size = min(self.seen, self.capacity)
        self._logits = _grown(self._logits, size, self.capacity)
        self._logits[slots] = logits[taken if rows is None else rows[taken]]
        columns = {
            "weights": examples.weights,
            "top": examples.top,
            "gap": examples.gap,
            "correct": examples.correct,
        }
        for name, values in (("mass", examples.mass), ("positive", examples.positive)):
            if values is not None:
                columns[name] = values
        for name, values in columns.items():
            kept = _grown(self._columns.get(name, values[:0]), size, self.capacity)
            kept[slots] = values[taken]
            self._columns[name] = kept
        self._flat = self._flat and examples.flat
        self._masked = self._masked or examples.masked

    def examples(self) -> HostExamples:
        """Returns the sample."""
        size = min(self.seen, self.capacity)
        columns = {name: values[:size] for name, values in self._columns.items()}
        return HostExamples(
            logits=self._logits[:size],
            rows=None,
            mass=columns.pop("mass", None),
            positive=columns.pop("positive", None),
            flat=self._flat,
            masked=self._masked,
            **columns,
        )


def _grown(array: np.ndarray, size: int, capacity: int) -> np.ndarray:
    """Returns `array` with room for `size` rows, doubling, so that copies stay few."""
    if len(array) >= size:
        return array
    grown = np.empty((max(size, min(2 * len(array), capacity)), *array.shape[1:]), array.dtype)
    grown[: len(array)] = array
    return grown
