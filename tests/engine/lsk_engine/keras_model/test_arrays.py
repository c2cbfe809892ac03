"""Splits from arrays and from data sets of batches."""

import keras
import numpy as np
import pytest

from ls_base.errors import InputError
from lsk_engine.keras_model import arrays
from lsk_engine.keras_model.arrays import read_split

X, Y = np.arange(12, dtype=np.float32).reshape(6, 2), np.array([0, 1, 2, 0, 1, 2])


class Batches(keras.utils.PyDataset):
    def __len__(self):
        return 2

    def __getitem__(self, index):
        return X[4 * index : 4 * index + 4], Y[4 * index : 4 * index + 4]


def same(split, labels=Y):
    np.testing.assert_array_equal(split.inputs["x"], X)
    np.testing.assert_array_equal(split.labels, labels)
    assert split.labels.dtype == np.int32


def test_arrays_are_read_unchanged():
    same(read_split((X, Y), "train"))
    assert read_split((X.astype(np.float64), Y), "train").inputs["x"].dtype == np.float32
    assert read_split((X.astype(np.uint8), Y), "train").inputs["x"].dtype == np.uint8


def test_a_py_data_set_is_read_once():
    same(read_split(Batches(), "train"))


@pytest.mark.tensorflow
def test_tf_data_is_read_once():
    import tensorflow as tf

    dataset = tf.data.Dataset.from_tensor_slices((X, Y))
    same(read_split(dataset.batch(4), "train"))
    with pytest.raises(InputError, match=r"batches in train: .batch\(32\)"):
        read_split(dataset, "train")
    with pytest.raises(InputError, match="train: Expected finite data"):
        read_split(dataset.batch(2).repeat(), "train")
    with pytest.raises(InputError, match="sample weights as well"):
        read_split(tf.data.Dataset.from_tensor_slices((X, Y, Y)).batch(2), "train")
    ragged = tf.data.Dataset.from_generator(
        lambda: ((np.zeros((2, n)), np.zeros(2)) for n in (3, 4)),
        output_signature=(tf.TensorSpec((2, None)), tf.TensorSpec((2,))),
    )
    with pytest.raises(InputError, match="batches of one shape in train; pad"):
        read_split(ragged, "train")
    with pytest.raises(InputError, match="at least one batch in train"):
        read_split(dataset.batch(4).take(0), "train")


def test_data_above_the_size_limit_are_refused(monkeypatch):
    monkeypatch.setattr(arrays, "MOST_BYTES", 50)
    with pytest.raises(InputError, match="at most 50 bytes in train"):
        read_split(Batches(), "train")


def test_several_inputs_have_names():
    assert list(read_split(({"a": X, "b": X}, Y), "train").inputs) == ["a", "b"]
    assert list(read_split(((X, X), Y), "train").inputs) == ["x_1", "x_2"]


@pytest.mark.parametrize(
    ("y", "one_hot"),
    [
        (Y[:, None], None),
        (np.eye(3)[Y], 3),
        (np.eye(4, dtype=np.uint8)[Y], 4),
        (np.eye(3, dtype=bool)[Y], 3),
    ],
)
def test_labels_of_other_forms_become_integers(y, one_hot):
    split = read_split((X, y), "train")
    same(split)
    assert split.one_hot == one_hot


def test_labels_by_position_are_read():
    y = np.array([[0, 1, -1], [2, 2, 1]])
    np.testing.assert_array_equal(read_split((X[:2], y), "train").labels, y)
    one_hot = read_split((X[:2], np.eye(3)[np.abs(y)]), "train")
    np.testing.assert_array_equal(one_hot.labels, np.abs(y))


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (X, r"train to be \(x, y\), .*Received: ndarray of shape \(6, 2\)"),
        ((X, Y, Y), "Received: a tuple of 3"),
        (3, "Received: 3"),
        ((X, Y[:5]), "as many labels as examples in train. Received: 6 in x and 5 labels"),
        ((X[:0], Y[:0]), "at least one example in train"),
        ((X, Y + 0.5), "integer labels in y of train.*float64"),
        ((X, np.eye(3)[Y] * 0.9), "integer labels in y of train"),
        ((X, Y + 2**31), "labels of 32 bits in y of train"),
        ((X, [[1], [2, 3], [], [], [], []]), "an array for y of train; pad"),
        ((np.array(list("abcdef")), Y), "numbers in x of train.*<U1"),
        ((np.where(X == 7, np.nan, X), Y), "finite numbers in x of train.*in row 3$"),
        (({"a": X, "b": X / 0.5 - np.inf}, Y), "finite numbers in b of train"),
        ((3.0, Y), "examples in x of train"),
    ],
)
def test_invalid_splits_are_refused_in_one_line(value, message):
    with pytest.raises(InputError, match=message) as error:
        read_split(value, "train")
    assert "\n" not in str(error.value)
