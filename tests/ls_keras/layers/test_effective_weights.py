import keras
import numpy as np
import pytest
from keras import ops

import ls_keras
from ls_base.errors import InputError
from ls_keras import FusedLogits, SmoothedCE, TiedLogits
from ls_keras.layers.effective_weights import effective_weights, embedding_table
from ls_keras.representation import penultimate, templates

CLASSES, FEATURES = 12, 8
# The largest error of a weight relative to the largest weight; groups also round their zero.
STEPS = {"int8": 0.5 / 127, "int4": 0.5 / 7, "int4 in groups": 0.25}
reversible = pytest.mark.skipif(
    not hasattr(keras.layers, "ReversibleEmbedding"), reason="this Keras has none"
)


def quantize(layer, mode):
    if mode == "int4 in groups":
        config = keras.quantizers.Int4QuantizationConfig(block_size=4)
        layer.quantize("int4", config=config)
    elif mode is not None:
        layer.quantize(mode)


def random_matrix(*shape, seed=0):
    return np.random.default_rng(seed).normal(size=shape).astype("float32")


def array(tensor):
    return ops.convert_to_numpy(ops.convert_to_tensor(tensor))


def assert_close(found, expected, mode):
    atol = STEPS.get(mode, 1e-6) * np.abs(expected).max()
    np.testing.assert_allclose(array(found), expected, atol=1.01 * atol)


def add_lora(layer, *names):
    layer.enable_lora(2)
    for seed, name in enumerate(names):
        variable = getattr(layer, name)
        variable.assign(random_matrix(*variable.shape, seed=seed + 1))


@pytest.mark.parametrize("mode", [None, *STEPS])
@pytest.mark.parametrize("lora", [False, True])
@pytest.mark.parametrize("kind", ["dense", "einsum"])
def test_kernel_is_what_the_layer_multiplies_by(kind, lora, mode):
    if kind == "dense":
        layer = keras.layers.Dense(CLASSES)
    else:
        layer = keras.layers.EinsumDense("btd,dk->btk", (None, CLASSES), bias_axes="k")
    layer.build((2, 3, FEATURES))
    layer.set_weights([random_matrix(*w.shape) for w in layer.get_weights()])
    expected = array(layer.kernel)
    quantize(layer, mode)
    if lora:
        add_lora(layer, "lora_kernel_a", "lora_kernel_b")
        expected = expected + array(layer.lora_kernel_a) @ array(layer.lora_kernel_b)
    weights = effective_weights(layer)
    assert not weights.transposed
    np.testing.assert_allclose(array(weights.kernel), expected, atol=0.5 if mode else 1e-6)
    # Rows of the identity are quantized without error, so the layer itself is the reference.
    identity = np.eye(FEATURES, dtype="float32")[None]
    np.testing.assert_allclose(
        array(weights.kernel) + array(weights.bias), array(layer(identity))[0], atol=2e-4
    )


@pytest.mark.parametrize("mode", [None, *STEPS])
@pytest.mark.parametrize("lora", [False, True])
def test_table_is_what_the_embedding_looks_up(lora, mode):
    layer = keras.layers.Embedding(CLASSES, FEATURES)
    layer.build()
    layer.set_weights([random_matrix(CLASSES, FEATURES)])
    expected = random_matrix(CLASSES, FEATURES)
    quantize(layer, mode)
    if lora:
        add_lora(layer, "lora_embeddings_a", "lora_embeddings_b")
        expected = expected + array(layer.lora_embeddings_a) @ array(layer.lora_embeddings_b)
    table = array(embedding_table(layer))
    np.testing.assert_allclose(table, array(layer(np.arange(CLASSES))), atol=1e-5)
    np.testing.assert_allclose(table, expected, atol=0.5 if mode else 1e-5)


