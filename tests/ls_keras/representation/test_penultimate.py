import keras
import numpy as np
import pytest
from keras import layers, ops

from ls_base.errors import InputError
from ls_keras.calibration import calibrated
from ls_keras.layers import TiedLogits
from ls_keras.representation import penultimate, templates
from ls_keras.representation.penultimate import append_bias_feature, is_linear_head

FIT = 2.0  # a temperature


def random_weights(model):
    rng = np.random.default_rng(0)
    model.set_weights([rng.normal(size=w.shape) for w in model.get_weights()])
    return model


def dense(**options):
    x = keras.Input((4,))
    hidden = layers.Dense(3, activation="relu")(x)
    return keras.Model(x, layers.Dense(5, **{"name": "logits", **options})(hidden))


def softmax_layer():
    return keras.Sequential([dense(), layers.Softmax()])


def einsum():
    x = keras.Input((2, 4))
    return keras.Model(x, layers.EinsumDense("abc,cd->abd", (None, 5), bias_axes="d")(x))


def sequential():
    return keras.Sequential([keras.Input((4,)), layers.Dense(3), layers.Dense(5, name="logits")])


def convolution(*tail, name="logits"):
    x = keras.Input((4, 4, 2))
    y = layers.Conv2D(5, 1, name=name)(layers.Conv2D(3, 3, activation="relu")(x))
    for layer in tail:
        y = layer(y)
    return keras.Model(x, y)


def flattened():
    x = keras.Input((3, 3, 2))
    hidden = layers.Conv2D(3, 3, activation="relu")(x)
    return keras.Model(x, layers.Flatten()(layers.Conv2D(5, 1, name="logits")(hidden)))


def tied():
    tokens = keras.Input((3,), dtype="int32")
    embedding = layers.Embedding(5, 3)
    return keras.Model(tokens, TiedLogits(embedding, use_bias=True)(embedding(tokens)))


def nested():
    x = keras.Input((4,))
    return keras.Model(x, sequential()(x))


def dictionary():
    inputs = {"a": keras.Input((4,), name="a"), "b": keras.Input((4,), name="b")}
    hidden = layers.Concatenate()([inputs["a"], inputs["b"]])
    return keras.Model(inputs, layers.Dense(5, name="logits")(hidden))


def two_outputs():
    x = keras.Input((4,))
    hidden = layers.Dense(3)(x)
    return keras.Model(x, [layers.Dense(2)(hidden), layers.Dense(5, name="logits")(hidden)])


class Subclassed(keras.Model):
    def __init__(self):
        super().__init__()
        self.inner = layers.Dense(5, name="logits")

    def call(self, x):
        return self.inner(x)


IMAGE = np.random.default_rng(1).normal(size=(2, 4, 4, 2)).astype("float32")
ROWS = IMAGE.reshape(2, -1)[:, :4]


@pytest.mark.parametrize(
    ("build", "x", "output"),
    [
        (dense, ROWS, None),
        (lambda: dense(name="other"), ROWS, None),
        (lambda: dense(use_bias=False), ROWS, None),
        (lambda: dense(activation="softmax"), ROWS, "softmax"),
        (softmax_layer, ROWS, "softmax"),
        (sequential, ROWS, None),
        (einsum, IMAGE[:, :2, :, 0], None),
        (nested, ROWS, None),
        (lambda: convolution(layers.GlobalAveragePooling2D()), IMAGE, None),
        (
            lambda: convolution(layers.AveragePooling2D(2), layers.Reshape((5,)), layers.Softmax()),
            IMAGE,
            "softmax",
        ),
        (convolution, IMAGE, None),
        (flattened, IMAGE[:, :3, :3], None),
        (tied, np.array([[0, 4, 2]]), None),
        (lambda: calibrated(random_weights(dense()), FIT), ROWS, "halved"),
        (
            lambda: calibrated(random_weights(dense(activation="softmax")), FIT),
            ROWS,
            "softmax of halves",
        ),
        (dictionary, {"a": ROWS, "b": -ROWS}, None),
        (two_outputs, ROWS, "second"),
    ],
)
def test_activations_times_templates_are_the_logits(build, x, output):
    model = random_weights(build())
    activations = ops.convert_to_numpy(penultimate(model)(x))
    w = ops.convert_to_numpy(templates(model))
    assert w.shape == (activations.shape[-1] + 1, 5)
    z = append_bias_feature(activations, len(w)) @ w
    found = model(x)
    if output in ("halved", "softmax of halves"):
        z = z / 2
    if output in ("softmax", "softmax of halves"):
        z = np.exp(z) / np.exp(z).sum(-1, keepdims=True)
    elif output == "second":
        found = found[1]
    np.testing.assert_allclose(ops.convert_to_numpy(found), z, rtol=1e-4, atol=1e-5)


def test_layers_are_shared_with_the_model():
    model = random_weights(dense())
    half = penultimate(model)
    before = ops.convert_to_numpy(half(ROWS))
    model.set_weights([2 * w for w in model.get_weights()])
    np.testing.assert_allclose(ops.convert_to_numpy(half(ROWS)), 2 * before, rtol=1e-5)


def test_a_bias_is_the_last_row():
    model = sequential()
    kernel, bias = np.arange(15.0).reshape(3, 5), np.arange(5.0)
    model.layers[-1].set_weights([kernel, bias])
    expected = np.concatenate([kernel, bias[None]])
    np.testing.assert_array_equal(ops.convert_to_numpy(templates(model)), expected)


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (Subclassed, "Subclassed, a subclass without a graph"),
        (lambda: calibrated(Subclassed(), FIT), "a subclass without a graph"),
        (lambda: keras.Sequential([layers.Dense(3)]), "not built"),
        (lambda: dense(activation="relu"), "'logits' \\(Dense\\) at its end"),
        (lambda: convolution(layers.GlobalMaxPooling2D()), "GlobalMaxPooling2D"),
        (lambda: convolution(layers.Flatten()), "reshapes"),
        (lambda: keras.Sequential([keras.Input((4, 2)), layers.Conv1D(3, 2)]), "Conv1D"),
        (lambda: 3, "Received: int"),
    ],
)
def test_models_without_templates_raise_input_errors(build, message):
    with pytest.raises(InputError, match=message):
        penultimate(build())


def test_only_plain_1x1_convolutions_are_linear_heads():
    assert is_linear_head(layers.Conv2D(3, 1))
    assert not is_linear_head(layers.Conv2D(3, 1, data_format="channels_first"))
    assert not is_linear_head(layers.Conv2D(4, 1, groups=2))
    assert not is_linear_head(layers.Conv2D(4, 1, strides=2))


def test_two_outputs_need_a_layer_named_logits():
    x = keras.Input((4,))
    with pytest.raises(InputError, match="2 outputs"):
        templates(keras.Model(x, [layers.Dense(2)(x), layers.Dense(3)(x)]))


def test_activations_of_another_size_raise_an_input_error():
    assert append_bias_feature(np.zeros((2, 3)), 3).shape == (2, 3)
    with pytest.raises(InputError, match="shape \\(2, 5\\)"):
        append_bias_feature(np.zeros((2, 5)), 3)
