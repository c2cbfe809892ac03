import keras
import numpy as np
import pytest
from keras import ops

from ls_base.errors import InputError
from ls_keras import TiedLogits


def tied_model(use_bias=False):
    embedding = keras.layers.Embedding(7, 4, name="embedding")
    tokens = keras.Input((None,), dtype="int32")
    hidden = keras.layers.Dense(4)(embedding(tokens))
    return keras.Model(tokens, TiedLogits(embedding, use_bias=use_bias, name="logits")(hidden))


def test_logits_are_products_with_the_embedding_rows():
    model = tied_model(use_bias=True)
    layer = model.get_layer("logits")
    layer.bias.assign(np.arange(7.0))
    x = np.random.default_rng(0).normal(size=(2, 3, 4)).astype("float32")
    rows = ops.convert_to_numpy(model.get_layer("embedding").embeddings)
    np.testing.assert_allclose(
        ops.convert_to_numpy(layer(x)), x @ rows.T + np.arange(7.0), rtol=1e-5, atol=1e-6
    )
    np.testing.assert_allclose(ops.convert_to_numpy(layer.kernel), rows.T)


def test_the_embedding_is_one_variable_before_and_after_saving(tmp_path):
    model = tied_model()
    assert len(model.trainable_variables) == 3  # embedding, kernel and bias of Dense
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    assert len(loaded.trainable_variables) == 3
    assert loaded.get_layer("logits").embedding is loaded.get_layer("embedding")
    tokens = np.array([[1, 2, 6]])
    np.testing.assert_array_equal(
        ops.convert_to_numpy(model(tokens)), ops.convert_to_numpy(loaded(tokens))
    )


def test_logits_are_float32_under_mixed_precision():
    embedding = keras.layers.Embedding(7, 4, dtype="mixed_bfloat16")
    layer = TiedLogits(embedding, dtype="mixed_bfloat16")
    hidden = ops.cast(np.ones((2, 4)), "bfloat16")
    assert keras.backend.standardize_dtype(layer(hidden).dtype) == "float32"
    assert layer.compute_output_spec(keras.KerasTensor((None, 4), "bfloat16")).dtype == "float32"


def test_bad_input_is_told():
    with pytest.raises(InputError, match=r"keras.layers.Embedding. Received"):
        TiedLogits(keras.layers.Dense(3))
    layer = TiedLogits(keras.layers.Embedding(7, 4))
    with pytest.raises(InputError, match=r"inputs of 4 features.*Received.*\(2, 5\)"):
        layer(np.ones((2, 5), "float32"))
