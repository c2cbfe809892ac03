"""Telling whether examples, their order and a teacher are those of another day."""

import dataclasses
import hashlib
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, NamedTuple

import numpy as np

from ls_base.errors import InputError
from ls_keras.arguments import as_array, shown


@dataclasses.dataclass(frozen=True)
class DataFingerprint:
    """What examples are, in an order and apart from it.

    Attributes:
        examples: How many.
        content: Hexadecimal; the same in every order.
        order: Hexadecimal SHA-256 of all examples, one after another.
    """

    examples: int
    content: str
    order: str


class KnownExamples(NamedTuple):
    """What is known of examples that were read once.

    Attributes:
        data: What they are.
        counts: int64 `(n,)`: how many labels of each count.
    """

    data: DataFingerprint
    counts: np.ndarray


class ArrayExamples:
    """Arrays as examples: one by one, or in batches.

    Args:
        inputs: An array, or arrays by name, of one leading axis.
        labels: An array of the same leading axis.
    """

    def __init__(self, inputs: Any, labels: Any):
        self.inputs = (
            {name: as_array(value, f"inputs[{name!r}]") for name, value in inputs.items()}
            if isinstance(inputs, Mapping)
            else as_array(inputs, "inputs")
        )
        self.labels = as_array(labels, "labels")
        arrays = [*self.inputs.values()] if isinstance(self.inputs, dict) else [self.inputs]
        lengths = {len(array) if array.ndim else 0 for array in (*arrays, self.labels)}
        if len(lengths) != 1 or not len(self.labels):
            raise InputError(
                "Expected inputs and labels of as many examples, at least one. "
                f"Received: {sorted(lengths)}"
            )

    def __len__(self) -> int:
        return len(self.labels)

    def __iter__(self) -> Iterator[tuple[Any, np.ndarray]]:
        return (self._take(row) for row in range(len(self)))

    def batches(self, batch_size: int) -> Iterator[tuple[np.ndarray, Any, np.ndarray]]:
        """Yields `(rows, inputs, labels)`, each of as many rows.

        The last batch is filled up with its first example, under the row −1.
        """
        batch_size = min(batch_size, len(self))
        for start in range(0, len(self), batch_size):
            rows = np.arange(start, min(start + batch_size, len(self)))
            filling = batch_size - len(rows)
            inputs, labels = self._take(np.concatenate([rows, np.repeat(rows[:1], filling)]))
            yield np.concatenate([rows, np.full(filling, -1)]), inputs, labels

    def _take(self, rows) -> tuple[Any, Any]:
        if isinstance(self.inputs, dict):
            return {name: array[rows] for name, array in self.inputs.items()}, self.labels[rows]
        return self.inputs[rows], self.labels[rows]


def as_array_examples(examples: tuple[Any, Any]) -> ArrayExamples:
    """Returns `(x, y)` as examples.

    Raises:
        InputError: If it is something else.
    """
    if isinstance(examples, tuple | list) and len(examples) == 2:
        return ArrayExamples(*examples)
    raise InputError(f"Expected examples as (x, y). Received: {shown(examples)}")


def fingerprint_examples(
    examples: Iterable[tuple[Any, np.ndarray]], ignore_class: int | None = None
) -> KnownExamples:
    """Reads examples once.

    Args:
        examples: `(inputs, labels)` of each example, in order, without padding that comes from a
            batch; inputs are an array, or arrays by name.
        ignore_class: The label of padding, or `None`.
    """
    content, order = 0, hashlib.sha256()
    counts = []
    for inputs, labels in examples:
        counts.append(np.size(labels) if ignore_class is None else np.sum(labels != ignore_class))
        named = inputs if isinstance(inputs, Mapping) else {"": inputs}
        one = hashlib.sha256()
        for name, array in (*sorted(named.items()), ("labels", labels)):
            _add(one, name, array)
        order.update(one.digest())
        content = (content + int.from_bytes(one.digest())) % 2**256
    data = DataFingerprint(len(counts), f"{content:064x}", order.hexdigest())
    return KnownExamples(data, np.array(counts, np.int64))


def fingerprint_model(model) -> str:
    """Returns the SHA-256 of a model's weights, their shapes and their order.

    Args:
        model: A built `keras.Model`; names of layers, which differ from process to process, and
            states of seed generators do not count.

    Example:
    ```python
    >>> import keras
    >>> from ls_keras.distillation.fingerprint import fingerprint_model
    >>> model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(3)])
    >>> copy = keras.models.clone_model(model)
    >>> copy.set_weights(model.get_weights())
    >>> fingerprint_model(copy) == fingerprint_model(model)
    True

    ```
    """
    whole = hashlib.sha256()
    for weight in model.get_weights():
        _add(whole, "", weight)
    return whole.hexdigest()


def _add(to, name: str, array: np.ndarray) -> None:
    array = np.ascontiguousarray(array)
    to.update(f"{name}|{array.dtype}|{array.shape}|".encode())
    to.update(array.tobytes())
