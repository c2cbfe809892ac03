"""Distribution strategies by name."""

import contextlib
import functools
import os
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import NamedTuple

from ls_base.errors import InputError
from lsk_engine.devices.process_env import TPU, Place, place

# What each backend can do; `auto` chooses among them.
OF_BACKEND = {
    "tensorflow": ("one-device", "mirrored", "multi-worker", "tpu"),
    "jax": ("one-device", "data-parallel"),
    "torch": ("one-device",),
}


class Chosen(NamedTuple):
    """A strategy that can be entered.

    Attributes:
        name: Its name, never `auto`.
        devices: In words, what a model trains on.
        scope: The context under which a model is built and compiled.
    """

    name: str
    devices: str
    scope: AbstractContextManager


def choose(name: str, devices: int | None = None) -> Chosen:
    """Returns the strategy of a name; `auto`: the one for what is there.

    Where several processes train together (`lsk_engine.devices.process_env`), `auto` joins
    them. Otherwise, it takes a TPU, all GPUs if there are several, or one device. Logical CPUs
    share the machine's cores and are used only if `devices` asks for them.

    Args:
        name: One of `lsk_engine.settings.training.STRATEGIES`.
        devices: How many devices to use; `None`: all.

    Raises:
        InputError: If the devices are not there, or the backend has no such strategy.
    """
    import keras

    backend, here = keras.config.backend(), place()
    if backend == "torch" and here.count > 1:
        raise InputError(
            "Expected one process with the torch backend: Keras has no data parallelism for it, "
            "and each process would train the same run by itself; with --backend tensorflow or jax "
            f"processes train together. Received: {here.count} processes"
        )
    if name != "auto" and name not in OF_BACKEND[backend]:
        raise InputError(
            f"Expected a strategy of auto, {', '.join(OF_BACKEND[backend])} with the {backend} "
            f"backend. Received: strategy={name!r}, devices={devices}"
        )
    if name == "one-device" and (devices or 1) > 1:
        raise InputError(f"Expected one device for 'one-device'. Received: devices={devices}")
    if here.count > 1 and devices is not None:
        raise InputError(
            "Expected no number of devices where several processes train together: each takes all "
            "that it sees (CUDA_VISIBLE_DEVICES says which these are). "
            f"Received: devices={devices} with {here.count} processes"
        )
    if backend == "tensorflow":
        return _of_tensorflow(name, devices, here)
    if backend == "jax":
        return _of_jax(name, devices, here)
    if (devices or 1) > 1:
        raise InputError(
            "Expected one device with the torch backend: Keras has no data parallelism for it. "
            f"Received: devices={devices}"
        )
    return one_device("one device of PyTorch's")


def one_device(devices: str = "one device") -> Chosen:
    """Returns that a model is where Keras puts it; `devices` says so in words."""
    return Chosen("one-device", devices, contextlib.nullcontext())


def _of_tensorflow(name: str, devices: int | None, here: Place) -> Chosen:
    import tensorflow as tf

    if here.count > 1:
        if name not in ("auto", "multi-worker"):
            raise _alone(name, here)
        strategy = multi_worker()
        all_of_them = strategy.num_replicas_in_sync
        text = f"{all_of_them} devices of {here.count} workers"
        return Chosen("multi-worker", text, strategy.scope())
    if name == "multi-worker":
        raise InputError(
            "Expected several workers for strategy 'multi-worker': --workers HOST:PORT,… with "
            "--worker-index I, --local-workers N, or TF_CONFIG. Received: none of them"
        )
    if name == "tpu" or (name == "auto" and tf.config.list_physical_devices("TPU")):
        strategy = _tpu()
        return Chosen("tpu", f"{strategy.num_replicas_in_sync} TPU cores", strategy.scope())
    kind = "GPU" if tf.config.list_physical_devices("GPU") else "CPU"
    found = [device.name for device in tf.config.list_logical_devices(kind)]
    wanted = _wanted(name, devices, len(found), kind)
    if name == "one-device" or (name == "auto" and wanted == 1):
        return one_device(f"one {kind}")
    names = found[:wanted]
    return Chosen("mirrored", f"{wanted} {kind}s", _mirrored(tuple(names)).scope())


def _of_jax(name: str, devices: int | None, here: Place) -> Chosen:
    import jax
    import keras

    if here.count > 1:
        if name not in ("auto", "data-parallel"):
            raise _alone(name, here)
        # Each process yields its own rows: `lsk_engine.data.datasets`.
        parallel = keras.distribution.DataParallel(auto_shard_dataset=False)
        text = f"{jax.device_count()} devices of {here.count} processes"
        return Chosen("data-parallel", text, parallel.scope())
    found = keras.distribution.list_devices()
    kind = found[0].partition(":")[0].upper()
    wanted = _wanted(name, devices, len(found), kind)
    if name == "one-device" or (name == "auto" and wanted == 1):
        return one_device(f"one {kind}")
    parallel = keras.distribution.DataParallel(devices=found[:wanted], auto_shard_dataset=False)
    return Chosen("data-parallel", f"{wanted} {kind}s", parallel.scope())


def _wanted(name: str, devices: int | None, found: int, kind: str) -> int:
    """Returns how many devices are used, of those that were found."""
    if (devices or 1) > found:
        raise InputError(f"Expected at most {found} {kind} devices. Received: {devices}")
    if devices is None and name == "auto" and kind == "CPU":
        return 1
    return devices or found


def _alone(name: str, here: Place) -> InputError:
    return InputError(
        f"Expected strategy 'auto' or one for several processes. Received: strategy={name!r} in "
        f"process {here.index} of {here.count} ({here.source} says so)"
    )


@functools.cache
def _mirrored(names: tuple[str, ...]):
    """Returns the strategy of some devices: one a process, as TensorFlow numbers what it sums."""
    import tensorflow as tf

    # Sums of all strategies of a process have the same numbers, unless this is raised (TensorFlow's
    # own tests do); where somebody has a strategy beside ours, their shapes would be compared.
    tf.distribute.MirroredStrategy._collective_key_base += 100_000
    return tf.distribute.MirroredStrategy(names)


@functools.cache
def multi_worker():
    """Returns TensorFlow's strategy for the workers of `TF_CONFIG`; one a process.

    To be called before any other operation of TensorFlow's: it sets up how workers talk.
    """
    import tensorflow as tf

    return tf.distribute.MultiWorkerMirroredStrategy()


def _tpu():
    import tensorflow as tf

    name = os.environ.get(TPU) or "local"
    if name == "local" and not tf.config.list_physical_devices("TPU"):
        raise InputError(
            "Expected a TPU for strategy 'tpu' (--tpu NAME for one that is not this machine's). "
            "Received: no TPU on this machine"
        )
    return _connected(lambda: tf.distribute.cluster_resolver.TPUClusterResolver(tpu=name), name)


def _connected(resolve: Callable, name: str):
    import tensorflow as tf

    try:
        resolver = resolve()
        if name != "local":
            tf.config.experimental_connect_to_cluster(resolver)
        tf.tpu.experimental.initialize_tpu_system(resolver)
        return tf.distribute.TPUStrategy(resolver)
    except (ValueError, IndexError, RuntimeError, OSError, tf.errors.OpError) as error:
        told = f"{type(error).__name__}: {error}".strip().splitlines()[0][:200]
        raise InputError(f"Expected the TPU {name!r} to answer. Received: {told}") from error
