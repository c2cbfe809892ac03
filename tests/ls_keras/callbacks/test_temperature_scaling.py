import csv
import json
import subprocess
import sys
from pathlib import Path

import keras
import numpy as np
import pytest
from keras import ops

from ls_base.errors import InputError
from ls_keras.calibration import expected_calibration_error
from ls_keras.calibration.scaling.temperature import fit_temperature
from ls_keras.callbacks import TemperatureScaling
from ls_keras.metrics import ExpectedCalibrationError

NAMES = ("val_temperature", "val_ece_half", "val_ece_scaled", "val_nll_scaled")


def make(activation=None):
    model = keras.Sequential(
        [keras.Input((3,)), keras.layers.Dense(4, name="logits", activation=activation)]
    )
    model.compile(
        keras.optimizers.SGD(0.5),
        keras.losses.SparseCategoricalCrossentropy(from_logits=activation is None),
    )
    return model


def data(n=403, seed=0):
    rng = np.random.default_rng(seed)
    x = rng.standard_normal((n, 3)).astype(np.float32) * 3
    return x, (x @ rng.standard_normal((3, 4)) + rng.gumbel(size=(n, 4))).argmax(-1)


@pytest.mark.parametrize("activation", [None, "softmax"])
@pytest.mark.parametrize("weighted", [False, True])
def test_temperature_is_fitted_on_even_rows_and_reported_on_odd_rows(activation, weighted):
    x, y = data()
    weight = np.random.default_rng(1).random(len(y)).astype(np.float32)
    given = (x, y, weight) if weighted else (x, y)
    model = make(activation)
    callback = TemperatureScaling(given, from_logits=activation is None, batch_size=33)
    history = model.fit(x, y, epochs=2, callbacks=[callback], verbose=0).history
    z = model.predict(x, verbose=0)
    z = z if activation is None else np.log(z)
    even, odd = slice(0, None, 2), slice(1, None, 2)
    w = weight if weighted else np.ones(len(y), np.float32)
    fit = fit_temperature(y[even], z[even], sample_weight=w[even], from_logits=True)
    assert history["val_temperature"][-1] == pytest.approx(fit.temperature, rel=1e-3)
    assert callback.fit.temperature == history["val_temperature"][-1]
    t = history["val_temperature"][-1]
    before = fit_temperature(y[odd], z[odd], sample_weight=w[odd], from_logits=True)
    after = fit_temperature(y[odd], z[odd] / t, sample_weight=w[odd], from_logits=True)
    assert history["val_ece_half"][-1] == pytest.approx(before.ece_before, abs=1e-4)
    assert history["val_ece_scaled"][-1] == pytest.approx(after.ece_before, abs=1e-4)
    assert history["val_nll_scaled"][-1] == pytest.approx(after.nll_before, rel=1e-4)


