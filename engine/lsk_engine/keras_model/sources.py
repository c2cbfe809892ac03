"""Labeled arrays by name: an `.npz` file, or what a function returns."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from lsk_engine import InputError
from lsk_engine.data.splits import split_from_name, unique_splits
from lsk_engine.keras_model.array_names import read_npz_arrays, split_arrays
from lsk_engine.keras_model.arrays import Labeled, labeled
from lsk_engine.keras_model.config import PYTHON
from lsk_engine.settings.user_code import NamedCode

Source = tuple[Mapping[str, Labeled], Sequence[str] | None]
_RETURNED = (
    "{'train': (x, y), …} with validation and test if there are, {'x_train': …, 'y_train': …, …}, "
    "(x, y), or ((x_train, y_train), (x_test, y_test)); data sets of batches in place of (x, y)"
)


def load_source(name: str) -> Source:
    """Loads labeled arrays.

    Args:
        name: The path of an `.npz` file, `FILE.py:function` or `package.module:function`.

    Returns:
        The splits by name, `train` at least, and the names of the classes, or `None`.

    Raises:
        InputError: If there are no such data, or they can't be used, in one line that names them.
    """
    named = NamedCode.read(name)
    if named is not None:
        found = _splits_of(named.call(_RETURNED), name)
    elif name.endswith(".npz"):
        found = read_npz_arrays(Path(name))
    else:
        what = "arrays of a Python program" if name.startswith(PYTHON) else repr(name)
        raise InputError(
            "Expected an .npz file, FILE.py:function or package.module:function as data. "
            f"Received: {what}"
        )
    names = found.pop("class_names", None)
    splits = {split: labeled(value, f"{split} of {name}") for split, value in found.items()}
    return splits, None if names is None else [str(one) for one in names]


def _splits_of(value: Any, name: str) -> dict[str, Any]:
    if isinstance(value, Mapping):
        words = {str(key): split_from_name(str(key)) for key in value}
        if "train" not in words.values():
            return split_arrays(value, name)
        unknown = sorted(key for key, split in words.items() if not split and key != "class_names")
        if unknown:
            raise InputError(
                f"Expected {name} to return train, validation, test and class_names. "
                f"Received: {', '.join(unknown)}"
            )
        unique_splits(((split, key) for key, split in words.items() if split), name)
        return {words[key] or key: of for key, of in value.items() if of is not None}
    if isinstance(value, tuple | list) and value and all(_is_pair(part) for part in value):
        names = {1: ("train",), 2: ("train", "test"), 3: ("train", "validation", "test")}
        if len(value) in names:
            return dict(zip(names[len(value)], value, strict=True))
    if _is_pair(value) or hasattr(value, "element_spec") or hasattr(value, "num_batches"):
        return {"train": value}
    raise InputError(f"Expected {name} to return {_RETURNED}. Received: {type(value).__name__}")


def _is_pair(value: Any) -> bool:
    return isinstance(value, tuple | list) and len(value) == 2
