import numpy as np
import pytest
from keras import ops

from ls_base.errors import InputError
from ls_keras.inputs.targets import ignored_ids, read_targets
from ls_keras.inputs.weights import position_weights
from ls_keras.losses import SmoothedCE

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
        ([0, 3], P23, None, r"labels in \[0, 3\), .* Received: 3 among 1"),
        ([-1, 3], P23, -1, r"or ignore_class=-1, .* Received: 3"),
        (np.eye(3)[:2], P23, 0, "sample_weight"),
        ([0, 1], P23, "pad", "ignore_class"),
        ([0, 1], P23, [True], "ignore_class"),
        ([0.5, 1.0], P23, None, "whole numbers.*Received: y_true with 0.5 among 1"),
        ([np.nan, 1.0], P23, None, "whole numbers"),
        ([2**40, 1], P23, None, "Received: 1099511627776 among 1"),
        (np.uint8([200, 1]), P23, -1, "Received: 200 among 1"),
        (np.array([-0.5, 1.5, 0]) * np.ones((2, 3)), P23, None, "dense targets that are prob"),
        (np.full((2, 3), np.nan), P23, None, "dense targets that are probabilities"),
        (np.ones(3), np.ones(3), None, r"a row of K classes an example.*y_pred of shape \(3,\)"),
        ([0, 1], np.ones((2, 1)), None, "K ≥ 2 .*SmoothedBCE, or columns.*shape .2, 1"),
        (np.array(["a", "b"]), P23, None, "y_true to be a tensor or array of real numbers"),
    ],
)
def test_mistakes(y_true, y_pred, ignore_class, message):
    with pytest.raises(InputError, match=message):
        read_targets(y_true, y_pred, ignore_class=ignore_class)


def test_ignored_ids():
    assert ignored_ids(None) == ()
    assert ignored_ids(3) == (3,)
    assert ignored_ids([3, -1]) == (3, -1)
    assert ignored_ids(np.int64(3)) == ignored_ids(np.array([3])) == (3,)


# What the id becomes in the labels' dtype is a class: 156 of −100, 255 of −1, 0 of 2^32.
DTYPES = [("uint8", -100, 156), ("uint8", -1, 255), ("int32", 2**32, 0), ("int16", 2**16 + 7, 7)]


@pytest.mark.parametrize(("dtype", "ignore_class", "label"), DTYPES)
def test_an_id_outside_the_labels_dtype_ignores_no_class(dtype, ignore_class, label):
    labels = np.array([label, 1], dtype)
    p = np.zeros((2, 300), "float32")
    targets = read_targets(labels, p, ignore_class=[ignore_class, 1])
    assert ops.convert_to_numpy(targets.valid).tolist() == [True, False]
    assert ops.convert_to_numpy(targets.labels).tolist() == [label, 0]


@pytest.mark.parametrize("dtype", ["uint8", "int8", "int16", "int32", "int64", "float32"])
def test_traced_labels_are_read_alike_and_wrong_ones_are_marked(traced, dtype):
    if "int" in dtype and np.iinfo(dtype).min == 0:
        labels, ids = [1, 200, 4, 255], (-1, 4)
        wrong, valid = [False, True, False, True], [True, True, False, True]
    else:
        labels, ids = [1, -1, 4, -7], (-1, 2**40, 300)
        wrong, valid = [False, False, True, True], [True, False, True, True]
    p = np.zeros((4, 3), "float32")

    def read(y_true):
        targets = read_targets(y_true, p, ignore_class=ids)
        assert targets.wrong is not None
        return targets.labels, targets.valid, targets.wrong

    found = traced(read, np.array(labels, dtype))
    assert found[0].tolist() == [1, 0, 0, 0]
    assert found[1].tolist() == valid
    assert found[2].tolist() == wrong


def test_traced_floats_that_are_no_labels_are_marked(traced):
    def read(y_true):
        return read_targets(y_true, np.zeros((4, 3), "float32")).wrong

    labels = np.float32([0.5, np.nan, np.inf, 2])
    assert traced(read, labels).tolist() == [True, True, True, False]


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


@pytest.mark.parametrize("sentinel", [np.iinfo(np.int64).min, np.iinfo(np.int64).max])
def test_a_label_at_the_end_of_its_type_is_ignored(sentinel):
    y = np.array([0, sentinel, 2])
    z = np.zeros((3, 4), "float32")
    loss = SmoothedCE(from_logits=True, ignore_class=int(sentinel), reduction=None)
    np.testing.assert_allclose(loss(y, z), [np.log(4), 0, np.log(4)], rtol=1e-6)
