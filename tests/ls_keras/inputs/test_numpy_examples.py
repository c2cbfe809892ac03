import keras
import numpy as np
import pytest
from keras import ops

from ls_base.errors import InputError
from ls_keras.inputs.numpy_examples import read_host_examples


def test_the_logits_are_shared():
    z = np.zeros((10, 4), np.float32)
    assert read_host_examples(np.zeros(10, int), z, from_logits=True).logits.base is z


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
def test_of_probabilities_the_logarithms_are_read(rng, dtype):
    p = rng.dirichlet(np.ones(5), (6, 7)).astype(dtype)
    p[0, 0] = [1, 0, 0, 0, 0]
    found = read_host_examples(np.zeros((6, 7), int), p)
    assert found.logits.dtype == (np.float64 if dtype == "float64" else np.float32)
    some = p.reshape(-1, 5) > 0
    np.testing.assert_allclose(found.logits[some], np.log(p.reshape(-1, 5)[some]), rtol=2e-3)
    assert np.isfinite(found.logits).all()
    tensor = read_host_examples(np.zeros((6, 7), int), ops.convert_to_tensor(p))
    np.testing.assert_allclose(tensor.logits, found.logits, rtol=1e-6)


def test_probabilities_in_bfloat16_may_be_off_by_what_it_rounds(rng):
    z = rng.normal(0, 3, (500, 10))
    p = ops.cast(ops.softmax(ops.convert_to_tensor(z, "float32"), axis=-1), "bfloat16")
    assert float(ops.max(ops.abs(ops.sum(ops.cast(p, "float32"), axis=-1) - 1))) > 1e-3
    found = read_host_examples(np.zeros(500, int), p)
    same = ops.convert_to_numpy(ops.cast(p, "float32"))
    np.testing.assert_allclose(found.logits, np.log(same), rtol=1e-6)
    with pytest.raises(InputError, match="from_logits=True"):
        read_host_examples(np.zeros(500, int), same)  # which float32 does not round so


def test_the_mask_that_layers_attached_counts(rng):
    z = keras.layers.Embedding(5, 3, mask_zero=True)(np.array([[1, 2, 0], [4, 0, 0]]))
    found = read_host_examples(np.ones((2, 3), int), z, from_logits=True)
    assert len(found) == 3
    mask = np.ones((2, 3), bool)
    assert len(read_host_examples(np.ones((2, 3), int), z, from_logits=True, mask=mask)) == 6


@pytest.mark.parametrize("row", [[3.0, 1.0], [-0.5, 1.5], [np.nan, 1.0], [0.0, 0.0]])
def test_what_is_no_distribution_is_told_where_it_counts(row):
    y_pred = np.array([[0.5, 0.5], row])
    with pytest.raises(InputError, match="from_logits=True. Received: 1 of 2"):
        read_host_examples([0, 1], y_pred)
    assert len(read_host_examples([0, 1], y_pred, sample_weight=[1.0, 0.0])) == 1
    assert len(read_host_examples([0, -1], y_pred, ignore_class=-1)) == 1
