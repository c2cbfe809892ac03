"""The table of layers and models: a row for each on offer, which `LayerTester` tests."""

import keras
import numpy as np
import pytest

import ls_keras
from layer_tester import CLASSES, LayerTester, Row, embedding, tokens
from ls_keras import calibration, distillation, layers
from ls_keras.layers import (
    FusedLogits,
    LogProbabilities,
    Temperature,
    TiedLogits,
    VectorScaling,
)

pytestmark = pytest.mark.tables


@keras.saving.register_keras_serializable(package="test_layers")
class Subclassed(keras.Model):
    """Emits logits; a model without a graph."""

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.embedding, self.dense = embedding(), keras.layers.Dense(CLASSES)

    def call(self, inputs):
        return self.dense(self.embedding(inputs))


def ending_in(*ends):
    """Returns a maker of models whose embedded tokens go through layers, made anew."""

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


ROWS = {
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
