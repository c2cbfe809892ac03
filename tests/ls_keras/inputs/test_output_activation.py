"""Where a softmax can be seen, whatever it stands in, and what its logits are."""

import keras
import numpy as np
import pytest
from keras import layers, ops

from ls_keras.inputs.output_activation import (
    LOGITS,
    OTHER,
    SIGMOID,
    SOFTMAX,
    UNKNOWN,
    model_output,
    warn_of_softmax,
)

K = 4


def inner(**last):
    return keras.Sequential([keras.Input((3,)), layers.Dense(K, **last)])


ENDS = {
    "activation": lambda x: layers.Dense(K, activation="softmax")(x),
    "activation of ops": lambda x: layers.Dense(K, activation=ops.softmax)(x),
    "layer": lambda x: layers.Softmax()(layers.Dense(K)(x)),
    "activation layer": lambda x: layers.Activation("softmax")(layers.Dense(K)(x)),
    "operation": lambda x: ops.softmax(layers.Dense(K)(x)),
    "lambda": lambda x: layers.Lambda(lambda z: ops.softmax(z, axis=-1))(layers.Dense(K)(x)),
    "time-distributed": lambda x: layers.TimeDistributed(layers.Dense(K, activation="softmax"))(x),
    "time-distributed layer": lambda x: layers.TimeDistributed(layers.Softmax())(
        layers.Dense(K)(x)
    ),
    "time-distributed model": lambda x: layers.TimeDistributed(inner(activation="softmax"))(x),
    "nested": lambda x: keras.Sequential(
        [keras.Input((5, 3)), layers.Dense(K, activation="softmax", name="logits")]
    )(x),
    "cast": lambda x: ops.cast(layers.Dense(K, activation="softmax")(x), "float32"),
    "cast by a layer": lambda x: layers.Activation("linear", dtype="float32")(
        layers.Dense(K, activation="softmax")(x)
    ),
    "reshaped": lambda x: layers.Reshape((1, 5, K))(layers.Dense(K, activation="softmax")(x)),
}


@pytest.mark.parametrize("end", ENDS.values(), ids=ENDS)
def test_a_softmax_is_seen_and_its_logits_are_found(end, rng):
    x = keras.Input((5, 3))
    model = keras.Model(x, end(x))
    found = model_output(model)
    assert found.kind == SOFTMAX
    data = rng.normal(size=(2, 5, 3)).astype("float32")
    before = ops.convert_to_numpy(model(data))
    logits = keras.Model(x, found.logits({layer.name for layer in model.layers}))(data)
    np.testing.assert_allclose(ops.convert_to_numpy(ops.softmax(logits)), before, atol=1e-6)
    np.testing.assert_allclose(ops.convert_to_numpy(model(data)), before, atol=1e-7)
    with pytest.warns(UserWarning, match="from_logits=True says. Received: the output of the"):
        warn_of_softmax(model, True)
    warn_of_softmax(model, False)


SIGMOIDS = {
    "activation": lambda x: layers.Dense(K, activation="sigmoid")(x),
    "activation of ops": lambda x: layers.Dense(K, activation=ops.sigmoid)(x),
    "activation layer": lambda x: layers.Activation("sigmoid")(layers.Dense(K)(x)),
    "operation": lambda x: ops.sigmoid(layers.Dense(K)(x)),
    "lambda": lambda x: layers.Lambda(lambda z: ops.sigmoid(z))(layers.Dense(K)(x)),
    "time-distributed": lambda x: layers.TimeDistributed(layers.Dense(K, activation="sigmoid"))(x),
    "time-distributed model": lambda x: layers.TimeDistributed(inner(activation="sigmoid"))(x),
    "nested": lambda x: keras.Sequential(
        [keras.Input((5, 3)), layers.Dense(K, activation="sigmoid")]
    )(x),
    "cast": lambda x: ops.cast(layers.Dense(K, activation="sigmoid")(x), "float32"),
    "reshaped": lambda x: layers.Reshape((1, 5, K))(layers.Dense(K, activation="sigmoid")(x)),
}


@pytest.mark.parametrize("end", SIGMOIDS.values(), ids=SIGMOIDS)
def test_a_sigmoid_is_seen_and_its_logits_are_found(end, rng):
    x = keras.Input((5, 3))
    model = keras.Model(x, end(x))
    found = model_output(model)
    assert found.kind == SIGMOID
    data = rng.normal(size=(2, 5, 3)).astype("float32")
    before = ops.convert_to_numpy(model(data))
    logits = keras.Model(x, found.logits({layer.name for layer in model.layers}))(data)
    np.testing.assert_allclose(ops.convert_to_numpy(ops.sigmoid(logits)), before, atol=1e-6)
    with pytest.warns(UserWarning, match="from_logits=True says. Received: the output of the"):
        warn_of_softmax(model, True, multi_label=True)
    warn_of_softmax(model, True)


class Own(layers.Layer):
    def call(self, inputs):
        return inputs


class Subclass(keras.Model):
    def call(self, inputs):
        return ops.softmax(inputs)


OTHERS = {
    "linear": (lambda x: layers.Dense(K)(x), LOGITS),
    "time-distributed linear": (lambda x: layers.TimeDistributed(layers.Dense(K))(x), LOGITS),
    "log-softmax": (lambda x: ops.log_softmax(layers.Dense(K)(x)), LOGITS),
    "pooled": (lambda x: layers.GlobalAveragePooling1D()(layers.Conv1D(K, 1)(x)), LOGITS),
    "tanh": (lambda x: layers.Dense(K, activation="tanh")(x), OTHER),
    "another axis": (lambda x: layers.Softmax(axis=1)(layers.Dense(K)(x)), OTHER),
    "mean of two": (
        lambda x: layers.Average()([layers.Dense(K, activation="softmax")(x) for _ in "ab"]),
        UNKNOWN,
    ),
    "arithmetic": (lambda x: layers.Dense(K)(x) * 2, UNKNOWN),
    "custom layer": (lambda x: Own()(layers.Dense(K)(x)), UNKNOWN),
    "a lambda": (lambda x: layers.Lambda(lambda z: z * 2)(layers.Dense(K)(x)), UNKNOWN),
    "the input": (lambda x: x, UNKNOWN),
}


@pytest.mark.parametrize(("end", "kind"), OTHERS.values(), ids=OTHERS)
def test_what_is_known_of_other_outputs(end, kind):
    x = keras.Input((5, 3))
    model = keras.Model(x, end(x))
    assert model_output(model).kind == kind
    assert model_output(model).logits is None
    warn_of_softmax(model, True)


def test_without_a_graph_the_last_layer_tells_or_nothing_does():
    assert model_output(keras.Sequential([layers.Dense(K)])).kind == LOGITS
    assert model_output(keras.Sequential([layers.Dense(K, activation="softmax")])).kind == SOFTMAX
    assert model_output(Subclass()).kind == UNKNOWN
    assert model_output(lambda x: x).kind == UNKNOWN
