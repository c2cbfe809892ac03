"""Labeled arrays of one split, from arrays or from data sets of batches."""

import dataclasses
import functools
from collections.abc import Iterator, Mapping
from typing import Any, cast

import numpy as np

from ls_base.errors import InputError, short_repr
from ls_base.npz import NpzArray

MOST_BYTES = 1 << 33  # of a data set of batches, which is read into memory
X = "x"  # name of the input of a model with one input
_AT_ONCE = 1 << 24


@dataclasses.dataclass(frozen=True)
class Labeled:
    """The inputs and labels of a split.

    Attributes:
        inputs: Arrays by input name, each `(n, ...)`.
        labels: Integers `(n,)`, or `(n, time)` for labels by position.
        name: Its name in errors.
        one_hot: Number of classes of one-hot labels; `None`: the labels were integers.
    """

    inputs: Mapping[str, np.ndarray]
    labels: np.ndarray
    name: str
    one_hot: int | None = None

    def __len__(self) -> int:
        return len(self.labels)


def read_split(value: Any, name: str) -> Labeled:
    """Reads the inputs and labels of a split.

    Args:
        value: `(x, y)`; or a finite `tf.data.Dataset` or `keras.utils.PyDataset` of batches
            `(x, y)`, which is read into memory. x is an array, or a tuple or mapping with an array
            for each input; y has integer labels, `(n,)`, `(n, 1)` or `(n, time)`, or one-hot
            labels.
        name: Its name in errors, such as `train`.

    Raises:
        InputError: If it is something else, too large, endless, empty, or has NaN in x; the message
            names the row.
    """
    if isinstance(value, tuple | list) and len(value) == 2:
        x, y = value
    elif _is_data_set(value):
        x, y = _concatenate_batches(value, name)
    else:
        raise InputError(
            f"Expected {name} to be (x, y), a tf.data.Dataset or a keras.utils.PyDataset. "
            f"Received: {_describe(value)}"
        )
    inputs = {key: _input(array, key, name) for key, array in _by_name(x).items()}
    labels, one_hot = _labels(y, name)
    for key, array in inputs.items():
        if len(array) != len(labels):
            raise InputError(
                f"Expected as many labels as examples in {name}. "
                f"Received: {len(array):,} in {key} and {len(labels):,} labels"
            )
    if not len(labels):
        raise InputError(f"Expected at least one example in {name}. Received: none")
    return Labeled(inputs, labels, name, one_hot)


def _by_name(x: Any) -> dict[str, Any]:
    if isinstance(x, Mapping):
        return {str(key): value for key, value in x.items()}
    if isinstance(x, tuple):
        return {f"{X}_{place}": value for place, value in enumerate(x, 1)}
    return {X: x}


class StoredInput:
    """An input in an `.npz` file, which is read and checked when its values are needed.

    Attributes:
        shape: `(n, ...)`.
        dtype: That of the values: 64-bit floats become 32-bit floats.
    """

    def __init__(self, array: NpzArray, key: str, name: str):
        self.shape, self._array = array.shape, array
        self.dtype = np.dtype(np.float32) if array.dtype == np.float64 else array.dtype
        self._values = functools.cache(lambda: _finite(array.read(), key, name))

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, index) -> np.ndarray:
        return np.asarray(self._values()[index], self.dtype)

    def __array__(self, dtype=None, copy=None) -> np.ndarray:
        return np.array(self[:], dtype, copy=copy)


def _input(value: Any, key: str, name: str) -> np.ndarray:
    array = value if isinstance(value, NpzArray) else _array(value, key, name)
    if array.dtype.kind not in "biuf":
        raise InputError(
            f"Expected numbers in {key} of {name}; encode texts as numbers. Received: {array.dtype}"
        )
    if not array.ndim:
        raise InputError(f"Expected examples in {key} of {name}. Received: one number")
    if isinstance(array, NpzArray):
        return cast(np.ndarray, StoredInput(array, key, name))
    if array.dtype == np.float64:
        array = array.astype(np.float32)
    return _finite(array, key, name)