def test_later_callbacks_receive_the_latest_values(tmp_path):
    x, y = data(100)
    seen = []

    class After(keras.callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            seen.append(logs["val_temperature"])

    history = (
        make()
        .fit(
            x,
            y,
            epochs=5,
            callbacks=[
                TemperatureScaling((x, y), every=2, from_logits=True),
                After(),
                keras.callbacks.CSVLogger(str(tmp_path / "log.csv")),
            ],
            verbose=0,
        )
        .history
    )
    # Fitted after epochs 1, 2, 4 and 5.
    assert seen[2] == seen[1]
    assert len(set(seen)) == 4
    np.testing.assert_array_equal(history["val_temperature"], seen)
    with (tmp_path / "log.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert set(NAMES) <= set(rows[0])
    np.testing.assert_array_equal([float(r["val_temperature"]) for r in rows], seen)


def test_early_stopping_on_logged_values():
    x, y = data(100)
    stopping = keras.callbacks.EarlyStopping("val_ece_scaled", mode="min", patience=50)
    callbacks = [TemperatureScaling((x, y), every=3, from_logits=True), stopping]
    found = make().fit(x, y, epochs=7, callbacks=callbacks, verbose=0).history["val_ece_scaled"]
    assert stopping.best == min(found)
    assert stopping.best_epoch == found.index(min(found))


@pytest.mark.tensorflow
@pytest.mark.peers  # TensorFlow has no TensorBoard any more; netcal brings it
def test_tensorboard_receives_the_values(tmp_path):
    import tensorflow as tf

    x, y = data(100)
    board = keras.callbacks.TensorBoard(str(tmp_path))
    history = make().fit(
        x, y, epochs=2, callbacks=[TemperatureScaling((x, y), from_logits=True), board], verbose=0
    )
    written = {}
    (file,) = (tmp_path / "validation").glob("events.*")
    for event in tf.compat.v1.train.summary_iterator(str(file)):
        for value in event.summary.value:
            written.setdefault(value.tag, []).append(float(tf.make_ndarray(value.tensor)))
    for name in NAMES:
        expected = np.float32(history.history[name]).tolist()
        assert written[f"epoch_{name.removeprefix('val_')}"] == expected


@pytest.mark.slow
@pytest.mark.tensorflow
def test_two_replicas_agree_with_one_device():
    script = Path(__file__).parents[2] / "support" / "scale_on_replicas.py"
    done = subprocess.run(
        [sys.executable, script], capture_output=True, text=True, check=False, timeout=600
    )
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout.splitlines()[-1])
    mirrored, single = found["mirrored"], found["single"]
    assert set(mirrored) == {"loss", *NAMES, *(name.replace("val_", "set_") for name in NAMES)}
    for name, values in mirrored.items():
        assert values == pytest.approx(single[name], rel=1e-3, abs=1e-5), name
    assert mirrored["val_temperature"] == pytest.approx(mirrored["set_temperature"], rel=1e-3)
    assert len(set(mirrored["val_temperature"])) == 3


def test_scaling_does_not_change_training():
    x, y = data(200)
    weights = []
    for callbacks in ([], [TemperatureScaling((x, y), from_logits=True)]):
        keras.utils.set_random_seed(3)
        model = make()
        model.fit(x, y, epochs=3, shuffle=False, callbacks=callbacks, verbose=0)
        weights.append(model.get_weights())
    for one, other in zip(*weights, strict=True):
        np.testing.assert_array_equal(one, other)


@pytest.mark.filterwarnings("ignore:The best temperature is at the")  # labels are random
def test_datasets_sequences_and_padding():
    rng = np.random.default_rng(0)
    x = rng.standard_normal((40, 6, 3)).astype(np.float32)
    y = rng.integers(0, 4, (40, 6))
    y[:, 4:] = -1
    batches = [(x[i : i + 7], y[i : i + 7]) for i in range(0, 40, 7)]
    inputs = keras.Input((6, 3))
    model = keras.Model(inputs, keras.layers.Dense(4, name="logits")(inputs))
    callback = TemperatureScaling(batches, ignore_class=-1, prefix="cal_", from_logits=True)
    callback.set_model(model)
    logs = {}
    callback.on_epoch_end(0, logs)
    assert callback.fit.num_examples == 20 * 4
    z = ops.convert_to_numpy(model(x))
    fit = fit_temperature(y[::2], z[::2], ignore_class=-1, from_logits=True)
    assert logs["cal_temperature"] == pytest.approx(fit.temperature, rel=1e-4)


@pytest.mark.parametrize(
    ("arguments", "options", "message"),
    [
        ((np.zeros((4, 3)), np.zeros(5)), {}, "one length"),
        (3, {}, "validation_data"),
        (iter([]), {}, "several times"),
        ((np.zeros((4, 3)), np.zeros(4)), {"every": 0}, "every"),
        ((np.zeros((4, 3)), np.zeros(4)), {"batch_size": 0}, "batch_size"),
        ((np.zeros((4, 3)), np.zeros(4)), {"objective": "mse"}, "objective"),
    ],
)
def test_wrong_arguments_raise_input_errors(arguments, options, message):
    with pytest.raises(InputError, match=message):
        TemperatureScaling(arguments, from_logits=True, **options)


def test_a_half_without_examples_raises_an_input_error():
    x, y = data(10)
    callback = TemperatureScaling(
        (x, np.where(np.arange(10) % 2, -1, y)), ignore_class=-1, from_logits=True
    )
    callback.set_model(make())
    with pytest.raises(InputError, match="both the even and the odd"):
        callback.on_epoch_end(0, {})


def test_a_metric_named_ece_is_logged_separately():
    """`val_ece` is that of the metric; the callback logs the ECE of one half under another name."""
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(60, 3)).astype("float32"), np.arange(60) % 4
    model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(4, name="logits")])
    metric = ExpectedCalibrationError(from_logits=True, name="ece")
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(keras.optimizers.SGD(0.0), loss, metrics=[metric])
    scaling = TemperatureScaling((x, y), from_logits=True)
    logged = model.fit(x, y, validation_data=(x, y), callbacks=[scaling], verbose=0).history
    logits = keras.ops.convert_to_numpy(model(x))
    p = np.exp(logits) / np.exp(logits).sum(-1, keepdims=True)
    whole, half = (
        float(expected_calibration_error(y[rows], p[rows]))
        for rows in (slice(None), slice(1, None, 2))
    )
    assert logged["val_ece"][0] == pytest.approx(whole, abs=1e-5)
    assert logged["val_ece_half"][0] == pytest.approx(half, abs=1e-5)
    assert abs(whole - half) > 1e-3
