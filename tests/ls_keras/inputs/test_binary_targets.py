import keras
import numpy as np
import pytest
from keras import ops

from ls_base.errors import InputError
from ls_keras.inputs.binary_targets import read_binary_targets

P23 = np.zeros((2, 3), "float32")


def numbers(tensor) -> list:
    return ops.convert_to_numpy(tensor).tolist()


@pytest.mark.parametrize("dtype", ["bool", "int8", "uint8", "int64", "float16", "float64"])
def test_labels_of_any_dtype_become_floats(dtype):
    found = read_binary_targets(np.array([[0, 1, 1], [1, 0, 0]], dtype), P23)
    assert numbers(found.values) == [[0, 1, 1], [1, 0, 0]]
    assert found.valid is None
    assert found.wrong is None


def test_ids_that_do_not_count_need_not_fit_the_dtype():
    found = read_binary_targets(
        np.uint8([[0, 1, 255], [1, 255, 0]]), P23, ignore_class=[255, -1, 2**70, 10**400]
    )
    assert numbers(found.values) == [[0, 1, 0], [1, 0, 0]]
    assert numbers(found.valid) == [[True, True, False], [True, False, True]]


def test_soft_labels_stay_and_float64_keeps_its_digits():
    soft = np.array([[0.1, 1 / 3, 1.0]])
    found = read_binary_targets(soft, np.zeros((1, 3)))
    # The others make tensors of 32 bits of such arrays.
    exact = 1e-15 if keras.config.backend() == "tensorflow" else 1e-7
    np.testing.assert_allclose(ops.convert_to_numpy(found.values), soft, rtol=exact)


@pytest.mark.parametrize(
    ("true_shape", "shape"),
    [((4,), (4, 1)), ((4, 1), (4, 1)), ((4, 1), (4,)), ((2, 3), (2, 3, 1)), ((4,), (4,))],
)
def test_an_axis_of_one_may_be_left_out(true_shape, shape):
    found = read_binary_targets(np.ones(true_shape), np.zeros(shape, "float32"))
    assert tuple(found.values.shape) == shape


@pytest.mark.parametrize(
    ("true_shape", "shape"),
    [((4,), (4, 2)), ((2,), (2, 2)), ((4, 2), (4, 3)), ((), ()), ((2, 1), (2, 3)), ((3,), (4, 1))],
)
def test_shapes_that_do_not_belong_together_are_refused(true_shape, shape):
    with pytest.raises(InputError, match="a label for each sigmoid"):
        read_binary_targets(np.ones(true_shape), np.zeros(shape, "float32"))


@pytest.mark.parametrize("wrong", [-0.1, 1.1, 2, np.nan, np.inf, -np.inf])
def test_labels_outside_are_told_or_marked(wrong, traced):
    y = np.float32([[0, wrong, -1], [1, -1, 0]])
    with pytest.raises(InputError, match=r"in \[0, 1\] or ignore_class=-1.*among 1 labels outside"):
        read_binary_targets(y, P23, ignore_class=-1)
    values, valid, marked = traced(lambda y: tuple(read_binary_targets(y, P23, ignore_class=-1)), y)
    assert marked.tolist() == [[False, True, False], [False] * 3]
    assert valid.tolist() == [[True, True, False], [True, False, True]]
    assert values.tolist() == [[0, 0, 0], [1, 0, 0]]
