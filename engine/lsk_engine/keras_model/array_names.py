"""Arrays of splits by the names that people give them."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from ls_base.npz import ArraySpec, npz_names, open_npz, read_npz
from lsk_engine import InputError
from lsk_engine.data.splits import SPLIT_NAMES, split_from_name

_AXES = {
    "x": ("x", "inputs", "features", "images"),
    "y": ("y", "labels", "targets"),
}
_LISTED = 12


def split_arrays(arrays: Mapping[str, Any], name: str) -> dict[str, Any]:
    """Returns `(x, y)` by split, and `class_names` if there are.

    Args:
        arrays: By names as `parts_of` reads them.
        name: Where they are from, for an error.

    Raises:
        InputError: If no split is whole, two arrays have one meaning, or `train` is missing.

    Example:
    >>> sorted(split_arrays({"X_train": [[0.5]], "train_labels": [1]}, "a").items())
    [('train', ([[0.5]], [1]))]
    """
    found: dict[tuple[str, str], str] = {}
    for key in arrays:
        parts = parts_of(str(key))
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


def parts_of(key: str) -> tuple[str, str] | None:
    """Returns what an array is, `x` or `y`, and of which split; `None`: its name doesn't tell.

    Args:
        key: Its name; without a split, it is of training.

    Example:
    >>> parts_of("x_val"), parts_of("train_images"), parts_of("Y"), parts_of("mean")
    (('x', 'validation'), ('x', 'train'), ('y', 'train'), None)
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
    """Reads `x_train`, `y_train` and, where there are, the arrays of other splits.

    Args:
        file: The file; names of arrays are those of `lsk_engine.keras_model.array_names`.

    Returns:
        `(x, y)` by split, and `class_names` if there are; x is read when it is asked for.

    Raises:
        InputError: If it can't be read, holds pickled objects, or lacks arrays.
    """
    names = npz_names(file, error=InputError)
    parts = {name: found for name in names if (found := parts_of(name)) is not None}
    labels = {name: ArraySpec() for name, (axis, _) in parts.items() if axis == "y"}
    if "class_names" in names:
        labels["class_names"] = ArraySpec("U", (None,))
    inputs = {name: ArraySpec() for name, (axis, _) in parts.items() if axis == "x"}
    arrays = {
        **open_npz(file, inputs, error=InputError),
        **read_npz(file, labels, error=InputError),
    }
    return split_arrays(arrays or dict.fromkeys(names), str(file))
