"""Data as Keras takes them, batch by batch: every function and callback reads them here."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import keras
import numpy as np

from ls_keras.backend.tensors import as_array
from ls_keras.errors import InputError, shown
from ls_keras.inputs.validation import as_count

KINDS = (
    "(x, y) or (x, y, sample_weight) arrays, or batches of them: a tf.data.Dataset, a PyDataset, "
    "a DataLoader of PyTorch, a list"
)


class Batches:
    """Batches of examples with labels, which can be iterated repeatedly; see `as_batches`.

    Args:
        source: An iterable of batches `(x, y)` or `(x, y, sample_weight)`.
        name: The argument's name, for messages.
    """

    def __init__(self, source: Iterable, name: str):
        self.source, self.name = source, name

    def __repr__(self) -> str:
        return f"{type(self).__name__}({shown(self.source)})"

    def __iter__(self) -> Iterator[tuple[Any, Any, Any]]:
        """Yields `(x, y, sample_weight or None)` as NumPy arrays."""
        for batch in self._batches():
            if not isinstance(batch, tuple | list) or not 2 <= len(batch) <= 3 or batch[1] is None:
                raise InputError(
                    f"Expected batches (x, y) or (x, y, sample_weight) in {self.name}. "
                    f"Received: {type(batch).__name__}"
                    + (f" of length {len(batch)}" if isinstance(batch, tuple | list) else "")
                )
            x, y, *rest = batch
            weights = rest[0] if rest else None
            yield tuple(keras.tree.map_structure(_as_array, part) for part in (x, y, weights))

    def _batches(self) -> Iterable:
        source = self.source
        if isinstance(source, keras.utils.PyDataset):  # its own iteration may not end
            if source.num_batches is None:
                raise InputError(
                    f"Expected finite {self.name}. Received: a PyDataset without a length"
                )
            return (source[i] for i in range(source.num_batches))
        cardinality = getattr(source, "cardinality", None)
        if cardinality is not None and int(np.asarray(cardinality())) == -1:
            raise InputError(f"Expected finite {self.name}. Received: an infinite dataset")
        return source


class _ArrayBatches:
    """Arrays of equal length, split into batches."""

    def __init__(self, arrays: tuple, batch_size: int, length: int):
        self.arrays, self.batch_size, self.length = arrays, batch_size, length

    def __repr__(self) -> str:
        return f"arrays of {self.length:,} examples"

    def __iter__(self) -> Iterator[tuple]:
        for start in range(0, self.length, self.batch_size):
            rows = slice(start, start + self.batch_size)
            yield keras.tree.map_structure(
                lambda array, rows=rows: None if array is None else array[rows], self.arrays
            )


def as_batches(data, name: str, *, batch_size: int = 32, again: str | None = "") -> Batches:
    """Converts any data that Keras's `fit` accepts into batches of arrays.

    Args:
        data: A tuple of arrays `(x, y)` or `(x, y, sample_weight)`, x in any structure; a
            `tf.data.Dataset`, a `keras.utils.PyDataset`, a `DataLoader` of PyTorch, a list or other
            iterable of such batches; or `Batches`.
        name: The argument's name, for messages.
        batch_size: The batch size for arrays; datasets have their own. Default: 32.
        again: The end of the message for an iterator, which can't be read a second time; `None` if
            the data are read once.

    Raises:
        InputError: If they are something else, or arrays of different lengths; during iteration,
            if they are infinite, or if a batch has no labels.

    Example:
    >>> import numpy as np
    >>> from ls_keras.inputs.batches import as_batches
    >>> [len(y) for x, y, _ in as_batches((np.zeros((5, 2)), np.arange(5)), "data", batch_size=2)]
    [2, 2, 1]
    """
    batch_size = as_count(batch_size, "batch_size", 1)
    if isinstance(data, Batches):
        return data
    if isinstance(data, tuple):
        return Batches(_split(data, name, batch_size), name)
    one_pass = not isinstance(data, keras.utils.PyDataset)
    if one_pass and (
        not hasattr(data, "__iter__") or isinstance(data, str | bytes | Mapping) or _is_array(data)
    ):
        raise InputError(f"Expected {name} to be {KINDS}. Received: {shown(data)}")
    if again is not None and isinstance(data, Iterator):
        raise InputError(
            f"Expected {name} that can be read several times{again}. Received: an iterator"
        )
    return Batches(data, name)


def _split(data: tuple, name: str, batch_size: int) -> _ArrayBatches:
    if not 2 <= len(data) <= 3 or data[1] is None:
        raise InputError(f"Expected {name} to be {KINDS}. Received: a tuple of {len(data)}")
    names = ("x", "y", "sample_weight")
    arrays = tuple(_structure(part, of) for part, of in zip(data, names, strict=False))
    leaves = [leaf for leaf in keras.tree.flatten(arrays) if leaf is not None]
    lengths = {len(leaf) if leaf.ndim else 0 for leaf in leaves}
    if len(lengths) != 1:
        raise InputError(
            f"Expected arrays of one length in {name}. Received: lengths {sorted(lengths)}"
        )
    return _ArrayBatches(arrays, batch_size, lengths.pop())


def _structure(value, name: str):
    """Returns a structure of arrays; a list of numbers is one array."""
    if value is None and name == "sample_weight":
        return None
    if isinstance(value, Mapping):
        return {key: _structure(entry, name) for key, entry in value.items()}
    if isinstance(value, tuple | list) and any(_is_array(v) or isinstance(v, dict) for v in value):
        entries = [_structure(entry, name) for entry in value]
        named = isinstance(value, tuple) and type(value) is not tuple
        return type(value)(*entries) if named else type(value)(entries)
    if name == "x" and _holds_strings(value):
        return np.asarray(value)
    return as_array(value, name)


def _holds_strings(value) -> bool:
    """Returns whether a value is a list or array of strings, which a preprocessor reads."""
    if not isinstance(value, list | np.ndarray):
        return False
    first = next(iter(np.asarray(value, dtype=object).flat), None)
    return isinstance(first, str | bytes)


def _is_array(value) -> bool:
    return hasattr(value, "shape") and hasattr(value, "dtype")


def _as_array(value):
    """Converts tensors of any framework to arrays, so that `tf.data` can feed a JAX model."""
    if hasattr(value, "detach"):  # PyTorch's, which may be on a GPU or require gradients
        value = value.detach().cpu()
    return np.asarray(value) if hasattr(value, "__array__") else value
