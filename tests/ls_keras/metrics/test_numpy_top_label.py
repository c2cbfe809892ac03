import keras
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from keras import ops

from ls_base.errors import InputError
from ls_keras.inputs.probabilities import read_examples, top_label
from ls_keras.metrics import ExpectedCalibrationError, numpy_top_label
from ls_keras.metrics.numpy_top_label import host_view, read_top_labels, top_label_of_array
from masked import masked


def softmax(logits):
    p = np.exp(logits - logits.max(-1, keepdims=True))
    return p / p.sum(-1, keepdims=True)


@pytest.fixture
def small_pieces(monkeypatch):
    """Cuts even small arrays into blocks and threads."""
    monkeypatch.setattr(numpy_top_label, "_BLOCK", 8)
    monkeypatch.setattr(numpy_top_label, "_CHUNK", 24)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("from_logits", [False, True])
def test_blocks_and_threads_give_what_the_backend_gives(rng, small_pieces, from_logits, dtype):
    y_pred = (rng.normal(size=(7, 5, 4)) * 5).astype(dtype)
    y_pred[0, 0, :2] = -np.inf if from_logits else -40
    if not from_logits:
        y_pred = softmax(y_pred)
    predicted, confidence = top_label_of_array(y_pred, from_logits=from_logits)
    expected = top_label(ops.convert_to_tensor(y_pred), from_logits=from_logits)
    np.testing.assert_array_equal(predicted, ops.convert_to_numpy(expected[0]))
    np.testing.assert_allclose(confidence, ops.convert_to_numpy(expected[1]), rtol=1e-6)
    assert confidence.dtype == np.float32


@given(
    weights=arrays.arrays(
        np.float32, st.tuples(st.integers(1, 9), st.just(3)), elements=st.integers(0, 3).map(float)
    ),
    negative_zero=st.booleans(),
)
def test_of_equal_probabilities_the_first_is_predicted(weights, negative_zero):
    weights[:, 1] += 1 - np.minimum(weights.sum(-1), 1)
    y_pred = weights / weights.sum(-1, keepdims=True)
    if negative_zero:
        y_pred[y_pred == 0] = -0.0
    predicted, confidence = top_label_of_array(y_pred, from_logits=False)
    assert predicted.tolist() == [row.index(max(row)) for row in y_pred.tolist()]
    np.testing.assert_array_equal(confidence, y_pred.max(-1))


BAD = {
    "a sum of ½": ([0.25, 0.25, 0.0], False),
    "a negative": ([0.75, 0.5, -0.25], False),
    "a negative before the largest": ([-0.25, 1.25, 0.0], False),
    "NaN": ([np.nan, 0.5, 0.5], False),
    "infinite": ([np.inf, 0.0, 0.0], False),
    "a NaN logit": ([0.0, np.nan, 1.0], True),
    "an infinite logit": ([np.inf, 1.0, 0.0], True),
}


@pytest.mark.parametrize(("row", "from_logits"), BAD.values(), ids=BAD)
def test_what_is_wrong_is_left_to_the_check_that_says_so(small_pieces, row, from_logits):
    y_pred = np.full((6, 3), 1 / 3)
    y_pred[4] = row
    assert top_label_of_array(y_pred, from_logits=from_logits) is None
    metric = ExpectedCalibrationError(from_logits=from_logits)
    with pytest.raises(InputError, match="Expected"):
        metric.update_state(np.zeros(6, int), y_pred)
    # Where it does not count it is no one's business.
    metric.update_state(np.zeros(6, int), y_pred, sample_weight=[1, 1, 1, 1, 0, 1])
    assert float(metric.result()) == pytest.approx(2 / 3, abs=1e-6)


def test_rounding_below_zero_passes():
    y_pred = np.float32([[1.0, -1e-5, 1e-5]])
    assert top_label_of_array(y_pred, from_logits=False)[0].tolist() == [0]


@pytest.mark.parametrize("binning", ["equal_width", "equal_mass"])
def test_host_and_backend_add_the_same(rng, monkeypatch, binning):
    y_pred = softmax(rng.normal(size=(40, 5, 6)) * 3).astype("float32")
    y_true = rng.integers(0, 6, (40, 5))
    weight = rng.uniform(0.5, 2, (40, 5)).astype("float32")
    states = []
    for on_host in (True, False):
        if not on_host:
            monkeypatch.setattr(numpy_top_label, "host_view", lambda value: None)
        metric = ExpectedCalibrationError(binning=binning, norm="l2", debias=True, ignore_class=2)
        metric.update_state(y_true, y_pred, sample_weight=weight)
        states.append(ops.convert_to_numpy(metric.variables[1]).sum(0))
    np.testing.assert_allclose(states[0], states[1], rtol=1e-5, atol=1e-5)


def test_masks_and_dense_targets_are_read(rng):
    values = softmax(rng.normal(size=(2, 3, 4))).astype("float32")
    y_pred = masked(values, [[True, True, False]] * 2)
    dense = rng.dirichlet(np.ones(4), (2, 3)).astype("float32")
    top = read_top_labels(dense, y_pred)
    right = ops.convert_to_numpy(y_pred).argmax(-1) == dense.argmax(-1)
    np.testing.assert_array_equal(top.correct, right)
    np.testing.assert_array_equal(top.weights, [[1, 1, 0]] * 2)
    examples = read_examples(dense, y_pred)
    np.testing.assert_array_equal(top.weights, ops.convert_to_numpy(examples.weights))


def test_memory_is_shared_and_other_dtypes_are_left_to_the_backend():
    array = np.ones((3, 2), np.float32)
    assert host_view(array) is array
    tensor = ops.convert_to_tensor(array)
    assert np.shares_memory(host_view(tensor), host_view(tensor))
    assert host_view(ops.cast(tensor, "bfloat16")) is None
    assert host_view(np.ones((3, 2), int)) is None
    assert host_view(keras.KerasTensor((3, 2))) is None
    assert host_view([[1.0, 2.0]]) is None


@pytest.mark.tensorflow
def test_traced_values_are_left_to_the_backend():
    import tensorflow as tf

    seen = []
    tf.function(lambda x: seen.append(host_view(x)) or x)(tf.ones((3, 2)))
    assert seen == [None]


def test_no_examples_and_no_axes_are_left_to_the_backend():
    assert top_label_of_array(np.ones((0, 3)), from_logits=False) is None
    assert host_view(ops.convert_to_tensor(1.0)) is None
