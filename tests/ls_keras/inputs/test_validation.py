import math

import keras
import numpy as np
import pytest
from keras import ops

from ls_base.errors import InputError
from ls_keras.backend.tensors import as_array, as_tensor
from ls_keras.errors import shown
from ls_keras.inputs.validation import (
    as_choice,
    as_count,
    as_counts,
    as_flag,
    as_names,
    as_number,
    as_path,
)


@pytest.mark.parametrize("read", [as_tensor, as_array])
@pytest.mark.parametrize(
    "value", [1, [0.5, 1], (True,), np.float16([1]), np.zeros((0, 3)), [np.float32(1), 2]]
)
def test_numbers_are_read(read, value):
    found = read(value, "x")
    np.testing.assert_array_equal(ops.convert_to_numpy(found), np.asarray(value))


def test_tensors_and_variables_of_the_backend_are_read():
    tensor = ops.convert_to_tensor([1.0, 2.0])
    assert as_tensor(tensor, "x") is tensor
    for value in (tensor, keras.Variable([1.0, 2.0]), ops.cast(tensor, "bfloat16")):
        np.testing.assert_array_equal(ops.convert_to_numpy(as_tensor(value, "x")), [1, 2])
        np.testing.assert_array_equal(as_array(value, "x").astype(float), [1, 2])
    symbolic = keras.Input((3,))
    for read in (as_tensor, as_array):
        with pytest.raises(InputError, match="x to be a tensor or array"):
            read(symbolic, "x")


@pytest.mark.tensorflow
def test_tensorflows_own_are_read_or_refused():
    import tensorflow as tf

    assert as_tensor(tf.Variable([1.0]), "x").shape == (1,)
    for value in (tf.ragged.constant([[1], [2, 3]]), tf.constant(["a"]), tf.constant(1j)):
        with pytest.raises(InputError, match="x to be a tensor or array"):
            as_tensor(value, "x")
    pair = tf.function(lambda x: as_tensor([x, 2 * x], "x"))(tf.constant(1.0))
    assert pair.numpy().tolist() == [1, 2]


def test_python_numbers_have_keras_s_float_type_and_arrays_keep_theirs():
    assert keras.backend.standardize_dtype(as_tensor([0.5], "x").dtype) == "float32"
    array = np.zeros(3, "float32")
    assert as_array(array, "x") is array


@pytest.mark.parametrize("read", [as_tensor, as_array])
@pytest.mark.parametrize(
    "value",
    [None, "x", b"x", {}, object(), 1j, [[1], [2, 3]], [None], ["a"], 2**70, np.array([None])],
    ids=lambda value: "object" if type(value) is object else str(value),  # not by its address
)
def test_what_is_no_number_is_refused_in_one_line(read, value):
    with pytest.raises(InputError, match="^Expected x to be a tensor or array of real") as told:
        read(value, "x")
    assert "\n" not in str(told.value)


def test_counts():
    assert as_count(np.int64(3), "n") == 3
    for value in (True, 1.0, "1", None, -1):
        with pytest.raises(InputError, match="n to be an integer ≥ 0. Received: "):
            as_count(value, "n")
    with pytest.raises(InputError, match="n to be at most 9. Received: 10"):
        as_count(10, "n", 0, 9)
    assert as_counts(np.array([2, 0]), "ids") == (2, 0)
    assert as_counts(range(2), "ids", 2) == (0, 1)
    for value in ("12", {1: 2}, 3, np.array(3), [0.5]):
        with pytest.raises(InputError, match="Expected ids"):
            as_counts(value, "ids")
    with pytest.raises(InputError, match="ids to be 2 integers"):
        as_counts([1], "ids", 2)


def test_numbers():
    assert as_number(np.float32(0.5), "t", low=0, high=1) == 0.5
    for value in (math.nan, math.inf, 10**400, True, "1", None, 1j, -1, 2):
        with pytest.raises(InputError, match="t to be a finite number of at least 0 and of at mo"):
            as_number(value, "t", low=0, high=1)
    with pytest.raises(InputError, match="t to be a finite number above 0. Received: 0"):
        as_number(0, "t", low=0, above=True)


def test_words_and_choices(tmp_path):
    assert as_flag(np.bool_(True), "on") is True
    with pytest.raises(InputError, match="on to be True or False. Received: 1"):
        as_flag(1, "on")
    assert as_choice("a", "kind", ("a", "b")) == "a"
    with pytest.raises(InputError, match="kind to be one of a, b. Received: an array of shape"):
        as_choice(np.zeros(3), "kind", ("a", "b"))
    assert as_names(("a", "b"), "names", 2) == ["a", "b"]
    with pytest.raises(InputError, match="names for 3 classes. Received: 2"):
        as_names(["a", "b"], "names", 3)
    assert as_path(str(tmp_path), "file") == tmp_path
    for value in ("", "a\0b", 3):
        with pytest.raises(InputError, match="file to be a path"):
            as_path(value, "file")


def test_what_is_shown_is_one_short_line():
    for value in (np.zeros((9, 9)), "x" * 500, "a\nb", 10**5000, object(), [None] * 99):
        assert "\n" not in shown(value)
        assert len(shown(value)) <= 80
