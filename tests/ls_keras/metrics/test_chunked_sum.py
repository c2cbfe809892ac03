import os
import subprocess
import sys
from pathlib import Path

import keras
import numpy as np
import pytest
from keras import ops

import ls_keras
from ls_keras.metrics import chunked_sum
from ls_keras.metrics.chunked_sum import sum_over_rows

MEASURE = """
import keras, numpy as np, ls_keras

def memory(key):
    with open("/proc/self/status") as status:
        return next(int(line.split()[1]) / 1024 for line in status if line.startswith(key))

rng = np.random.default_rng(0)
z = rng.standard_normal((1024, 16_000), dtype="float32")
y = rng.integers(0, 16_000, 1024)
metric = ls_keras.ExpectedCalibrationError(classwise=True, from_logits=True)
z = keras.ops.convert_to_tensor(z)
metric.update_state(y[:40], z[:40])
open("/proc/self/clear_refs", "w").write("5")
before = memory("VmRSS")
metric.update_state(y, z)
print((memory("VmHWM") - before) * 2**20 / (4 * 1024 * 16_000))
"""


def sums(weights, values):
    return ops.sum(weights), ops.sum(weights * values, axis=0)


@pytest.mark.parametrize("rows", [1, 7, 8, 9, 20])
def test_chunks_add_up(rows, monkeypatch, rng, traced):
    monkeypatch.setattr(chunked_sum, "_CHUNK", 8 * 3)
    w, v = rng.random((rows, 1)).astype("float32"), rng.random((rows, 3)).astype("float32")
    for run in (lambda f, *a: f(*a), traced):
        found = [run(lambda w, v, i=i: sum_over_rows(sums, (w, v), 3)[i], w, v) for i in range(2)]
        np.testing.assert_allclose(ops.convert_to_numpy(found[0]), w.sum(), rtol=1e-5)
        np.testing.assert_allclose(ops.convert_to_numpy(found[1]), (w * v).sum(0), rtol=1e-5)


@pytest.mark.tensorflow
def test_batches_of_any_size_in_one_graph(monkeypatch, rng):
    import tensorflow as tf

    monkeypatch.setattr(chunked_sum, "_CHUNK", 8 * 3)
    spec = [tf.TensorSpec((None, 1)), tf.TensorSpec((None, 3))]
    graph = tf.function(lambda w, v: sum_over_rows(sums, (w, v), 3), input_signature=spec)
    for rows in (0, 3, 8, 21):
        w, v = rng.random((rows, 1)).astype("float32"), rng.random((rows, 3)).astype("float32")
        found = graph(w, v)
        np.testing.assert_allclose(found[0], w.sum(), rtol=1e-5)
        np.testing.assert_allclose(found[1], (w * v).sum(0), rtol=1e-5)


@pytest.mark.parametrize("binning", ["equal_width", "equal_mass"])
def test_the_classwise_error_does_not_depend_on_chunks(binning, monkeypatch, rng):
    z = rng.normal(size=(50, 6)).astype("float32")
    y = rng.integers(0, 6, 50)
    w = rng.random(50).astype("float32")
    z[3], w[3] = np.nan, 0  # does not count
    options = {"classwise": True, "binning": binning, "from_logits": True, "ignore_class": 2}
    whole = ls_keras.expected_calibration_error(y, z, sample_weight=w, **options)
    monkeypatch.setattr(chunked_sum, "_CHUNK", 6 * 7)
    parts = ls_keras.expected_calibration_error(y, z, sample_weight=w, **options)
    assert parts == pytest.approx(whole, rel=1e-5)
    model = keras.Sequential([keras.Input((6,)), keras.layers.Identity()])
    model.compile(
        weighted_metrics=[ls_keras.ExpectedCalibrationError(**options)],
        loss=ls_keras.SmoothedCE(from_logits=True),
    )
    found = model.evaluate(np.nan_to_num(z), y, batch_size=20, sample_weight=w, verbose=0)
    assert found[-1] == pytest.approx(whole, rel=1e-5)


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/clear_refs").exists(), reason="needs Linux's /proc")
def test_the_classwise_error_of_many_classes_takes_little_memory():
    done = subprocess.run(
        [sys.executable, "-c", MEASURE], env=os.environ, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert float(done.stdout.splitlines()[-1]) <= 2  # copies of the logits
