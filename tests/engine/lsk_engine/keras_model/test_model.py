"""Conversion of Keras models to logits: their outputs stay the same."""

import keras
import numpy as np
import pytest
from keras import ops

from ls_base.errors import InputError
from ls_keras.representation import templates
from lsk_engine.keras_model.config import PYTHON, ModelConfig
from lsk_engine.keras_model.model import build_own_model

X = {"x": np.random.default_rng(0).normal(size=(8, 4)).astype("float32")}
IMAGES = {"x": np.random.default_rng(0).normal(size=(8, 6, 6, 2)).astype("float32")}
Dense = keras.layers.Dense


@keras.saving.register_keras_serializable(package="test_own_model")
class Subclass(keras.Model):
    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.dense = Dense(3)

    def call(self, inputs):
        return self.dense(inputs)


class Unregistered(keras.layers.Layer):
    def call(self, inputs):
        return inputs * 2.0


@keras.saving.register_keras_serializable(package="test_own_model")
class WithoutConfig(keras.layers.Layer):
    def __init__(self, width, **kwargs):
        super().__init__(**kwargs)

    def get_config(self):
        return super().get_config()

    def call(self, inputs):
        return inputs * 2.0


class OwnStep(Subclass):
    def train_step(self, data):
        return {}


def sequential(*layers, shape=(4,)):
    return lambda: keras.Sequential([keras.Input(shape), *layers_of(layers)])


def layers_of(layers):
    return [
        layer() if callable(layer) and not isinstance(layer, keras.Layer) else layer
        for layer in layers
    ]


def functional(last):
    def build():
        x = keras.Input((4,), name="features")
        return keras.Model(x, last(Dense(5, activation="relu")(x)))

    return build


def two_inputs():
    a, b = keras.Input((4,), name="a"), keras.Input((2,), name="b")
    return keras.Model([b, a], Dense(3)(keras.layers.Concatenate()([a, b])))


def pooled():
    x = keras.Input((6, 6, 2))
    maps = keras.layers.Conv2D(3, 1)(x)
    return keras.Model(x, keras.layers.Softmax()(keras.layers.GlobalAveragePooling2D()(maps)))


def nested():
    inner = keras.Sequential([keras.Input((4,)), Dense(5, activation="tanh")])
    outer = keras.Input((4,))
    return keras.Model(outer, Dense(3, activation="softmax")(inner(outer)))


def made(build, inputs=X, classes=3, output="auto", label_shape=(8,), seed=0):
    options = ModelConfig(name=f"{PYTHON}build", sha256="0", output=output)
    return build_own_model(build, options, inputs, classes, label_shape=label_shape, seed=seed)


def direct(build, inputs, seed=0):
    """Returns the output of the user's model."""
    keras.utils.set_random_seed(seed)
    values = list(inputs.values())
    return ops.convert_to_numpy(build()(values[0] if len(values) == 1 else inputs))


LOGITS = {
    "sequential": (sequential(lambda: Dense(3)), X),
    "named": (sequential(lambda: Dense(3, name="logits")), X),
    "without an input": (lambda: keras.Sequential([Dense(5), Dense(3)]), X),
    "functional": (functional(lambda x: Dense(3, name="classes")(x)), X),
    "two inputs": (two_inputs, {"a": X["x"], "b": X["x"][:, :2]}),
    "float64 policy": (functional(lambda x: Dense(3, dtype="float64")(x)), X),
    "rescaled at the end": (functional(lambda x: keras.layers.Dropout(0.5)(Dense(3)(x))), X),
}
PROBABILITIES = {
    "activation": (sequential(lambda: Dense(3, activation="softmax")), X),
    "layer": (sequential(lambda: Dense(3), keras.layers.Softmax), X),
    "named before a softmax": (
        sequential(lambda: Dense(3, name="logits"), lambda: keras.layers.Activation("softmax")),
        X,
    ),
    "operation": (functional(lambda x: ops.softmax(Dense(3)(x))), X),
    "nested": (nested, X),
    "pooled": (pooled, IMAGES),
}


@pytest.mark.parametrize("name", LOGITS)
def test_logits_stay_the_same(name):
    build, inputs = LOGITS[name]
    model = made(build, inputs)
    np.testing.assert_allclose(model.predict_on_batch(inputs), direct(build, inputs), atol=1e-5)
    check(model, inputs)


@pytest.mark.parametrize("name", PROBABILITIES)
def test_a_softmax_is_removed(name):
    build, inputs = PROBABILITIES[name]
    model = made(build, inputs)
    logits = model.predict_on_batch(inputs)
    np.testing.assert_allclose(ops.softmax(logits), direct(build, inputs), atol=1e-5)
    assert not np.allclose(logits.sum(-1), 1)
    check(model, inputs)


