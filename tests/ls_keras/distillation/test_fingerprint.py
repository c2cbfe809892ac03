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


def test_order_and_content_have_separate_hashes():
    x, y = np.arange(12.0).reshape(4, 3), np.arange(4)
    whole, turned = fingerprint(x, y), fingerprint(x[::-1], y[::-1])
    assert whole.content == turned.content
    assert whole.order != turned.order
    assert fingerprint(x.copy(), y) == whole
    for inputs, labels in ((x + 1e-9, y), (x, y[::-1]), (x.astype("float32"), y), (x[:3], y[:3])):
        assert fingerprint(inputs, labels).content != whole.content


def test_names_of_inputs_matter_but_not_their_order():
    x, y = np.ones((2, 3)), np.arange(2)
    one, two = {"a": x, "b": 2 * x}, {"b": 2 * x, "a": x}
    assert fingerprint(one, y) == fingerprint(two, y)
    assert fingerprint({"a": 2 * x, "b": x}, y) != fingerprint(one, y)


@pytest.mark.parametrize(
    ("inputs", "content", "order"),
    [
        (lambda x: x, "9b795662f9ffcaff", "ac823ef3b0510b0e"),
        (lambda x: {"b": x, "a": 2 * x}, "ae63cb4bf5076288", "b3cfefb4db0b003b"),
        (lambda x: (x, 2 * x), "813ff0b767c3ab7d", "796384afb6a37b78"),
        (lambda x: [i * x for i in range(12)], "4282820bfc1096db", "e30ffbd5b1601b1b"),
    ],
    ids=["array", "by name", "pair", "twelve"],
)
def test_hashes_do_not_change_between_versions(inputs, content, order):
    x, y = np.arange(12, dtype=np.int32).reshape(4, 3), np.arange(4, dtype=np.int32)
    found = fingerprint(inputs(x), y)
    assert (found.content[:16], found.order[:16]) == (content, order)


def test_inputs_of_any_structure():
    x, y = np.ones((2, 3)), np.arange(2)
    nested = {"a": {"b": x, "c": 2 * x}, "d": (3 * x, [4 * x])}
    assert fingerprint(nested, y) == fingerprint(
        keras.tree.map_structure(np.copy, dict(reversed(nested.items()))), y
    )
    for other in (
        {**nested, "a": {"b": 2 * x, "c": x}},
        {**nested, "d": (3 * x, [5 * x])},
        {**nested, "d": ([4 * x], 3 * x)},
    ):
        assert fingerprint(other, y).content != fingerprint(nested, y).content


def test_the_hash_of_a_model_depends_on_its_weights():
    model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(3, name="a")])
    other = keras.Sequential([keras.Input((2,)), keras.layers.Dense(3, name="b")])
    assert fingerprint_model(model) != fingerprint_model(other)
    other.set_weights(model.get_weights())
    assert fingerprint_model(model) == fingerprint_model(other)


@pytest.mark.parametrize(("x", "y"), [(np.ones(2), np.ones(3)), (np.ones(2), 1)])
def test_arrays_of_different_lengths_raise_input_errors(x, y):
    with pytest.raises(InputError, match="arrays of one length in examples"):
        BatchedExamples((x, y))
