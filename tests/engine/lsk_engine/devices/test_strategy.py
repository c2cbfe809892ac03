import contextlib

import keras
import pytest

from ls_base.errors import InputError
from lsk_engine.devices import strategy

pytestmark = pytest.mark.tensorflow


def test_two_logical_cpus_are_mirrored():
    import tensorflow as tf

    with strategy.scope("mirrored"):
        assert tf.distribute.get_strategy().num_replicas_in_sync == 2
    with strategy.scope("auto", 2):
        assert tf.distribute.get_strategy().num_replicas_in_sync == 2


@pytest.mark.parametrize("name", ["auto", "one-device"])
def test_one_device_needs_no_strategy(name):
    assert isinstance(strategy.scope(name), contextlib.nullcontext)


@pytest.mark.parametrize(
    ("name", "devices", "message"),
    [
        ("tpu", None, "no TPU on this machine"),
        ("mirrored", 3, "at most 2 CPU devices. Received: 3"),
        ("one-device", 2, "one device for 'one-device'"),
    ],
)
def test_devices_that_are_not_there_are_told(name, devices, message):
    with pytest.raises(InputError, match=message):
        strategy.scope(name, devices)


def test_other_backends_have_one_device(monkeypatch):
    monkeypatch.setattr(keras.config, "backend", lambda: "jax")
    with pytest.raises(InputError, match="with the jax backend. Received: strategy='mirrored'"):
        strategy.scope("mirrored")
