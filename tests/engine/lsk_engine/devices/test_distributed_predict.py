import keras
import numpy as np
import pytest
from keras import layers

from lsk_engine.devices import distributed_predict
from lsk_engine.devices.distributed_predict import copy_to_devices, predict_rows, scoring_strategy
from lsk_engine.devices.process_env import TF_CONFIG, set_tf_config
from lsk_engine.settings.resolving import resolve_config
from tiny_task import TinyTask

pytestmark = pytest.mark.tensorflow


def build():
    x = keras.Input((3,), name="x")
    h = layers.BatchNormalization()(layers.Dense(4)(x))
    return keras.Model({"x": x}, {"logits": layers.Dense(2)(h)})


@pytest.mark.parametrize("rows", [6, 5, 1])
def test_two_devices_predict_the_same_as_one(rng, rows):
    import tensorflow as tf

    model = build()
    model.compile(jit_compile=False)
    inputs = {"x": rng.normal(size=(rows, 3)).astype("float32")}
    with scoring_strategy("mirrored", None).scope:
        copy = keras.models.clone_model(model)
        copy.set_weights(model.get_weights())
        copy.compile(jit_compile=False)
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
    assert [part.shape[0] for part in parts.values] == [-(-rows // 2)] * 2


def test_one_device_needs_no_copy():
    assert copy_to_devices(build(), resolve_config(TinyTask(), None, {})) is None


@pytest.mark.parametrize(
    ("name", "devices"), [("mirrored", 8), ("data-parallel", None), ("tpu", None)]
)
def test_a_run_is_scored_on_one_device_if_its_own_are_missing(name, devices):
    assert scoring_strategy(name, devices).name == "one-device"


def test_one_of_several_workers_scores_on_one_device(monkeypatch):
    monkeypatch.setenv(TF_CONFIG, "")
    set_tf_config(["a:1", "b:1"], 0)
    assert distributed_predict.scoring_strategy("auto", None).name == "one-device"
