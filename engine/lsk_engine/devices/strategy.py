"""Distribution strategies by name, one function for each."""

import contextlib
import functools
import os
from contextlib import AbstractContextManager
from typing import NamedTuple

from ls_base.errors import InputError
from lsk_engine.devices.process_env import TPU, ProcessInfo, find_process
from lsk_engine.devices.processes import multi_worker_strategy

# The strategies of each backend; `auto` chooses one of them.
BACKEND_STRATEGIES = {
    "tensorflow": ("one-device", "mirrored", "multi-worker", "tpu"),
    "jax": ("one-device", "data-parallel"),
    "torch": ("one-device",),
}
_XLA_COUNT = "xla_force_host_platform_device_count"  # a user's own choice
_MOST_CPU_DEVICES = 64  # logical ones, which share the cores


class ActiveStrategy(NamedTuple):
    """A strategy that can be entered.

    Attributes:
        name: Its name, never `auto`.
        devices: Description of the devices, such as `2 GPUs`.
        scope: The context in which a model is built and compiled.
    """

    name: str
    devices: str
    scope: AbstractContextManager


def configure_cpu_devices(name: str, devices: int | None) -> None:
    """Makes as many logical CPU devices as a strategy of several devices needs without a GPU.

    Call it before anything is computed: later, the framework's devices are fixed, and nothing
    changes. Logical devices share the cores of the machine; use them to test a strategy.

    Args:
        name: The strategy's name.
        devices: Number of devices; `None`: all that exist.
    """
    import keras

    count = devices or 1
    if count == 1 or count > _MOST_CPU_DEVICES or find_process().count > 1:
        return
    backend = keras.config.backend()
    if backend == "tensorflow" and name in ("auto", "mirrored"):
        import tensorflow as tf

        if not tf.config.list_physical_devices("GPU"):
            (cpu, *_) = tf.config.list_physical_devices("CPU")
            with contextlib.suppress(RuntimeError):  # something was computed already
                if tf.config.get_logical_device_configuration(cpu) is None:
                    logical = [tf.config.LogicalDeviceConfiguration() for _ in range(count)]
                    tf.config.set_logical_device_configuration(cpu, logical)
    elif backend == "jax" and name in ("auto", "data-parallel"):
        import jax

        with contextlib.suppress(RuntimeError):
            if _XLA_COUNT not in os.environ.get("XLA_FLAGS", ""):
                jax.config.update("jax_num_cpu_devices", count)


def choose_strategy(name: str, devices: int | None = None) -> ActiveStrategy:
    """Returns the strategy with a name.

    `auto` joins the other processes if several train together (`process_env`). Otherwise it takes a
    TPU, all GPUs if there are several, or one device. Logical CPUs share the cores of the machine,
    so they are used only if `devices` is given.

    Args:
        name: One of `lsk_engine.settings.training.STRATEGIES`.
        devices: Number of devices; `None`: all.

    Raises:
        InputError: If the devices do not exist, or the backend has no such strategy.
    """
    import keras

    backend, here = keras.config.backend(), find_process()
    if backend == "torch" and here.count > 1:
        raise InputError(
            "Expected one process with the torch backend: Keras has no data parallelism for it, "
            "and each process would train the whole run. Several processes can train with "
            f"--backend tensorflow or jax. Received: {here.count} processes"
        )
    if name != "auto" and name not in BACKEND_STRATEGIES[backend]:
        raise InputError(
            f"Expected a strategy of auto, {', '.join(BACKEND_STRATEGIES[backend])} with the "
            f"{backend} backend. Received: strategy={name!r}, devices={devices}"
        )
    if name == "one-device" and (devices or 1) > 1:
        raise InputError(f"Expected one device for 'one-device'. Received: devices={devices}")
    if here.count > 1:
        return _of_processes(backend, name, devices, here)
    if backend == "torch":
        if (devices or 1) > 1:
            raise InputError(
                "Expected one device with the torch backend: Keras has no data parallelism for it. "
                f"Received: devices={devices}"
            )
        return one_device("one device of PyTorch")
    if name == "multi-worker":
        raise InputError(
            "Expected several workers for strategy 'multi-worker': --workers HOST:PORT,… with "
            "--worker-index I, --local-workers N, or TF_CONFIG. Received: none of them"
        )
    if name == "tpu" or (backend == "tensorflow" and name == "auto" and _has_tpu()):
        strategy = _tpu()
        return ActiveStrategy("tpu", f"{strategy.num_replicas_in_sync} TPU cores", strategy.scope())
    found = keras.distribution.list_devices() if backend == "jax" else _list_tensorflow_devices()
    kind = found[0].strip("/").removeprefix("device:").partition(":")[0].upper()
    if (devices or 1) > len(found):
        raise InputError(f"Expected at most {len(found)} {kind} devices. Received: {devices}")
    wanted = 1 if devices is None and name == "auto" and kind == "CPU" else devices or len(found)
    if name == "one-device" or (name == "auto" and wanted == 1):
        return one_device(f"one {kind}")
    several = data_parallel if backend == "jax" else mirrored
    return several(tuple(found[:wanted]), f"{wanted} {kind}s")


