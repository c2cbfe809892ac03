"""Splits, arrays and notes of a task's data that are made when they are first needed."""

import functools
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, TypeVar, cast, overload

import numpy as np

T = TypeVar("T")


class LazySplits(Mapping[str, T]):
    """Splits, each of which is loaded once, when it is first needed.

    Their names and order are known without loading any.

    Args:
        loaders: A function for each split that loads it.

    Example:
        >>> splits = LazySplits({"train": lambda: 1 / 0, "test": lambda: "three examples"})
        >>> list(splits), "train" in splits, splits["test"], splits.loaded
        (['train', 'test'], True, 'three examples', ['test'])
    """

    def __init__(self, loaders: Mapping[str, Callable[[], T]]):
        self._loaders = dict(loaders)
        self._found: dict[str, T] = {}
        self._lock = threading.RLock()  # reentrant: loading one split may load another

    def __getitem__(self, name: str) -> T:
        load = self._loaders[name]
        with self._lock:
            if name not in self._found:
                self._found[name] = load()
            return self._found[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._loaders)

    def __len__(self) -> int:
        return len(self._loaders)

    def __contains__(self, name: object) -> bool:
        return name in self._loaders

    @property
    def loaded(self) -> list[str]:
        """The names of the splits that are loaded."""
        return [name for name in self._loaders if name in self._found]


def map_splits(splits: Mapping[str, Any], function: Callable[[str, Any], T]) -> LazySplits[T]:
    """Returns splits to each of which a function is applied when it is first needed.

    Args:
        splits: Any splits.
        function: Takes a split's name and the split, and returns the new split.
    """

    def loader(name: str) -> Callable[[], T]:
        return lambda: function(name, splits[name])

    return LazySplits({name: loader(name) for name in splits})


class _LazyArray:
    def __init__(self, compute: Callable[[], np.ndarray]):
        self._value = functools.cache(compute)

    def __array__(self, dtype=None, copy=None) -> np.ndarray:
        value = np.asarray(self._value(), dtype)
        return value.copy() if copy else value

    def __len__(self) -> int:
        return len(self._value())

    def __getitem__(self, index):
        return self._value()[index]

    def __getattr__(self, name: str):
        return getattr(vars(self)["_value"](), name)


def lazy_array(compute: Callable[[], np.ndarray]) -> np.ndarray:
    """Returns an object that behaves as an array, which is computed when it is first needed.

    Args:
        compute: Returns the array.

    Example:
        >>> np.asarray(lazy_array(lambda: np.arange(3))).tolist()
        [0, 1, 2]
    """
    return cast(np.ndarray, _LazyArray(compute))


class LazyNotes(Sequence[str]):
    """Notes on the data that are known once splits are loaded.

    Args:
        compute: Returns the notes.
    """

    def __init__(self, compute: Callable[[], Iterable[str]]):
        self._value = functools.cache(lambda: tuple(compute()))

    @overload
    def __getitem__(self, index: int) -> str: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[str]: ...
    def __getitem__(self, index):
        return self._value()[index]

    def __len__(self) -> int:
        return len(self._value())

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Sequence) and tuple(self) == tuple(other)

    def __hash__(self) -> int:
        return hash(tuple(self))

    def __repr__(self) -> str:
        return repr(tuple(self))
