"""The state of a decoder in a search: any pytree of tensors whose leading axis is the rows."""

import keras
from keras import ops

from ls_base.errors import InputError
from ls_keras.backend.tensors import as_tensor
from ls_keras.decoding.rows import take_rows
from ls_keras.errors import shown


def read_state(state, batch_size):
    """Returns `state` with tensors for leaves, each of `batch_size` rows."""
    leaves = [
        _read_leaf(leaf, path, batch_size)
        for leaf, path in zip(keras.tree.flatten(state), _paths(state), strict=True)
    ]
    return keras.tree.pack_sequence_as(state, leaves)


def _check(before, after) -> None:
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


def run_step(step, tokens, state, index):
    """Calls `step`, and checks what it returns.

    Args:
        step: What the search was given.
        tokens: int32 tensor `(rows,)`.
        state: The state before.
        index: Scalar tensor: the position of `tokens`.

    Returns:
        Logits, a tensor of a row a token, and the new state.

    Raises:
        InputError: If it is no pair, if there are other rows, or if the state has changed its form.
    """
    found = step(tokens, state, index)
    if not isinstance(found, tuple | list) or len(found) != 2:
        raise InputError(f"Expected step to return (logits, state). Received: {shown(found)}")
    logits, new_state = as_tensor(found[0], "the logits that step returns"), found[1]
    rows, shape = tokens.shape[0], tuple(logits.shape)
    if shape and None not in (rows, shape[0]) and rows != shape[0]:
        raise InputError(
            f"Expected step to return logits of {rows} rows, one for each of its tokens: samples × "
            f"beams. Received: logits of shape {shape}"
        )
    _check(state, new_state)
    return logits, new_state


class BeamOrder:
    """Repeats a state for the beams of each sample, and reorders it as they change places.

    A gather of large caches can cost as much as attention does, so it is left out where it
    changes nothing: with one beam, and for leaves that step hands back as it got them (keys and
    values of the source, for instance). The rows of a sample are equal in those from the start,
    and beams only move within a sample. What is gathered, is gathered whole rows along the leading
    axis: `take_along_axis` on (batch, beam, ...) took 3 to 9 times as long in TensorFlow.
    """

    def __init__(self, beam_size: int):
        self.beam_size = beam_size
        self._changed: set[int] = set()  # leaves that some step has replaced

    def repeat(self, state):
        """Repeats each row `beam_size` times, next to one another."""
        if self.beam_size == 1:
            return state
        return keras.tree.map_structure(lambda x: ops.repeat(x, self.beam_size, axis=0), state)

    def run(self, step, tokens, state, index):
        """Calls `step`, checks its state and notes which leaves it replaced."""
        before = keras.tree.flatten(state)
        versions = [_version(leaf) for leaf in before]
        logits, new_state = run_step(step, tokens, state, index)
        for i, leaf in enumerate(keras.tree.flatten(new_state)):
            if leaf is not before[i] or versions[i] is None or _version(leaf) != versions[i]:
                self._changed.add(i)
        return logits, new_state

    def reorder(self, state, rows):
        """Takes `rows` (int32, of the flat batch × beam axis) of each leaf that can differ."""
        if self.beam_size == 1:
            return state
        leaves = [
            take_rows(leaf, rows) if i in self._changed else leaf
            for i, leaf in enumerate(keras.tree.flatten(state))
        ]
        return keras.tree.pack_sequence_as(state, leaves)


def _version(leaf) -> int | None:
    """PyTorch's count of writes in place; `None` where it keeps none (inference mode)."""
    if keras.config.backend() != "torch":
        return 0
    return None if leaf.is_inference() else leaf._version


def _read_leaf(leaf, path: str, batch_size):
    if leaf is None:
        raise InputError(f"Expected tensors in the initial state. Received: None at {path}")
    leaf = as_tensor(leaf, f"the initial state at {path}")
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
