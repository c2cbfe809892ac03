"""NumPy's `.npz` files with arrays of splits."""

from pathlib import Path
from typing import Any

from ls_base.arrays import Array, names_of_npz, read_npz
from ls_base.npz_arrays import open_npz
from lsk_engine import InputError
from lsk_keras.array_names import parts_of, split_arrays


def read_npz_arrays(file: Path) -> dict[str, Any]:
    """Reads `x_train`, `y_train` and, where there are, the arrays of other splits.

    Args:
        file: The file; names of arrays are those of `lsk_keras.array_names`.

    Returns:
        `(x, y)` by split, and `class_names` if there are; x is read when it is asked for.

    Raises:
        InputError: If it can't be read, holds pickled objects, or lacks arrays.
    """
    names = names_of_npz(file, error=InputError)
    parts = {name: found for name in names if (found := parts_of(name)) is not None}
    labels = {name: Array() for name, (axis, _) in parts.items() if axis == "y"}
    if "class_names" in names:
        labels["class_names"] = Array("U", (None,))
    inputs = {name: Array() for name, (axis, _) in parts.items() if axis == "x"}
    arrays = {
        **open_npz(file, inputs, error=InputError),
        **read_npz(file, labels, error=InputError),
    }
    return split_arrays(arrays or dict.fromkeys(names), str(file))
