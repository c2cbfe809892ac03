import contextlib
import os
import subprocess
import sys

import keras
import pytest

from ls_base.errors import InputError
from lsk_engine.devices import strategy
from lsk_engine.devices.process_env import TF_CONFIG, set_tf_config
from lsk_engine.settings.training import STRATEGIES

tensorflow = pytest.mark.tensorflow


def test_every_strategy_belongs_to_a_backend():
    assert {"auto"} | {n for names in strategy.BACKEND_STRATEGIES.values() for n in names} == set(
        STRATEGIES
    )


@tensorflow
@pytest.mark.parametrize(("name", "devices"), [("mirrored", None), ("auto", 2), ("mirrored", 2)])
def test_two_logical_cpus_are_mirrored(name, devices):
    import tensorflow as tf

    chosen = strategy.choose_strategy(name, devices)
    assert chosen[:2] == ("mirrored", "2 CPUs")
    with chosen.scope:
        assert tf.distribute.get_strategy().num_replicas_in_sync == 2


@tensorflow
@pytest.mark.parametrize("name", ["auto", "one-device"])
def test_one_device_needs_no_strategy(name):
    chosen = strategy.choose_strategy(name)
    assert chosen[:2] == ("one-device", "one CPU")
    assert isinstance(chosen.scope, contextlib.nullcontext)


@tensorflow
@pytest.mark.parametrize(
    ("name", "devices", "message"),
    [
        ("tpu", None, "no TPU on this machine"),
        ("mirrored", 3, "at most 2 CPU devices. Received: 3"),
        ("one-device", 2, "one device for 'one-device'"),
        ("multi-worker", None, "--local-workers N, or TF_CONFIG. Received: none"),
        (
            "data-parallel",
            None,
            "auto, one-device, mirrored, multi-worker, tpu with the tensorflow",
        ),
    ],
)
def test_missing_devices_are_refused(name, devices, message):
    with pytest.raises(InputError, match=message):
        strategy.choose_strategy(name, devices)


@tensorflow
def test_a_tpu_that_does_not_answer_gives_one_line(monkeypatch):
    monkeypatch.setenv("TPU_NAME", "grpc://127.0.0.1:1")
    import tensorflow as tf

    def refuse(resolver):
        raise tf.errors.UnavailableError(None, None, "no answer\nand more")

    monkeypatch.setattr(tf.config, "experimental_connect_to_cluster", refuse)
    with pytest.raises(InputError, match="'grpc://127.0.0.1:1' to answer. Received: Unavail") as e:
        strategy.choose_strategy("tpu")
    assert "\n" not in str(e.value)


@tensorflow
@pytest.mark.parametrize(
    ("name", "devices", "message"),
    [
        ("mirrored", None, "strategy='mirrored' in process 1 of 2 \\(TF_CONFIG says so\\)"),
        ("auto", 2, "no number of devices where several processes"),
    ],
)
def test_processes_need_a_strategy_for_several(monkeypatch, name, devices, message):
    monkeypatch.setenv(TF_CONFIG, "")
    set_tf_config(["a:1", "b:1"], 1)
    with pytest.raises(InputError, match=message):
        strategy.choose_strategy(name, devices)


@pytest.mark.parametrize(
    ("backend", "name", "devices", "message"),
    [
        ("jax", "mirrored", None, "auto, one-device, data-parallel with the jax backend"),
        ("torch", "mirrored", None, "auto, one-device with the torch backend"),
        ("torch", "auto", 2, "Keras has no data parallelism for it. Received: devices=2"),
    ],
)
def test_strategies_of_other_backends_are_refused(monkeypatch, backend, name, devices, message):
    monkeypatch.setattr(keras.config, "backend", lambda: backend)
    with pytest.raises(InputError, match=message):
        strategy.choose_strategy(name, devices)


def test_torchrun_is_refused(monkeypatch):
    monkeypatch.setattr(keras.config, "backend", lambda: "torch")
    monkeypatch.setenv("WORLD_SIZE", "4")
    monkeypatch.setenv("RANK", "1")
    with pytest.raises(InputError, match="each process would train the whole run"):
        strategy.choose_strategy("auto")


LOGICAL_CPUS = """
import sys
from lsk_engine.devices.backend import load_backend
load_backend(sys.argv[1])
from lsk_engine.devices.strategy import choose_strategy, configure_cpu_devices
configure_cpu_devices(sys.argv[2], 3)
print(choose_strategy(sys.argv[2], 3)[:2])
configure_cpu_devices(sys.argv[2], 4)  # too late, without an error
"""


@pytest.mark.slow
@pytest.mark.parametrize(
    ("backend", "name"),
    [pytest.param("tensorflow", "mirrored", marks=tensorflow), ("jax", "data-parallel")],
)
def test_logical_cpus_are_made_on_request(backend, name):
    without = {k: v for k, v in os.environ.items() if k not in ("XLA_FLAGS", "KERAS_BACKEND")}
    environment = {**without, "PYTHONPATH": os.pathsep.join(sys.path), "CUDA_VISIBLE_DEVICES": "-1"}
    command = [sys.executable, "-c", LOGICAL_CPUS, backend, name]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == f"('{name}', '3 CPUs')"
