"""Distribution strategies by name."""

import contextlib

from ls_base.errors import InputError


def scope(name: str, devices: int | None = None):
    """Returns the context under which a model is built and compiled.

    Args:
        name: `auto` (mirrored where there are several GPUs, else one device), `one-device`,
            `mirrored` (synchronous copies on the GPUs, or on logical CPUs where there is no GPU)
            or `tpu`.
        devices: How many devices to use; `None`: all.

    Raises:
        InputError: If the devices are not there, or the backend has no such strategy.
    """
    import keras

    if keras.config.backend() != "tensorflow":
        if name not in ("auto", "one-device") or (devices or 1) > 1:
            raise InputError(
                "Expected strategy 'auto' or 'one-device' on one device with the "
                f"{keras.config.backend()} backend. Received: strategy={name!r}, devices={devices}"
            )
        return contextlib.nullcontext()
    import tensorflow as tf

    if name == "tpu":
        if not tf.config.list_physical_devices("TPU"):
            raise InputError("Expected a TPU for strategy 'tpu'. Received: no TPU on this machine")
        resolver = tf.distribute.cluster_resolver.TPUClusterResolver(tpu="local")
        tf.tpu.experimental.initialize_tpu_system(resolver)
        return tf.distribute.TPUStrategy(resolver).scope()
    kind = "GPU" if tf.config.list_physical_devices("GPU") else "CPU"
    found = [device.name for device in tf.config.list_logical_devices(kind)]
    if name == "one-device" or (name == "auto" and (len(found) == 1 or kind == "CPU")):
        if (devices or 1) > 1 and name == "one-device":
            raise InputError(f"Expected one device for 'one-device'. Received: devices={devices}")
        if (devices or 1) == 1:
            return contextlib.nullcontext()
    if (devices or 1) > len(found):
        raise InputError(f"Expected at most {len(found)} {kind} devices. Received: {devices}")
    return tf.distribute.MirroredStrategy(found[:devices]).scope()
