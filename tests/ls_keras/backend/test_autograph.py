"""Custom training steps on TensorFlow: tracing without AutoGraph, and captured tensors."""

import inspect
from pathlib import Path

import keras
import numpy as np
import pytest

import ls_keras

pytestmark = pytest.mark.tensorflow

RNG = np.random.default_rng(0)
Y = np.int32([1, 0, 3, 2])
Z = RNG.normal(size=(4, 5)).astype("float32")
X = RNG.normal(size=(4, 3)).astype("float32")
KERNEL, BIAS = RNG.normal(size=(3, 5)).astype("float32"), np.zeros(5, "float32")


def metric(cls):
    made = cls(from_logits=True)
    made.update_state(Y, Z)  # which makes its variables
    made.reset_state()

    def measured(y, z):
        made.update_state(y, z)
        return made.result()

    return measured


def taking(head):
    head(X)  # which makes its weights
    return lambda y, z: head(X)


STEPS = {
    "loss": ls_keras.SmoothedCE(from_logits=True),
    "loss of probabilities": lambda y, z: ls_keras.SmoothedCE()(y, keras.ops.softmax(z)),
    "loss of sigmoids": lambda y, z: ls_keras.SmoothedBCE(from_logits=True)(y > 1, z[:, 0]),
    "positions": ls_keras.SmoothedCE(from_logits=True).call,
    "function": lambda y, z: ls_keras.smoothed_cross_entropy(y, z, 0.1, from_logits=True),
    "linear": lambda y, z: ls_keras.linear_smoothed_ce(y, X, KERNEL, BIAS, alpha=0.1),
    "targets": lambda y, z: ls_keras.smooth_labels(y, 0.1, num_classes=5),
    "distillation": lambda y, z: ls_keras.distillation_loss(y, z, z, beta=0.5),
    "ece": metric(ls_keras.ExpectedCalibrationError),
    "nll": metric(ls_keras.NegativeLogLikelihood),
    "perplexity": metric(ls_keras.Perplexity),
    "tied": taking(ls_keras.TiedLogits(keras.layers.Embedding(7, 3))),
    "distances": lambda y, z: ls_keras.template_distances(z, np.eye(5, dtype="float32")),
}


@pytest.fixture
def rewritten(monkeypatch):
    """What TensorFlow rewrites of the library, by name."""
    from tensorflow.python.autograph.impl import api

    names, convert = [], api._convert_actual

    def noted(entity, *rest):
        if Path(entity.__code__.co_filename).is_relative_to(Path(ls_keras.__file__).parent):
            names.append(entity.__qualname__)
        return convert(entity, *rest)

    monkeypatch.setattr(api, "_convert_actual", noted)
    return names


@pytest.mark.parametrize("step", STEPS.values(), ids=STEPS)
def test_nothing_is_rewritten(step, rewritten):
    import tensorflow as tf

    def own(y, z):
        if tf.reduce_sum(y) > 0:  # of a tensor, so this has to be
            return step(y, z)
        return 2.0 * step(y, z)

    found = tf.function(own)(tf.constant(Y), tf.constant(Z))
    assert rewritten == []
    np.testing.assert_allclose(found, step(Y, Z), rtol=1e-5, atol=1e-6)


def test_what_is_rewritten_would_be_noticed(rewritten):
    import tensorflow as tf

    function = inspect.unwrap(ls_keras.smooth_labels)
    tf.function(lambda y: function(y, 0.1, num_classes=5))(tf.constant(Y))
    assert "smooth_labels" in rewritten


@pytest.mark.parametrize("step", STEPS.values(), ids=STEPS)
def test_a_graph_may_capture_what_has_values(step):
    import tensorflow as tf

    y, z = tf.constant(Y), tf.constant(Z)
    found = tf.function(lambda: step(y, z))()
    np.testing.assert_allclose(found, step(Y, Z), rtol=1e-5, atol=1e-6)