def check(model, inputs):
    """Checks what training and scoring rely on."""
    assert [tensor.name for tensor in model.inputs] == list(inputs)
    assert model.output.dtype == "float32"
    assert model.get_layer("logits") in model.layers
    assert templates(model).shape[1] == 3


def test_log_probabilities_are_logits():
    build = sequential(lambda: Dense(3, activation="log_softmax"))
    model = made(build)
    expected = np.exp(direct(build, X))
    np.testing.assert_allclose(ops.softmax(model.predict_on_batch(X)), expected, atol=1e-5)
    assert model.get_layer("logits").kernel.shape == (4, 3)


def test_an_unrecognized_output_needs_a_setting():
    with pytest.raises(InputError, match="Use --set model.output=logits"):
        made(Subclass)
    logits = made(Subclass, output="logits")
    np.testing.assert_allclose(logits.predict_on_batch(X), direct(Subclass, X), atol=1e-5)

    def build():
        x = keras.Input((4,))
        p = ops.exp(Dense(3)(x))
        return keras.Model(x, p / ops.sum(p, axis=-1, keepdims=True))

    scores = made(build, output="probabilities").predict_on_batch(X)
    np.testing.assert_allclose(ops.softmax(scores), direct(build, X), atol=1e-5)


def test_labels_by_position():
    def build():
        tokens = keras.Input((None,), dtype="int32")
        return keras.Model(tokens, Dense(5)(keras.layers.Embedding(9, 4)(tokens)))

    model = made(build, {"x": np.zeros((2, 7), np.int32)}, 5, label_shape=(2, 7))
    assert model.output_shape == (None, None, 5)
    assert model.predict_on_batch({"x": np.zeros((2, 7), np.int32)}).shape == (2, 7, 5)


def test_mixed_precision_ends_before_the_logits():
    keras.config.set_dtype_policy("mixed_bfloat16")
    try:
        for last in (lambda: Dense(3, name="logits"), lambda: Dense(3)):
            model = made(sequential(last))
            assert model.output.dtype == "float32"
            assert "logits" in [layer.name for layer in model.layers]
    finally:
        keras.config.set_dtype_policy("float32")


def test_the_seed_is_set_before_the_model_is_built():
    def build():
        layer = Dense(3, kernel_initializer=keras.initializers.Constant(np.random.normal()))
        return keras.Sequential([keras.Input((4,)), layer])

    weights = [made(build, seed=seed).get_weights()[0][0, 0] for seed in (1, 1, 2)]
    assert weights[0] == weights[1] != weights[2]


def test_a_compiled_model_stays_compiled():
    def build():
        model = sequential(lambda: Dense(3))()
        model.compile("sgd", "sparse_categorical_crossentropy")
        return model

    assert made(build).compiled
    assert not made(sequential(lambda: Dense(3))).compiled


def raises():
    raise RuntimeError("no GPU\nand more")


def two_outputs():
    x = keras.Input((4,))
    return keras.Model(x, [Dense(3)(x), Dense(3)(x)])


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (raises, r"build to return a Keras model. Received: RuntimeError: no GPU \(line \d+ of"),
        (lambda: None, "build to return a Keras model. Received: None"),
        (lambda: Dense(3), "build to return a Keras model. Received: <Dense"),
        (sequential(lambda: Dense(5)), r"output of shape \(None, 3\).*Received: \(None, 5\)"),
        (
            lambda: keras.Sequential([keras.Input((5,)), Dense(3)]),
            r"accepts the data's inputs, x \(4,\)",
        ),
        (two_inputs, r"data's inputs, x \(4,\).*Received: 2 inputs \(b, a\)"),
        (two_outputs, "with one output. Received: 2"),
        (sequential(lambda: Dense(3, activation="sigmoid")), "logits or in a softmax.*'sigmoid'"),
        (
            sequential(lambda: keras.layers.Lambda(lambda x: x * 2), lambda: Dense(3)),
            "instead of a Lambda",
        ),
        (sequential(Unregistered, lambda: Dense(3)), "register your own .*Received: Unregistered"),
        (sequential(lambda: WithoutConfig(2), lambda: Dense(3)), "get_config .*'width'"),
        (OwnStep, "own train_step.*Received: OwnStep"),
        (lambda: keras.Sequential([keras.layers.Conv2D(3, 3), Dense(3)]), "the data's inputs"),
    ],
)
def test_invalid_models_are_refused_in_one_line(build, message):
    with pytest.raises(InputError, match=message) as error:
        made(build)
    assert PYTHON + "build" in str(error.value)
    assert "\n" not in str(error.value)
