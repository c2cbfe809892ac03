import pickle

import keras
import numpy as np
import pytest
from keras import ops

import ls_keras
from ls_base.errors import InputError
from ls_keras import TiedLogits
from ls_keras.backend.tensors import mask_of


def tied_model(use_bias=False):
    embedding = keras.layers.Embedding(7, 4, name="embedding")
    tokens = keras.Input((None,), dtype="int32")
    hidden = keras.layers.Dense(4)(embedding(tokens))
    return keras.Model(tokens, TiedLogits(embedding, use_bias=use_bias, name="logits")(hidden))


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


def test_wrong_layers_and_shapes_raise_input_errors():
    with pytest.raises(InputError, match=r"keras.layers.Embedding. Received"):
        TiedLogits(keras.layers.Dense(3))
    layer = TiedLogits(keras.layers.Embedding(7, 4))
    with pytest.raises(InputError, match=r"inputs with 4 features.*Received.*\(2, 5\)"):
        layer(np.ones((2, 5), "float32"))


def nested():
    """Returns a model whose embedding is called inside an inner model."""
    embedding = keras.layers.Embedding(7, 4, name="embedding")
    tokens = keras.Input((None,), dtype="int32")
    embedder = keras.Model(tokens, embedding(tokens), name="embedder")
    hidden = keras.layers.Dense(4)(embedder(tokens))
    return keras.Model(tokens, TiedLogits(embedding, name="logits")(hidden))


def sequential():
    embedding = keras.layers.Embedding(7, 4, name="embedding")
    return keras.Sequential(
        [keras.Input((None,), dtype="int32"), embedding, TiedLogits(embedding, use_bias=True)]
    )


COPIES = {
    "clone_model": keras.models.clone_model,
    "from_config": lambda model: type(model).from_config(model.get_config()),
    "json": lambda model: keras.models.model_from_json(model.to_json()),
    "pickle": lambda model: pickle.loads(pickle.dumps(model)),
}


@pytest.mark.parametrize("make", [tied_model, nested, sequential])
@pytest.mark.parametrize("copy", list(COPIES))
def test_copies_share_the_embedding(make, copy, tmp_path):
    model = make()
    copied = COPIES[copy](model)
    assert copied.count_params() == model.count_params()
    assert len(copied.variables) == len(model.variables)
    copied.set_weights([w + 1 for w in model.get_weights()])
    tokens = np.array([[1, 2, 6]])
    logits = ops.convert_to_numpy(copied(tokens))
    copied.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    assert loaded.count_params() == model.count_params()
    np.testing.assert_allclose(ops.convert_to_numpy(loaded(tokens)), logits, rtol=1e-6)


def test_a_restored_layer_without_its_embedding_warns():
    layer = TiedLogits.from_config(TiedLogits(keras.layers.Embedding(7, 4, name="e")).get_config())
    with pytest.warns(UserWarning, match="without the embedding 'e'"):
        layer(keras.Input((3, 4)))
    again = TiedLogits.from_config(layer.get_config())
    assert again(np.ones((2, 4), "float32")).shape == (2, 7)


def test_masks_are_passed_on():
    embedding = keras.layers.Embedding(7, 4, mask_zero=True)
    tokens = keras.Input((None,), dtype="int32")
    model = keras.Model(tokens, TiedLogits(embedding)(embedding(tokens)))
    x, y = np.array([[1, 2, 0], [3, 0, 0]]), np.array([[1, 2, 3], [4, 5, 6]])
    assert ops.convert_to_numpy(mask_of(model(x))).tolist() == (x != 0).tolist()
    model.compile(loss=ls_keras.SmoothedCE(from_logits=True))
    losses = ls_keras.smoothed_cross_entropy(y, model(x), from_logits=True)
    expected = ops.convert_to_numpy(losses)[x != 0].mean()
    assert model.evaluate(x, y, verbose=0) == pytest.approx(expected, rel=1e-5)
