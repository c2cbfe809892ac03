import numpy as np
import pytest
from keras import ops

from ls_base.errors import InputError
from ls_keras.targets import ignored_ids, position_weights, read_targets

P23 = np.zeros((2, 3), "float32")
P235 = np.zeros((2, 3, 5), "float32")


@pytest.mark.parametrize(
    ("y_true", "y_pred", "labels"),
    [
        ([0, 2], P23, [0, 2]),
        ([[0], [2]], P23, [0, 2]),
        ([0.0, 2.0], P23, [0, 2]),
        ([[0, 1, 2], [4, 4, 4]], P235, [[0, 1, 2], [4, 4, 4]]),
        (np.ones((2, 3, 1), "uint8"), P235, np.ones((2, 3))),
        (2, np.zeros(3), 2),
    ],
)
def test_labels_by_rank(y_true, y_pred, labels):
    targets = read_targets(y_true, y_pred)
    assert targets.dense is None
    assert targets.valid is None
    assert "int32" in str(targets.labels.dtype)
    np.testing.assert_array_equal(ops.convert_to_numpy(targets.labels), labels)


@pytest.mark.parametrize("y_true", [np.eye(3)[:2], np.eye(3, dtype=int)[:2]])
def test_dense_by_rank(y_true):
    targets = read_targets(y_true, P23)
    assert targets.labels is None
    np.testing.assert_array_equal(ops.convert_to_numpy(targets.dense), y_true)


def test_ignored_positions_hold_a_gatherable_label():
    targets = read_targets([[1, -100, 4], [7, 2, -100]], P235, ignore_class=[-100, 7])
    np.testing.assert_array_equal(ops.convert_to_numpy(targets.labels), [[1, 0, 4], [0, 2, 0]])
    np.testing.assert_array_equal(
        ops.convert_to_numpy(targets.valid), [[True, False, True], [False, True, False]]
    )


def test_large_ids_stay_exact():
    labels = np.array([2**24 + 1, 257, 2049])
    targets = read_targets(labels, np.broadcast_to(np.zeros(1, "float32"), (3, 2**25)))
    np.testing.assert_array_equal(ops.convert_to_numpy(targets.labels), labels)


@pytest.mark.parametrize(
    ("y_true", "y_pred", "ignore_class", "message"),
    [
        ([0], np.zeros((1, 1)), None, "K ≥ 2"),
        (0, np.zeros(()), None, "K ≥ 2"),
        ([0, 1, 2], P23, None, r"labels of shape \(2,\)"),
        (np.zeros((2, 4)), P23, None, r"y_true of shape \(2, 4\)"),
        ([[[0]]], P23, None, "y_true of shape"),
        ([0, 3], P23, None, r"labels in \[0, 3\). Received: 3 among 1"),
        ([-1, 3], P23, -1, r"or ignore_class=-1. Received: 3"),
        (np.eye(3)[:2], P23, 0, "sample_weight"),
        ([0, 1], P23, "pad", "ignore_class"),
        ([0, 1], P23, [True], "ignore_class"),
    ],
)
def test_mistakes(y_true, y_pred, ignore_class, message):
    with pytest.raises(InputError, match=message):
        read_targets(y_true, y_pred, ignore_class=ignore_class)


def test_ignored_ids():
    assert ignored_ids(None) == ()
    assert ignored_ids(3) == (3,)
    assert ignored_ids([3, -1]) == (3, -1)


def test_weights_join():
    values = ops.ones((2, 3))
    valid = ops.convert_to_tensor([[True, True, False], [True, True, True]])
    mask = ops.convert_to_tensor([[True, False, True], [True, True, True]])
    for weight in (
        np.array([2.0, 0.5]),
        np.array([[2.0], [0.5]]),
        np.array([[2.0] * 3, [0.5] * 3]),
    ):
        joined = position_weights(values, valid=valid, mask=mask, sample_weight=weight)
        np.testing.assert_allclose(ops.convert_to_numpy(joined), [[2, 0, 0], [0.5, 0.5, 0.5]])
    assert position_weights(values) is None
    with pytest.raises(InputError, match="sample_weight"):
        position_weights(values, sample_weight=np.ones((2, 3, 4)))


@pytest.mark.tensorflow
def test_traced_labels_are_not_checked_and_unknown_shapes_are_read():
    import tensorflow as tf

    @tf.function(
        input_signature=[tf.TensorSpec((None,), "int64"), tf.TensorSpec((None, 3), "float32")]
    )
    def read(y_true, y_pred):
        return read_targets(y_true, y_pred, ignore_class=9).labels

    np.testing.assert_array_equal(read([1, 9], P23), [1, 0])
