"""Warnings point to the line of who called the library, whatever lies between."""

import warnings

import keras
import numpy as np
import pytest
from keras import ops

import ls_keras

Y = np.arange(40) % 4
P = np.asarray(np.random.default_rng(0).dirichlet(np.ones(4), 40), "float32")


def of_nan():
    metric = ls_keras.ExpectedCalibrationError()
    metric.update_state(Y[:8], P[:8])
    metric._nan.assign(np.ones(metric._nan.shape, "float32"))
    return metric


def fitted(jit_compile):
    model = keras.Sequential([keras.Input((4,)), keras.layers.Softmax()])
    model.compile("sgd", ls_keras.SmoothedCE(from_logits=True), jit_compile=jit_compile)
    model.fit(P, Y, verbose=0)


CALLS = {
    "a loss": lambda: ls_keras.SmoothedCE(from_logits=True)(Y, P),
    "a function": lambda: ls_keras.smoothed_cross_entropy(Y, ops.softmax(P), from_logits=True),
    "a metric": lambda: ls_keras.NegativeLogLikelihood(from_logits=True)(Y, P),
    "a result": lambda: of_nan().result(),
    "what is forgotten": lambda: of_nan().reset_state(),
    "fit": lambda: fitted(False),
    "fit, compiled": lambda: fitted("auto"),
}


@pytest.mark.parametrize("call", CALLS.values(), ids=CALLS)
def test_a_warning_points_to_the_caller(call):
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        call()
    ours = [w for w in caught if "Expected" in str(w.message) or "left out" in str(w.message)]
    assert ours
    assert {w.filename for w in ours} == {__file__}
