import keras
import numpy as np
import pytest
from keras import ops

import ls_keras
from ls_base.errors import InputError
from ls_keras import FusedLogits, SmoothedCE, TiedLogits

CLASSES, FEATURES, TOKENS = 13, 4, 6
OPTIONS = {"alpha": 0.2, "ignore_class": 3}


def models(*, tied=False, smoothing="uniform", **options):
    """Returns a model with the fused loss, and the model of logits that shares its weights."""
    keras.utils.set_random_seed(0)
    tokens, labels = (keras.Input((TOKENS,), dtype="int32") for _ in range(2))
    weights = keras.Input((TOKENS,))
    embedding = keras.layers.Embedding(CLASSES, FEATURES, mask_zero=True, name="embedding")
    hidden = keras.layers.Dense(FEATURES, activation="tanh")(embedding(tokens))
    head = TiedLogits(embedding, use_bias=True) if tied else keras.layers.Dense(CLASSES)
    fused = FusedLogits(head, smoothing=smoothing, chunk_size=5, name="fused", **OPTIONS, **options)
    training = keras.Model([tokens, labels, weights], fused(hidden, labels, weights))
    return training, keras.Model(tokens, head(hidden))


def data(number=16):
    rng = np.random.default_rng(0)
    x, y = rng.integers(0, CLASSES, (2, number, TOKENS))
    return x, y, rng.random((number, TOKENS)).astype("float32")


def trained(tied=False, smoothing="uniform", **options):
    """Trains both models for some steps and returns them with their losses."""
    x, y, weights = data()
    fit = {"batch_size": 4, "epochs": 2, "shuffle": False, "verbose": 0}
    training, by_fused = models(tied=tied, smoothing=smoothing)
    training.compile("adam", **options)
    fused = training.fit([x, y, weights], **fit).history["loss"]
    fused.append(training.evaluate([x, y, weights], verbose=0))
    _, by_logits = models(tied=tied, smoothing=smoothing)
    loss = SmoothedCE(smoothing=smoothing, from_logits=True, **OPTIONS)
    by_logits.compile("adam", loss, **options)
    unfused = by_logits.fit(x, y, sample_weight=weights, **fit).history["loss"]
    unfused.append(by_logits.evaluate(x, y, sample_weight=weights, verbose=0))
    return by_fused, fused, by_logits, unfused


@pytest.mark.parametrize("tied", [False, True])
def test_fit_gives_the_same_weights_as_the_loss_of_logits(tied):
    by_fused, fused, by_logits, unfused = trained(tied, "neighborhood")
    np.testing.assert_allclose(fused, unfused, rtol=1e-5)
    for one, other in zip(by_fused.get_weights(), by_logits.get_weights(), strict=True):
        np.testing.assert_allclose(one, other, atol=1e-6)


@pytest.mark.slow
@pytest.mark.parametrize("how", [{"run_eagerly": True}, {"jit_compile": True}])
def test_fit_gives_the_same_weights_eagerly_and_with_xla(how):
    if "jit_compile" in how and keras.config.backend() == "torch":
        pytest.skip("torch.compile needs a compiler of C++")
    by_fused, fused, by_logits, unfused = trained(**how)
    np.testing.assert_allclose(fused, unfused, rtol=1e-5)
    for one, other in zip(by_fused.get_weights(), by_logits.get_weights(), strict=True):
        np.testing.assert_allclose(one, other, atol=1e-6)


@pytest.mark.slow
@pytest.mark.tensorflow
@pytest.mark.parametrize("reduction", ["sum_over_batch_size", "sum"])
def test_fit_on_replicas_is_fit_on_one_device(reduction):
    import tensorflow as tf

    x, y, _ = data()
    ones = np.ones(x.shape, "float32")
    x, y = np.maximum(x, 1), np.where(y == OPTIONS["ignore_class"], 0, y)

    def fitted():
        training, model = models(reduction=reduction)
        training.compile("sgd")
        training.fit([x, y, ones], batch_size=4, shuffle=False, verbose=0)
        return model.get_weights()

    with tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"]).scope():
        replicated = fitted()
    for one, other in zip(fitted(), replicated, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-5, atol=1e-6)


