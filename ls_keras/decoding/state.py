"""The state of a decoder in a search: any pytree of tensors with the rows as leading axis."""

import keras
from keras import ops

from ls_keras.backend.tensors import as_tensor
from ls_keras.decoding.gather import take_rows
from ls_keras.errors import InputError, shown
from ls_keras.inputs.targets import compatible


def read_state(state, batch_size):
    """Returns `state` with its leaves as tensors, each with `batch_size` rows."""
    leaves = [
        _read_leaf(leaf, path, batch_size)
        for leaf, path in zip(keras.tree.flatten(state), _paths(state), strict=True)
    ]
    return keras.tree.pack_sequence_as(state, leaves)


def _check_unchanged_form(before, after) -> None:
    """Raises an `InputError` if a step changed the structure, shapes or dtypes of its state."""
    try:
        keras.tree.assert_same_structure(before, after)
    except (TypeError, ValueError) as error:
        raise InputError(
            f"Expected step to return a state of the same structure. Received: {error}"
        ) from error
    for path, old, new in zip(
        _paths(before), keras.tree.flatten(before), keras.tree.flatten(after), strict=True
    ):
        new = ops.convert_to_tensor(new)
        dtypes = [keras.backend.standardize_dtype(leaf.dtype) for leaf in (old, new)]
        if dtypes[0] != dtypes[1] or not compatible(tuple(old.shape), tuple(new.shape)):
            raise InputError(
                f"Expected step to return a state of shape {tuple(old.shape)} and dtype "
                f"{dtypes[0]} at {path}. Received: shape {tuple(new.shape)}, dtype {dtypes[1]}"
            )


def run_step(step, tokens, state, index):
    """Calls `step` and checks its results.

    Args:
        step: The step function of the search.
        tokens: int32 tensor `(rows,)`.
        state: The current state.
        index: Scalar tensor: the position of `tokens`.

    Returns:
        Logits with a row for each token, and the new state.

    Raises:
        InputError: If the result is not a pair, or the number of rows or the form of the state
            changed.
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
    _check_unchanged_form(state, new_state)
    return logits, new_state


class BeamOrder:
    """Repeats a state for the beams of each sample, and reorders it with the beams.

    Gathering large caches can cost as much as attention, so it is skipped where it changes nothing:
    with one beam, and for leaves that step returns unchanged, such as keys and values of the
    source. Their rows are equal for all beams of a sample, and beams only move within a sample.
    Other leaves are gathered by whole rows along the leading axis: `take_along_axis` on
    (batch, beam, ...) took 3 to 9 times as long in TensorFlow.
    """

    def __init__(self, beam_size: int):
        self.beam_size = beam_size
        self._changed: set[int] = set()  # leaves that a step has replaced

    def repeat(self, state):
        """Repeats each row `beam_size` times, next to each other."""
        if self.beam_size == 1:
            return state
        return keras.tree.map_structure(lambda x: ops.repeat(x, self.beam_size, axis=0), state)

    def run(self, step, tokens, state, index):
        """Calls `step`, checks its state and records which leaves it replaced."""
        before = keras.tree.flatten(state)
        versions = [_version(leaf) for leaf in before]
        logits, new_state = run_step(step, tokens, state, index)
        for i, leaf in enumerate(keras.tree.flatten(new_state)):
            if leaf is not before[i] or versions[i] is None or _version(leaf) != versions[i]:
                self._changed.add(i)
        return logits, new_state

    def reorder(self, state, rows):
        """Takes `rows` (int32, along the flat batch × beam axis) of each leaf that was replaced."""
        if self.beam_size == 1:
            return state
        leaves = [
            take_rows(leaf, rows) if i in self._changed else leaf
            for i, leaf in enumerate(keras.tree.flatten(state))
        ]
        return keras.tree.pack_sequence_as(state, leaves)


def _version(leaf) -> int | None:
    """Returns PyTorch's count of in-place writes; `None` in inference mode, which has none."""
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


def _paths(state) -> list[str]:
    return [
        "/".join(str(key) for key in path) or "the state itself"
        for path, _ in keras.tree.flatten_with_path(state)
    ]
