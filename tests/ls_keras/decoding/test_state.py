import keras
import numpy as np
import pytest
from keras import ops

from ls_keras.decoding.state import BeamOrder, read_state

# Raised by PyTorch's conversion to NumPy 2.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")


LOGITS = np.zeros((4, 3), "float32")


def leaves(state):
    return [ops.convert_to_numpy(leaf).tolist() for leaf in keras.tree.flatten(state)]


def test_states_are_repeated_and_replaced_leaves_reordered():
    order = BeamOrder(2)
    state = order.repeat(
        read_state({"kept": np.array([1, 2]), "moved": (np.array([3, 4], "int32"),)}, 2)
    )
    assert leaves(state) == [[1, 1, 2, 2], [3, 3, 4, 4]]

    def step(tokens, state, index):
        return LOGITS, {"kept": state["kept"], "moved": (state["moved"][0] * 10 + tokens,)}

    rows = ops.convert_to_tensor([1, 1, 2, 3], dtype="int32")
    _, state = order.run(step, ops.arange(4, dtype="int32"), state, 0)
    state = order.reorder(state, rows)
    assert leaves(state) == [[1, 1, 2, 2], [31, 31, 42, 43]]

    def change_nothing(tokens, state, index):
        return LOGITS, state

    # A leaf that one step replaced is reordered from then on.
    _, state = order.run(change_nothing, ops.arange(4, dtype="int32"), state, 1)
    assert leaves(order.reorder(state, ops.flip(rows)))[1] == [43, 42, 31, 31]


def test_one_beam_is_never_reordered():
    order = BeamOrder(1)
    state = read_state([np.array([1, 2])], 2)
    tokens = ops.arange(2, dtype="int32")
    _, new = order.run(lambda t, s, i: (LOGITS[:2], [s[0] + 1]), tokens, order.repeat(state), 0)
    assert order.reorder(new, None) is new


@pytest.mark.peers
@pytest.mark.parametrize("inference", [False, True])
def test_a_torch_state_written_in_place_is_reordered(monkeypatch, inference):
    import torch

    monkeypatch.setattr(keras.config, "backend", lambda: "torch")
    monkeypatch.setattr("ls_keras.decoding.state.run_step", lambda step, *inputs: step(*inputs))
    monkeypatch.setattr(
        "ls_keras.decoding.state.take_rows", lambda x, rows: x[torch.as_tensor(rows)]
    )

    def write(tokens, state, index):
        state["cache"][:] = torch.arange(4)
        return None, state

    with torch.inference_mode(inference):
        state = {"cache": torch.zeros(4, dtype=torch.int64), "source": torch.arange(4) // 2}
        order = BeamOrder(2)
        _, state = order.run(write, None, state, 0)
        moved = order.reorder(state, [1, 1, 3, 2])
        assert moved["cache"].tolist() == [1, 1, 3, 2]
        assert (moved["source"] is state["source"]) is not inference
