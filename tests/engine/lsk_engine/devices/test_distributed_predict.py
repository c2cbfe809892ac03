import keras
import numpy as np
import pytest
from keras import layers

from lsk_engine.devices import distributed_predict
from lsk_engine.devices.distributed_predict import for_scoring, on_devices, predict_rows
from lsk_engine.devices.process_env import TF_CONFIG, be_worker

pytestmark = pytest.mark.tensorflow


def plain():
    x = keras.Input((3,), name="x")
    h = layers.BatchNormalization()(layers.Dense(4)(x))
    return keras.Model({"x": x}, {"logits": layers.Dense(2)(h)})


@pytest.mark.parametrize("rows", [6, 5, 1])
def test_two_devices_predict_what_one_does(rng, rows):
    import tensorflow as tf

    model = plain()
    model.compile(jit_compile=False)
    inputs = {"x": rng.normal(size=(rows, 3)).astype("float32")}
    with for_scoring("mirrored", None).scope:
        copy = on_devices(model)
        copy.compile(jit_compile=False)
    assert copy is not model
    assert copy.distribute_strategy.num_replicas_in_sync == 2
    seen = []
    run = copy.distribute_strategy.run

    def counted(function, args=(), **options):
        seen.append(tf.nest.flatten(args))
        return run(function, args=args, **options)

    copy.distribute_strategy.run = counted
    try:
        found = predict_rows(copy, inputs)["logits"]
    finally:
        del copy.distribute_strategy.run
    assert found.shape == (rows, 2)
    np.testing.assert_allclose(found, predict_rows(model, inputs)["logits"], atol=1e-6)
    (parts,) = seen[0]
    assert [part.shape[0] for part in parts.values] == [-(-rows // 2)] * 2  # half of them each


def test_one_device_needs_no_copy():
    model = plain()
    with for_scoring("auto", None).scope:
        assert on_devices(model) is model


@pytest.mark.parametrize(
    ("name", "devices"), [("mirrored", 8), ("data-parallel", None), ("tpu", None)]
)
def test_a_run_is_scored_where_its_devices_are_not(name, devices):
    assert for_scoring(name, devices).name == "one-device"


def test_a_worker_scores_by_itself(monkeypatch):
    monkeypatch.setenv(TF_CONFIG, "")
    be_worker(["a:1", "b:1"], 0)
    assert distributed_predict.for_scoring("auto", None).name == "one-device"