def test_a_call_with_labels_adds_the_loss_and_returns_the_inputs():
    layer = FusedLogits(keras.layers.Dense(CLASSES), reduction="sum")
    rng = np.random.default_rng(0)
    hidden, y = rng.normal(size=(2, 3, FEATURES)).astype("float32"), np.ones((2, 3), int)
    logits = layer(hidden)
    assert layer.losses == []
    assert keras.backend.standardize_dtype(logits.dtype) == "float32"
    np.testing.assert_array_equal(ops.convert_to_numpy(layer(hidden, y)), hidden)
    (loss,) = layer.losses
    expected = ls_keras.SmoothedCE(from_logits=True, reduction="sum")(y, logits)
    np.testing.assert_allclose(
        ops.convert_to_numpy(loss), ops.convert_to_numpy(expected), rtol=1e-5
    )
    assert layer(keras.Input((3, FEATURES))).shape == (None, 3, CLASSES)
    labels = keras.Input((3,), dtype="int32")
    assert layer(keras.Input((3, FEATURES)), labels).shape == (None, 3, FEATURES)


@pytest.mark.parametrize("tied", [False, True])
def test_the_model_of_logits_and_copies_share_the_weights(tied, tmp_path):
    x, y, weights = data(4)
    training, model = models(tied=tied)
    assert len(training.variables) == len(model.variables) == (4 if tied else 5)
    training.compile("sgd")
    expected = training.evaluate([x, y, weights], verbose=0)
    training.save(tmp_path / "training.keras")
    loaded = keras.saving.load_model(tmp_path / "training.keras")
    assert loaded.evaluate([x, y, weights], verbose=0) == pytest.approx(expected, rel=1e-6)
    assert len(loaded.variables) == len(training.variables)
    clone = keras.models.clone_model(training)
    clone.set_weights(training.get_weights())
    clone.compile("sgd")
    assert clone.evaluate([x, y, weights], verbose=0) == pytest.approx(expected, rel=1e-6)
    fused = loaded.get_layer("fused")
    if tied:
        assert fused.head.embedding is loaded.get_layer("embedding")
    again = keras.Model(loaded.inputs[0], fused.head(fused.input[0]))
    np.testing.assert_allclose(
        again.predict(x, verbose=0), model.predict(x, verbose=0), rtol=1e-5, atol=1e-6
    )


@pytest.mark.parametrize("dtype", ["bfloat16", "float16"])
def test_training_in_mixed_precision(dtype):
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy(f"mixed_{dtype}")
    try:
        training, model = models(tied=True)
    finally:
        keras.config.set_dtype_policy(before)
    x, y, weights = data()
    training.compile(keras.optimizers.Adam(0.1))
    losses = training.fit([x, y, weights], epochs=4, verbose=0).history["loss"]
    assert losses[-1] < losses[0]
    expected = SmoothedCE(from_logits=True, **OPTIONS)(y, model(x), weights)
    found = training.evaluate([x, y, weights], verbose=0)
    assert found == pytest.approx(float(ops.convert_to_numpy(expected)), rel=1e-2)


@pytest.mark.tensorflow
def test_gradients_are_equal_with_training_false():
    import tensorflow as tf

    layer = FusedLogits(keras.layers.Dense(CLASSES))
    hidden, y = tf.ones((3, FEATURES)), np.array([1, 2, 3])
    layer(hidden)
    found = []
    for training in (True, False):
        with tf.GradientTape() as tape:
            layer(hidden, y, training=training)
            (loss,) = layer.losses
        found.append(tape.gradient(loss, layer.trainable_variables))
    for one, other in zip(*found, strict=True):
        np.testing.assert_array_equal(one, other)


WRONG = {
    "layer": {"head": keras.layers.Embedding(3, 2)},
    "activation": {"head": keras.layers.Dense(3, activation="softmax")},
    "alpha": {"alpha": 2},
    "reduction": {"reduction": "none"},
    "chunk_size": {"chunk_size": -1},
}


@pytest.mark.parametrize("wrong", WRONG)
def test_wrong_options_raise_input_errors(wrong):
    with pytest.raises(InputError, match=r"^Expected .* Received: "):
        FusedLogits(**{"head": keras.layers.Dense(3), **WRONG[wrong]})
