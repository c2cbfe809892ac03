"""Labeled arrays by name: an `.npz` file, or what a function returns."""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from ls_base.npz import ArraySpec, npz_names, open_npz, read_npz
from lsk_engine import InputError
from lsk_engine.data.splits import SPLIT_NAMES, split_from_name, unique_splits
from lsk_engine.keras_model.arrays import Labeled, read_split
from lsk_engine.keras_model.config import PYTHON
from lsk_engine.settings.user_code import NamedCode

Source = tuple[Mapping[str, Labeled], Sequence[str] | None]
_RETURNED = (
    "{'train': (x, y), …}, optionally with validation and test, {'x_train': …, 'y_train': …, …}, "
    "(x, y), or ((x_train, y_train), (x_test, y_test)); or data sets of batches instead of (x, y)"
)
_AXES = {
    "x": ("x", "inputs", "features", "images"),
    "y": ("y", "labels", "targets"),
}
_LISTED = 12


def load_source(name: str) -> Source:
    """Loads the labeled arrays of a data source.

    Args:
        name: The path of an `.npz` file, `FILE.py:function` or `package.module:function`.

    Returns:
        The splits by name, `train` at least, and the names of the classes, or `None`.

    Raises:
        InputError: If the data do not exist or cannot be used.
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
    splits = {split: read_split(value, f"{split} of {name}") for split, value in found.items()}
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
    if _is_pair(value) and all(map(_is_pair, value)):
        return dict(zip(("train", "test"), value, strict=True))
    if _is_pair(value) or hasattr(value, "element_spec") or hasattr(value, "num_batches"):
        return {"train": value}
    raise InputError(f"Expected {name} to return {_RETURNED}. Received: {type(value).__name__}")


def _is_pair(value: Any) -> bool:
    return isinstance(value, tuple | list) and len(value) == 2


def split_arrays(arrays: Mapping[str, Any], name: str) -> dict[str, Any]:
    """Returns `(x, y)` by split, and `class_names` if present.

    Args:
        arrays: Arrays by names that `parse_array_name` understands.
        name: Their source, for messages.

    Raises:
        InputError: If a split lacks x or y, two arrays mean the same, or `train` is missing.

    Example:
    >>> sorted(split_arrays({"X_train": [[0.5]], "train_labels": [1]}, "a").items())
    [('train', ([[0.5]], [1]))]
    """
    found: dict[tuple[str, str], str] = {}
    for key in arrays:
        parts = parse_array_name(str(key))
        if parts is None:
            continue
        if parts in found:
            raise InputError(
                f"Expected one array for {parts[0]} of {parts[1]} in {name}. "
                f"Received: {found[parts]} and {key}"
            )
        found[parts] = key
    splits: dict[str, Any] = {}
    for split in SPLIT_NAMES:
        keys = {axis: found[axis, split] for axis in _AXES if (axis, split) in found}
        missing = [axis for axis in _AXES if axis not in keys]
        if keys and missing:
            raise InputError(
                f"Expected {missing[0]}_{split} in {name}. Received: {_listing(arrays)}"
            )
        if keys:
            splits[split] = tuple(arrays[key] for key in keys.values())
    if "train" not in splits:
        raise InputError(f"Expected x_train and y_train in {name}. Received: {_listing(arrays)}")
    if "class_names" in arrays:
        splits["class_names"] = arrays["class_names"]
    return splits


def parse_array_name(key: str) -> tuple[str, str] | None:
    """Returns the axis of an array, `x` or `y`, and its split, or `None` for other names.

    Args:
        key: The name; without a split, it is the training split.

    Example:
    >>> [parse_array_name(name) for name in ("x_val", "train_images", "mean")]
    [('x', 'validation'), ('x', 'train'), None]
    """
    words = key.lower().split("_")
    axes = [axis for axis, names in _AXES.items() for word in words if word in names]
    splits = [split for word in words if (split := split_from_name(word)) is not None]
    if len(axes) != 1 or len(axes) + len(splits) != len(words):
        return None
    return axes[0], splits[0] if splits else "train"


def _listing(names: Iterable[Any]) -> str:
    known = sorted(map(str, names))
    more = f" and {len(known) - _LISTED} more" if len(known) > _LISTED else ""
    return (", ".join(known[:_LISTED]) or "no arrays") + more


def read_npz_arrays(file: Path) -> dict[str, Any]:
    """Reads `x_train`, `y_train` and the arrays of other splits from an `.npz` file.

    Args:
        file: The file; for the names of arrays see `parse_array_name`.

    Returns:
        `(x, y)` by split, and `class_names` if present; x is read on demand.

    Raises:
        InputError: If it cannot be read, holds pickled objects, or lacks arrays.
    """
    names = npz_names(file, error=InputError)
    parts = {name: found for name in names if (found := parse_array_name(name)) is not None}
    labels = {name: ArraySpec() for name, (axis, _) in parts.items() if axis == "y"}
    if "class_names" in names:
        labels["class_names"] = ArraySpec("U", (None,))
    inputs = {name: ArraySpec() for name, (axis, _) in parts.items() if axis == "x"}
    arrays = {
        **open_npz(file, inputs, error=InputError),
        **read_npz(file, labels, error=InputError),
    }
    return split_arrays(arrays or dict.fromkeys(names), str(file))
