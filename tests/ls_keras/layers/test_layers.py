"""Table of all public layers and models, tested by `LayerTester`."""

import keras
import numpy as np
import pytest
from scipy.special import expit

import ls_keras
from layer_tester import CLASSES, LayerTester, Row, embedding, tokens
from ls_keras import calibration, distillation, layers
from ls_keras.layers import (
    ClasswiseMap,
    FusedLogits,
    LogOdds,
    LogProbabilities,
    MatrixScaling,
    MixedTemperature,
    Temperature,
    TiedLogits,
    VectorScaling,
)

pytestmark = pytest.mark.tables


@keras.saving.register_keras_serializable(package="test_layers")
class Subclassed(keras.Model):
    """A model without a graph that returns logits."""

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.embedding, self.dense = embedding(), keras.layers.Dense(CLASSES)

    def call(self, inputs):
        return self.dense(self.embedding(inputs))


def ending_in(*ends):
    """Returns a function that builds a model of embedded tokens followed by new layers."""

    def model():
        inputs, embedded = tokens(), embedding()
        x = embedded(inputs)
        for make in ends:
            x = make(embedded)(x)
        return keras.Model(inputs, x)

    return model


def classifier():
    return keras.Sequential([tokens(), embedding(), keras.layers.Dense(CLASSES, name="logits")])


def calibrated():
    return ls_keras.CalibratedModel(Subclassed(), Temperature(2.5), from_logits=True)


def softmax(z):
    p = np.exp(z - z.max(-1, keepdims=True))
    return p / p.sum(-1, keepdims=True)


def mixed(x):
    return np.log(0.9 * softmax(x / 2.5) + 0.1 / x.shape[-1])


def curves(x, y, kind):
    """Returns a function that maps probabilities by curves with these knots."""

    def of(p):
        q = np.empty_like(p)
        for k, (knots, values) in enumerate(zip(x, y, strict=True)):
            at = np.minimum(np.searchsorted(knots, p[..., k]), len(knots) - 1)
            step = values[at]
            q[..., k] = step if kind == "step" else np.interp(p[..., k], knots, values)
        return q / q.sum(-1, keepdims=True)

    return of


def knots(weights):
    """Makes the last two weights valid knots: ascending log-odds, and values in [0, 1]."""
    *others, x, y = weights
    return [*others, np.sort(x, axis=-1), np.sort(expit(y), axis=-1)]


ROWS = {
    "mixed temperature": Row(
        ending_in(lambda _: MixedTemperature(2.5, 0.1)),
        MixedTemperature,
        lambda x, rows: mixed(x),
    ),
    "matrix scaling": Row(
        ending_in(lambda _: MatrixScaling(2.5, 0.1)),
        MatrixScaling,
        lambda x, rows, matrix, bias: mixed(x) @ matrix.T + bias,
    ),
    "classwise map": Row(
        ending_in(lambda _: ClasswiseMap(5, "linear", 0.1)),
        ClasswiseMap,
        lambda z, rows, x, y: np.log(0.9 * curves(expit(x), y, "linear")(softmax(z)) + 0.1 / 4),
        weights=knots,
    ),
    "temperature": Row(ending_in(lambda _: Temperature(2.5)), Temperature, lambda x, rows: x / 2.5),
    "vector scaling": Row(
        ending_in(lambda _: VectorScaling()),
        VectorScaling,
        lambda x, rows, scale, bias: x * scale + bias,
    ),
    "log-probabilities": Row(
        ending_in(lambda _: keras.layers.Activation("softmax"), lambda _: LogProbabilities()),
        LogProbabilities,
        lambda x, rows: np.log(softmax(x)),
    ),
    "log-odds": Row(
        ending_in(lambda _: keras.layers.Activation("sigmoid"), lambda _: LogOdds()),
        LogOdds,
        lambda x, rows: x,
    ),
    "tied logits": Row(
        ending_in(lambda embedded: TiedLogits(embedded, use_bias=True)),
        TiedLogits,
        lambda x, rows, bias: x @ rows.T + bias,
    ),
    "fused logits": Row(
        ending_in(lambda _: FusedLogits(keras.layers.Dense(CLASSES))),
        FusedLogits,
        lambda x, rows, kernel, bias: x @ kernel + bias,
    ),
    "fused logits, tied": Row(
        ending_in(lambda embedded: FusedLogits(TiedLogits(embedded, use_bias=True))),
        FusedLogits,
        lambda x, rows, bias: x @ rows.T + bias,
    ),
    "calibrated model": Row(
        calibrated,
        calibration.CalibratedModel,
        lambda x, rows, kernel, bias: (x @ kernel + bias) / 2.5,
    ),
    "distiller": Row(
        lambda: ls_keras.Distiller(classifier(), classifier(), beta=0.5),
        distillation.Distiller,
        lambda x, rows, kernel, bias, *teacher: x @ kernel + bias,
        dtype=None,
        saves_another=True,
    ),
}


@pytest.fixture(params=ROWS)
def row(request):
    return ROWS[request.param]


class TestLayers(LayerTester):
    pass


def test_every_layer_and_model_has_a_row():
    offered = {
        value
        for package in (layers, calibration, distillation, ls_keras)
        for value in vars(package).values()
        if isinstance(value, type) and issubclass(value, keras.layers.Layer)
    }
    assert {row.layer for row in ROWS.values()} == offered
