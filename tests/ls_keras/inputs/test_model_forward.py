import keras
import numpy as np
import pytest
from keras import ops

import ls_keras
from ls_keras.calibration import temperature_curve
from ls_keras.distillation import equivalent_smoothing_dataset
from ls_keras.inputs.model_forward import Forward

N, T, K = 24, 5, 4
RNG = np.random.default_rng(0)
TOKENS = RNG.integers(0, 6, (N, T)).astype("int32")
LABELS = RNG.integers(0, K, (N, T))
COMPILES = keras.config.backend() != "torch"


class Counting(keras.layers.Layer):
    """Counts how often Python runs it: at every batch, if nothing compiles it."""

    def __init__(self):
        super().__init__()
        self.supports_masking = True
        self.calls = 0

    def call(self, inputs):
        self.calls += 1
        return inputs


def tagger(mask_zero=True):
    tokens = keras.Input((T,), dtype="int32")
    hidden = Counting()(keras.layers.Embedding(6, 3, mask_zero=mask_zero)(tokens))
    return keras.Model(tokens, keras.layers.Dense(K, name="logits")(hidden))


def batches(size=4):
    return [(TOKENS[i : i + size], LABELS[i : i + size]) for i in range(0, N, size)]


def count_of(model):
    return next(layer for layer in model.layers if isinstance(layer, Counting))


RUNS = {
    "fit": lambda model, data: ls_keras.fit_temperature_dataset(model, data, from_logits=True),
    "reservoir": lambda model, data: ls_keras.fit_temperature_dataset(
        model, data, from_logits=True, reservoir=50
    ),
    "curve": lambda model, data: temperature_curve(model, data, [1.0, 2.0], from_logits=True),
    "gamma": lambda model, data: equivalent_smoothing_dataset(model, data, from_logits=True),
}


@pytest.mark.filterwarnings("ignore:The best temperature is at the")  # labels are random
@pytest.mark.parametrize("mask_zero", [False, True])
@pytest.mark.parametrize("name", list(RUNS))
def test_a_model_is_compiled_once(name, mask_zero):
    model = tagger(mask_zero)
    before = count_of(model).calls
    RUNS[name](model, batches())
    ran = count_of(model).calls - before
    assert ran == 1 if COMPILES else ran >= N // 4


@pytest.mark.parametrize("name", ["fit", "curve", "gamma"])
def test_masked_positions_do_not_count(name):
    model = tagger()
    ignored = [(x, np.where(x == 0, -1, y)) for x, y in batches()]
    logits = model.predict(TOKENS, verbose=0)
    found = RUNS[name](model, batches())
    if name == "gamma":
        expected = ls_keras.equivalent_smoothing(LABELS, logits, from_logits=True, mask=TOKENS != 0)
        assert found == pytest.approx(expected, rel=1e-5)
    else:
        assert found.num_examples == (TOKENS != 0).sum()
    assert ignored[0][1].min() == -1


def test_the_callback_compiles_once_and_sees_what_training_has_reached():
    model = tagger()
    model.compile("sgd", ls_keras.SmoothedCE(0.1, from_logits=True))
    scaling = ls_keras.TemperatureScaling((TOKENS, LABELS), from_logits=True, batch_size=4)
    history = model.fit(TOKENS, LABELS, batch_size=4, epochs=1, callbacks=[scaling], verbose=0)
    before = count_of(model).calls
    for _ in range(2):
        history = model.fit(TOKENS, LABELS, batch_size=4, callbacks=[scaling], verbose=0)
        odd = slice(1, None, 2)
        p = ops.softmax(model.predict(TOKENS, verbose=0)[odd])
        expected = ls_keras.expected_calibration_error(
            np.where(TOKENS == 0, -1, LABELS)[odd], p, ignore_class=-1
        )
        assert history.history["val_ece_half"][0] == pytest.approx(expected, abs=1e-5)
    if COMPILES:  # the tracing of `predict`, and of `fit` where it is compiled anew
        assert count_of(model).calls - before <= 4


@pytest.mark.parametrize("run_eagerly", [False, True])
def test_it_is_what_the_model_predicts(run_eagerly):
    model = tagger()
    model.compile("sgd", "mse", run_eagerly=run_eagerly)
    logits, mask = Forward(model)(TOKENS)
    np.testing.assert_allclose(
        ops.convert_to_numpy(logits), model.predict(TOKENS, verbose=0), rtol=1e-6
    )
    np.testing.assert_array_equal(ops.convert_to_numpy(mask), TOKENS != 0)


def test_subclasses_functions_and_steps_of_ones_own_run():
    class Halved(keras.Model):
        def __init__(self):
            super().__init__()
            self.dense = keras.layers.Dense(K)
            self.dropout = keras.layers.Dropout(0.9)

        def call(self, inputs, training=False):
            return self.dropout(self.dense(inputs), training=training)

        def predict_step(self, *arguments):
            found = super().predict_step(*arguments)
            jax = keras.config.backend() == "jax"
            return (found[0] / 2, found[1]) if jax else found / 2

    model = Halved()
    x = RNG.normal(size=(6, 3)).astype("float32")
    logits, mask = Forward(model)(x)
    np.testing.assert_allclose(
        ops.convert_to_numpy(logits), ops.convert_to_numpy(model(x)) / 2, rtol=1e-6
    )
    assert mask is None
    assert Forward(lambda x: x + 1)(1.0) == (2.0, None)
