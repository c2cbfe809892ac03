"""Fingerprints of examples, of their order and of a teacher."""

import dataclasses
import hashlib
from collections.abc import Iterable, Iterator
from operator import itemgetter
from pathlib import Path
from typing import Any, NamedTuple

import keras
import numpy as np

from ls_base.errors import InputError
from ls_keras.backend.tensors import as_array
from ls_keras.inputs.batches import as_batches

_CHANGED = (
    "Expected the same examples in the same order each time, not shuffled or changed at random. "
    "Received: other examples when read again"
)


@dataclasses.dataclass(frozen=True)
class DataFingerprint:
    """Hashes of examples, with and without their order.

    Attributes:
        examples: Number of examples.
        content: Hexadecimal hash that does not depend on the order.
        order: Hexadecimal SHA-256 of all examples in order.
    """

    examples: int
    content: str
    order: str


class KnownExamples(NamedTuple):
    """Fingerprint and label counts of examples that were read once.

    Attributes:
        data: The fingerprint.
        counts: int64 `(n,)`: number of labels that count of each example.
    """

    data: DataFingerprint
    counts: np.ndarray


class BatchedExamples:
    """Examples in any form that `as_batches` accepts: one by one, or in batches.

    Args:
        data: `(x, y)`, or batches of them, in the same order each time.
        batch_size: Batch size for arrays. Default: 256.
    """

    def __init__(self, data: Any, batch_size: int = 256):
        self.data = as_batches(data, "examples", batch_size=batch_size)

    def __iter__(self) -> Iterator[tuple[Any, np.ndarray]]:
        for inputs, labels in self._read():
            for row in range(len(labels)):
                yield _take(inputs, row), labels[row]

    def batches(
        self, known: KnownExamples, ignore_class: int | None = None
    ) -> Iterator[tuple[np.ndarray, Any, np.ndarray]]:
        """Yields `(rows, inputs, labels)`, with the same number of rows for arrays.

        A batch that is smaller than the first is padded with its first example, with −1 as its row,
        because another size would be compiled again.

        Args:
            known: The result of `fingerprint_examples`.
            ignore_class: The label of padding, or `None`.

        Raises:
            InputError: At the latest after the last batch, if examples or order differ.
        """
        start, size, order = 0, 0, hashlib.sha256()
        for inputs, labels in self._read():
            number = len(labels)
            size = size or number
            rows = np.arange(start, start + number)
            if start + number > len(known.counts):
                raise InputError(_CHANGED)
            for row in range(number):
                if _count(labels[row], ignore_class) != known.counts[start + row]:
                    raise InputError(_CHANGED)
                order.update(_hash_example(_take(inputs, row), labels[row]).digest())
            padding = max(0, size - number)
            if padding:
                padded = np.concatenate([np.arange(number), np.zeros(padding, int)])
                inputs, labels = _take(inputs, padded), labels[padded]
            yield np.concatenate([rows, np.full(padding, -1)]), inputs, labels
            start += number
        if order.hexdigest() != known.data.order:
            raise InputError(_CHANGED)

    def _read(self) -> Iterator[tuple[Any, np.ndarray]]:
        for inputs, y, _ in self.data:
            labels = as_array(y, "labels")
            lengths = {len(a) if np.ndim(a) else 0 for a in (*keras.tree.flatten(inputs), labels)}
            if len(lengths) != 1:
                raise InputError(
                    f"Expected inputs and labels of one length. Received: lengths {sorted(lengths)}"
                )
            if len(labels):
                yield inputs, labels


def _take(inputs: Any, rows) -> Any:
    return keras.tree.map_structure(lambda array: array[rows], inputs)


def fingerprint_examples(
    examples: Iterable[tuple[Any, np.ndarray]], ignore_class: int | None = None
) -> KnownExamples:
    """Reads examples once and computes their fingerprint.

    Args:
        examples: `(inputs, labels)` of each example, in order, without the padding of batches;
            inputs are an array, or any structure of arrays.
        ignore_class: The label of padding, or `None`.
    """
    content, order = 0, hashlib.sha256()
    counts = []
    for inputs, labels in examples:
        counts.append(_count(labels, ignore_class))
        one = _hash_example(inputs, labels)
        order.update(one.digest())
        content = (content + int.from_bytes(one.digest())) % 2**256
    data = DataFingerprint(len(counts), f"{content:064x}", order.hexdigest())
    return KnownExamples(data, np.array(counts, np.int64))


def fingerprint_model(model) -> str:
    """Returns the SHA-256 of a model's weights, their shapes and their order.

    Args:
        model: A built `keras.Model`. Names of layers, which differ between processes, and states
            of seed generators do not count.

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


def _count(labels: np.ndarray, ignore_class: int | None) -> int:
    return int(np.size(labels) if ignore_class is None else np.sum(labels != ignore_class))


def _hash_example(inputs: Any, labels: np.ndarray):
    """Returns the hash of one example."""
    flat = keras.tree.flatten_with_path(inputs)
    named = [("/".join(map(str, path)), array) for path, array in flat]
    one = hashlib.sha256()
    for name, array in (*sorted(named, key=itemgetter(0)), ("labels", labels)):
        _add(one, name, array)
    return one


def _add(digest, name: str, array: np.ndarray) -> None:
    array = np.ascontiguousarray(array)
    digest.update(f"{name}|{array.dtype}|{array.shape}|".encode())
    digest.update(array.tobytes())


def check_fingerprint(expected: DataFingerprint, found: DataFingerprint, path: Path) -> None:
    """Raises an `InputError` if a teacher's logits are of other examples, or of another order.

    Args:
        expected: Fingerprint stored with the logits.
        found: Fingerprint of the examples.
        path: Folder of the logits, for the message.
    """
    if found.content != expected.content or found.examples != expected.examples:
        raise InputError(
            f"Expected the {expected.examples:,} examples of the teacher's logits in {path}. "
            f"Received: {found.examples:,} examples that are not the same"
        )
    if found.order != expected.order:
        raise InputError(
            f"Expected the examples in the order of the teacher's logits in {path}. "
            "Received: the same examples in another order"
        )