def one_device(description: str = "one device") -> ActiveStrategy:
    """Returns the strategy that leaves a model on Keras's default device."""
    return ActiveStrategy("one-device", description, contextlib.nullcontext())


def mirrored(devices: tuple[str, ...], description: str) -> ActiveStrategy:
    """Returns TensorFlow's `MirroredStrategy`: a replica on each device of this process."""
    return ActiveStrategy("mirrored", description, _mirrored(devices).scope())


@functools.cache  # one per process: TensorFlow numbers the sums of a strategy
def _mirrored(devices: tuple[str, ...]):
    import tensorflow as tf

    # The sums of all strategies of a process get the same numbers unless this is raised (as
    # TensorFlow's own tests do): beside another strategy, their shapes would be compared.
    tf.distribute.MirroredStrategy._collective_key_base += 100_000
    return tf.distribute.MirroredStrategy(devices)


def data_parallel(devices: tuple[str, ...] | None, description: str) -> ActiveStrategy:
    """Returns Keras's `DataParallel` on JAX: each device has a part of a batch's rows."""
    import keras

    # Each process yields its own rows, see `lsk_engine.data.datasets`.
    parallel = keras.distribution.DataParallel(devices=devices, auto_shard_dataset=False)
    return ActiveStrategy("data-parallel", description, parallel.scope())


def _of_processes(
    backend: str, name: str, devices: int | None, here: ProcessInfo
) -> ActiveStrategy:
    """Returns the strategy of several processes that train together."""
    if devices is not None:
        raise InputError(
            "Expected no number of devices where several processes train together: each uses all "
            "that it sees (CUDA_VISIBLE_DEVICES limits them). "
            f"Received: devices={devices} with {here.count} processes"
        )
    wanted = "multi-worker" if backend == "tensorflow" else "data-parallel"
    if name not in ("auto", wanted):
        raise InputError(
            f"Expected strategy 'auto' or one for several processes. Received: strategy={name!r} "
            f"in process {here.index} of {here.count} ({here.source} says so)"
        )
    if backend == "jax":
        import jax

        return data_parallel(None, f"{jax.device_count()} devices of {here.count} processes")
    strategy = multi_worker_strategy()
    text = f"{strategy.num_replicas_in_sync} devices of {here.count} workers"
    return ActiveStrategy("multi-worker", text, strategy.scope())


def _list_tensorflow_devices() -> list[str]:
    import tensorflow as tf

    kind = "GPU" if tf.config.list_physical_devices("GPU") else "CPU"
    return [device.name for device in tf.config.list_logical_devices(kind)]


def _has_tpu() -> bool:
    import tensorflow as tf

    return bool(tf.config.list_physical_devices("TPU"))


def _tpu():
    import tensorflow as tf

    name = os.environ.get(TPU) or "local"
    if name == "local" and not _has_tpu():
        raise InputError(
            "Expected a TPU for strategy 'tpu' (--tpu NAME for one of another machine). "
            "Received: no TPU on this machine"
        )
    try:
        resolver = tf.distribute.cluster_resolver.TPUClusterResolver(tpu=name)
        if name != "local":
            tf.config.experimental_connect_to_cluster(resolver)
        tf.tpu.experimental.initialize_tpu_system(resolver)
        return tf.distribute.TPUStrategy(resolver)
    except (ValueError, IndexError, RuntimeError, OSError, tf.errors.OpError) as error:
        text = f"{type(error).__name__}: {error}".strip().splitlines()[0][:200]
        raise InputError(f"Expected the TPU {name!r} to answer. Received: {text}") from error
