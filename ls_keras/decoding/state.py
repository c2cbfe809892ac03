"""The state of a decoder in a search: any pytree of tensors whose leading axis is the rows."""

import keras
from keras import ops

from ls_keras.errors import InputError


def read_state(state, batch_size):
    """Returns `state` with tensors for leaves, each of `batch_size` rows."""
    leaves = [
        _read_leaf(leaf, path, batch_size)
        for leaf, path in zip(keras.tree.flatten(state), _paths(state), strict=True)
    ]
    return keras.tree.pack_sequence_as(state, leaves)


def check_state(before, after) -> None:
    """Raises unless a step kept the structure, the shapes and the dtypes of its state."""
    try:
        keras.tree.assert_same_structure(before, after)
    except (TypeError, ValueError) as error:
        raise InputError(
            f"Expected step to return a state of the structure that it was given. Received: {error}"
        ) from error
    for path, old, new in zip(
        _paths(before), keras.tree.flatten(before), keras.tree.flatten(after), strict=True
    ):
        was, now = _signature(old), _signature(ops.convert_to_tensor(new))
        if (
            was[1] != now[1]
            or len(was[0]) != len(now[0])
            or any(
                a is not None and b is not None and a != b
                for a, b in zip(was[0], now[0], strict=True)
            )
        ):
            raise InputError(
                f"Expected step to return a state of shape {was[0]} and dtype {was[1]} at {path}. "
                f"Received: shape {now[0]}, dtype {now[1]}"
            )


def _read_leaf(leaf, path: str, batch_size):
    if leaf is None:
        raise InputError(f"Expected tensors in the initial state. Received: None at {path}")
    leaf = ops.convert_to_tensor(leaf)
    shape = tuple(leaf.shape)
    known = isinstance(batch_size, int) and shape and shape[0] is not None
    if not shape or (known and shape[0] != batch_size):
        raise InputError(
            f"Expected an initial state with leading axis batch_size={batch_size}. "
            f"Received: shape {shape} at {path}"
        )
    return leaf


def _signature(leaf) -> tuple[tuple, str]:
    return tuple(leaf.shape), keras.backend.standardize_dtype(leaf.dtype)


def _paths(state) -> list[str]:
    return [
        "/".join(str(key) for key in path) or "the state itself"
        for path, _ in keras.tree.flatten_with_path(state)
    ]
