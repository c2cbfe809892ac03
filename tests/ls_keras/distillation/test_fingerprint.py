import keras
import numpy as np
import pytest

from ls_base.errors import InputError
from ls_keras.distillation.fingerprint import (
    BatchedExamples,
    fingerprint_examples,
    fingerprint_model,
)


def fingerprint(inputs, labels):
    return fingerprint_examples(BatchedExamples((inputs, labels)))[0]


def test_another_order_is_told_from_other_examples():
    x, y = np.arange(12.0).reshape(4, 3), np.arange(4)
    whole, turned = fingerprint(x, y), fingerprint(x[::-1], y[::-1])
    assert whole.content == turned.content
    assert whole.order != turned.order
    assert fingerprint(x.copy(), y) == whole
    for inputs, labels in ((x + 1e-9, y), (x, y[::-1]), (x.astype("float32"), y), (x[:3], y[:3])):
        assert fingerprint(inputs, labels).content != whole.content


def test_names_of_inputs_count_and_their_order_does_not():
    x, y = np.ones((2, 3)), np.arange(2)
    one, two = {"a": x, "b": 2 * x}, {"b": 2 * x, "a": x}
    assert fingerprint(one, y) == fingerprint(two, y)
    assert fingerprint({"a": 2 * x, "b": x}, y) != fingerprint(one, y)


def test_a_model_is_its_weights():
    model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(3, name="a")])
    other = keras.Sequential([keras.Input((2,)), keras.layers.Dense(3, name="b")])
    assert fingerprint_model(model) != fingerprint_model(other)
    other.set_weights(model.get_weights())
    assert fingerprint_model(model) == fingerprint_model(other)


@pytest.mark.parametrize(("x", "y"), [(np.ones(2), np.ones(3)), (np.ones(2), 1)])
def test_arrays_that_do_not_belong_together_are_told(x, y):
    with pytest.raises(InputError, match="arrays of one length in examples"):
        BatchedExamples((x, y))