@pytest.mark.parametrize("mode", list(STEPS))
@pytest.mark.parametrize("use_bias", [False, True])
def test_tied_logits_of_a_quantized_embedding_are_scaled(mode, use_bias):
    embedding = keras.layers.Embedding(CLASSES, FEATURES)
    layer = TiedLogits(embedding, use_bias=use_bias)
    x = random_matrix(5, FEATURES, seed=1)
    layer(x)
    table = random_matrix(CLASSES, FEATURES)
    embedding.set_weights([table])
    quantize(embedding, mode)
    np.testing.assert_allclose(
        array(layer(x)), x @ array(embedding(np.arange(CLASSES))).T, atol=1e-5
    )
    assert_close(layer.kernel, table.T, mode)


@pytest.mark.parametrize("mode", list(STEPS))
@pytest.mark.parametrize("kind", ["dense", "tied"])
def test_fused_loss_over_a_quantized_head_is_that_of_its_weights(kind, mode):
    if kind == "dense":
        head = keras.layers.Dense(CLASSES)
    else:
        head = TiedLogits(keras.layers.Embedding(CLASSES, FEATURES))
    fused = FusedLogits(head, alpha=0.1)
    x, y = random_matrix(6, FEATURES, seed=1), np.arange(6)
    fused(x)
    quantized = head if kind == "dense" else head.embedding
    quantize(quantized, mode)
    fused(x, y)
    (loss,) = fused.losses
    logits = x @ array(effective_weights(head).columns())
    expected = SmoothedCE(0.1, from_logits=True)(y, logits)
    np.testing.assert_allclose(array(loss), array(expected), rtol=1e-5)
    np.testing.assert_allclose(array(fused.kernel), array(effective_weights(head).columns()))


@pytest.mark.parametrize("mode", ["int8", "int4"])
@pytest.mark.filterwarnings("ignore:Layer .* does not have a `quantize` method:UserWarning")
def test_a_quantized_model_keeps_its_tied_predictions(mode):
    keras.utils.set_random_seed(0)
    tokens = keras.Input((None,), dtype="int32")
    embedding = keras.layers.Embedding(50, 16, embeddings_initializer="normal")
    hidden = keras.layers.Dense(16)(embedding(tokens))
    model = keras.Model(tokens, TiedLogits(embedding)(hidden))
    x = np.arange(50)[None]
    before = array(model(x))
    model.quantize(mode)
    np.testing.assert_allclose(array(model(x)), before, atol=0.25 * np.abs(before).max())


@pytest.mark.parametrize("mode", list(STEPS))
def test_templates_of_a_quantized_model_are_those_of_the_model_in_floats(mode):
    model = keras.Sequential([keras.Input((FEATURES,)), keras.layers.Dense(CLASSES, name="logits")])
    model.set_weights([random_matrix(*w.shape) for w in model.get_weights()])
    expected = array(templates(model))
    quantize(model.get_layer("logits"), mode)
    assert_close(templates(model), expected, mode)


def test_weights_of_other_quantization_modes_are_refused():
    layer = keras.layers.Dense(CLASSES, dtype="gptq/4/8_from_float32")
    with pytest.raises(InputError, match=r"int8 or int4.*Received: .*'gptq'"):
        effective_weights(layer)


def language_model(embedding):
    """Ends as Keras Hub's language models do: in the embedding, called in reverse."""
    tokens = keras.Input((4,), dtype="int32")
    hidden = keras.layers.Dense(FEATURES, activation="tanh", name="hidden")(embedding(tokens))
    return keras.Model(tokens, embedding(hidden, reverse=True))


REVERSIBLE = {
    "tied": {},
    "soft cap": {"logit_soft_cap": 1.5},
    "untied": {"tie_weights": False},
    "untied soft cap": {"tie_weights": False, "logit_soft_cap": 1.5},
    "reverse dtype": {"reverse_dtype": "float32", "dtype": "mixed_bfloat16"},
}


def reversible_embedding(options):
    layer = keras.layers.ReversibleEmbedding(CLASSES, FEATURES, name="embedding", **options)
    layer.build()
    layer.set_weights([random_matrix(*w.shape) for w in layer.get_weights()])
    return layer


