"""Telling whether examples, their order and a teacher are those of another day."""

import dataclasses
import hashlib
from collections.abc import Mapping
from typing import Any

import numpy as np

from ls_keras.errors import InputError
from ls_keras.task import Examples


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


class ArrayExamples(Examples):
    """Arrays as examples, to be read like a task's.

    Args:
        inputs: An array, or arrays by name, of one leading axis.
        labels: An array of the same leading axis.
    """

    def __init__(self, inputs: Any, labels: Any):
        self.inputs = (
            {name: np.asarray(value) for name, value in inputs.items()}
            if isinstance(inputs, Mapping)
            else np.asarray(inputs)
        )
        self.labels = np.asarray(labels)
        arrays = [*self.inputs.values()] if isinstance(self.inputs, dict) else [self.inputs]
        lengths = {len(array) if array.ndim else 0 for array in (*arrays, self.labels)}
        if len(lengths) != 1 or not len(self.labels):
            raise InputError(
                "Expected inputs and labels of as many examples, at least one. "
                f"Received: {sorted(lengths)}"
            )

    def __len__(self) -> int:
        return len(self.labels)

    def gather(self, rows: np.ndarray, size: int | None):
        """Returns `(inputs, labels)` of `rows`; all have one shape."""
        if isinstance(self.inputs, dict):
            return {name: array[rows] for name, array in self.inputs.items()}, self.labels[rows]
        return self.inputs[rows], self.labels[rows]


def fingerprint_examples(examples: Examples, ignore_class: int | None = None):
    """Reads examples once, each padded to its own size.

    Args:
        examples: The examples, in order.
        ignore_class: The label of padding, or `None`.

    Returns:
        A `DataFingerprint`, and how many labels of each example count, int64 `(n,)`.
    """
    content, order = 0, hashlib.sha256()
    counts = np.empty(len(examples), np.int64)
    for row in range(len(examples)):
        size = None if examples.sizes is None else int(examples.sizes[row])
        inputs, labels = examples.gather(np.array([row]), size)
        counts[row] = np.sum(labels != ignore_class) if ignore_class is not None else labels.size
        named = inputs if isinstance(inputs, Mapping) else {"": inputs}
        one = hashlib.sha256()
        for name, array in (*sorted(named.items()), ("labels", labels)):
            _add(one, name, array[0])
        order.update(one.digest())
        content = (content + int.from_bytes(one.digest())) % 2**256
    return DataFingerprint(len(examples), f"{content:064x}", order.hexdigest()), counts


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