def _finite(array: np.ndarray, key: str, name: str) -> np.ndarray:
    if array.dtype.kind == "f":
        step = max(1, _AT_ONCE * len(array) // max(array.nbytes, 1))
        for start in range(0, len(array), step):
            part = array[start : start + step].reshape(len(array[start : start + step]), -1)
            wrong = np.flatnonzero(~np.isfinite(part).all(axis=1))
            if len(wrong):
                row = start + int(wrong[0])
                raise InputError(
                    f"Expected finite numbers in {key} of {name}. "
                    f"Received: NaN or infinity in row {row:,}"
                )
    return array


def _labels(value: Any, name: str) -> tuple[np.ndarray, int | None]:
    y = _array(value, "y", name)
    if y.ndim == 2 and y.shape[1] == 1:
        y = y[:, 0]
    if y.ndim >= 2 and y.dtype.kind in "biuf" and y.size and _is_one_hot(y):
        return y.argmax(-1).astype(np.int32), y.shape[-1]
    if y.dtype.kind not in "iu" or y.ndim not in (1, 2):
        raise InputError(
            f"Expected integer labels in y of {name}, (n,) or (n, time), or one-hot labels. "
            f"Received: {y.dtype} of shape {y.shape}"
        )
    for extreme in (int(y.min(initial=0)), int(y.max(initial=0))):
        if not -(2**31) <= extreme < 2**31:
            raise InputError(f"Expected labels of 32 bits in y of {name}. Received: {extreme}")
    return y.astype(np.int32), None


def _is_one_hot(y: np.ndarray) -> bool:
    """Returns whether the last axis holds a single 1 and zeros everywhere."""
    ones = y == 1
    return bool((ones | (y == 0)).all() and (ones.sum(-1) == 1).all())


def _array(value: Any, key: str, name: str) -> np.ndarray:
    try:
        return np.asarray(value)
    except ValueError as error:  # rows of unequal length
        raise InputError(
            f"Expected an array for {key} of {name}; pad examples of unequal length. "
            f"Received: {_describe(value)}"
        ) from error


def _is_data_set(value: Any) -> bool:
    import keras

    return isinstance(value, keras.utils.PyDataset) or hasattr(value, "element_spec")


def _concatenate_batches(dataset: Any, name: str) -> tuple[Any, Any]:
    """Reads a data set of batches into arrays."""
    import keras

    from ls_keras.inputs.batches import as_batches

    parts: list[tuple[Any, Any]] = []
    size = 0
    for x, y, weights in _name_split(iter(as_batches(dataset, "data", again=None)), name):
        if weights is not None:
            raise InputError(f"Expected batches (x, y) in {name}. Received: sample weights as well")
        leaves = [np.asarray(leaf) for leaf in keras.tree.flatten((x, y))]
        if any(not leaf.ndim for leaf in leaves):
            raise InputError(f"Expected batches in {name}: .batch(32). Received: single examples")
        size += sum(leaf.nbytes for leaf in leaves)
        if size > MOST_BYTES:
            raise InputError(
                f"Expected at most {MOST_BYTES:,} bytes in {name}: they are read into memory "
                "(a plugin can read data during training). Received: more"
            )
        parts.append((x, y))
    if not parts:
        raise InputError(f"Expected at least one batch in {name}. Received: none")
    try:
        return keras.tree.map_structure(lambda *of: np.concatenate(of), *parts)
    except ValueError as error:
        raise InputError(
            f"Expected batches of one shape in {name}; pad examples of unequal length. "
            "Received: several"
        ) from error


def _name_split(found: Iterator, name: str) -> Iterator:
    """Adds the name of the split to errors."""
    try:
        yield from found
    except InputError as error:
        raise InputError(f"{name}: {error}") from error


def _describe(value: Any) -> str:
    if isinstance(value, tuple | list):
        return f"a {type(value).__name__} of {len(value)}"
    shape = getattr(value, "shape", None)
    return f"{type(value).__name__} of shape {tuple(shape)}" if shape else short_repr(value)