@reversible
@pytest.mark.parametrize("options", REVERSIBLE)
def test_tied_logits_are_those_of_the_reversed_embedding(options):
    embedding = reversible_embedding(REVERSIBLE[options])
    x = random_matrix(5, FEATURES, seed=1)
    found, expected = TiedLogits(embedding)(x), embedding(x, reverse=True)
    tolerance = 2e-2 if "dtype" in REVERSIBLE[options] else 1e-5
    np.testing.assert_allclose(array(found), array(expected), rtol=tolerance, atol=tolerance)


@reversible
@pytest.mark.filterwarnings("ignore:.*The use of `x.T`:UserWarning")  # raised by Keras on PyTorch
@pytest.mark.parametrize("mode", list(STEPS))
@pytest.mark.parametrize("options", ["tied", "untied", "soft cap"])
def test_a_quantized_reversible_embedding_is_scaled(options, mode):
    embedding = reversible_embedding(REVERSIBLE[options])
    layer, x = TiedLogits(embedding), np.eye(FEATURES, dtype="float32")
    layer(x)
    kernel = array(layer.kernel)
    quantize(embedding, mode)
    assert_close(layer.kernel, kernel, mode)
    np.testing.assert_allclose(array(layer(x)), array(embedding(x, reverse=True)), atol=0.02)


@reversible
@pytest.mark.parametrize("options", REVERSIBLE)
@pytest.mark.parametrize("smoothing", ["uniform", "prior"])
def test_fused_loss_and_gradients_of_a_reversible_embedding(options, smoothing):
    smoothing = ls_keras.Unigram(np.arange(1, CLASSES + 1)) if smoothing == "prior" else smoothing
    y = np.random.default_rng(0).integers(0, CLASSES, (32, 4))
    tokens = np.random.default_rng(1).integers(0, CLASSES, (32, 4))

    def train(fused):
        keras.utils.set_random_seed(0)
        embedding = reversible_embedding(REVERSIBLE[options])
        model = language_model(embedding)
        if not fused:
            model.compile("sgd", SmoothedCE(0.2, smoothing=smoothing, from_logits=True))
            return model.fit(tokens, y, shuffle=False, epochs=2, verbose=0), model
        labels = keras.Input((4,), dtype="int32")
        layer = FusedLogits(embedding, 0.2, smoothing, chunk_size=7)
        training = keras.Model(
            [model.input, labels], layer(model.get_layer("hidden").output, labels)
        )
        training.compile("sgd")
        return training.fit([tokens, y], shuffle=False, epochs=2, verbose=0), model

    (one, by_logits), (other, by_fused) = train(False), train(True)
    tolerance = {"rtol": 1e-5, "atol": 1e-5}
    if "dtype" in REVERSIBLE[options]:
        tolerance = {"rtol": 1e-2, "atol": 1e-2}
    np.testing.assert_allclose(other.history["loss"], one.history["loss"], **tolerance)
    for a, b in zip(by_fused.get_weights(), by_logits.get_weights(), strict=True):
        np.testing.assert_allclose(a, b, **tolerance)


@reversible
@pytest.mark.parametrize("options", REVERSIBLE)
def test_templates_and_activations_of_a_reversible_embedding(options):
    embedding = reversible_embedding(REVERSIBLE[options])
    model = language_model(embedding)
    x = np.array([[0, 3, 7, 11]])
    z = array(penultimate(model)(x)).astype("float32") @ array(templates(model))[:-1]
    if embedding.logit_soft_cap:
        z = np.tanh(z / embedding.logit_soft_cap) * embedding.logit_soft_cap
    np.testing.assert_allclose(z, array(model(x)).astype("float32"), rtol=2e-2, atol=2e-2)


@reversible
def test_a_copy_of_tied_logits_shares_its_reversible_embedding(tmp_path):
    embedding = reversible_embedding({"tie_weights": False, "logit_soft_cap": 2.0})
    tokens = keras.Input((4,), dtype="int32")
    model = keras.Model(tokens, TiedLogits(embedding)(embedding(tokens)))
    clone = keras.models.clone_model(model)
    assert len(clone.variables) == len(model.variables) == 2
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    x = np.array([[0, 3, 7, 11]])
    np.testing.assert_allclose(array(loaded(x)), array(model(x)), rtol=1e-6)
