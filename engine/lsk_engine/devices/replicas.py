"""Replicas that a strategy keeps in step: how many, and what has to know of them."""

import keras
import numpy as np

from lsk_engine.devices.process_env import place
from lsk_engine.devices.processes import gathered, join


def num_replicas() -> int:
    """Returns how many replicas sum their gradients and metrics; 1 where there is one program.

    On JAX there is one, whatever the devices: each sees the whole batch.
    """
    if keras.config.backend() != "tensorflow":
        return 1
    import tensorflow as tf

    return tf.distribute.get_strategy().num_replicas_in_sync


def num_shards() -> int:
    """Returns among how many devices the present strategy splits a batch."""
    if keras.config.backend() == "jax":
        present = keras.distribution.distribution()
        return 1 if present is None else int(present.device_mesh.devices.size)
    return num_replicas()


def process_shard() -> tuple[int, int]:
    """Returns which part of each batch this process reads, and of how many, in the strategy."""
    if num_shards() == 1 or not _is_shared():  # nobody is waited for where nothing is shared
        return (0, 1)
    here = join()
    return (here.index, here.count)


def _is_shared() -> bool:
    """Returns whether the present strategy is one of all processes."""
    if place().count == 1:
        return False
    if keras.config.backend() == "jax":
        return True
    import tensorflow as tf

    return isinstance(tf.distribute.get_strategy(), tf.distribute.MultiWorkerMirroredStrategy)


def sum_over_replicas(values: list) -> list:
    """Returns the sums over the replicas; to be called in a replica, of several."""
    import tensorflow as tf

    return tf.distribute.get_replica_context().all_reduce("SUM", values)


def parts_of(variable) -> np.ndarray:
    """Returns what a metric's variable is; of several replicas the part of each, `(replicas, …)`.

    Their sum is what the metric says; sums go on exactly from the parts only.
    """
    if num_replicas() == 1:
        return keras.ops.convert_to_numpy(variable)
    local = np.stack([part.numpy() for part in _local_parts(variable)])
    if process_shard()[1] == 1:
        return local
    return gathered(local).reshape(num_replicas(), *local.shape[1:])


def assign_parts(variable, stored: np.ndarray) -> bool:
    """Assigns what `parts_of` returned, of as many replicas or of others.

    Returns:
        Whether `stored` is of such a variable.
    """
    shape, replicas = tuple(variable.shape), num_replicas()
    if stored.shape != shape and stored.shape[1:] != shape:
        return False
    parts = stored if stored.shape[1:] == shape and stored.ndim > len(shape) else stored[None]
    if len(parts) != replicas:  # it was saved on another number of them
        rest = np.zeros((replicas - 1, *shape), stored.dtype)
        parts = np.concatenate([parts.sum(axis=0, dtype=stored.dtype)[None], rest])
    if replicas == 1:
        variable.assign(parts[0])
        return True
    # A plain assign would divide by the replicas, integers with a rest.
    local = _local_parts(variable)
    first = process_shard()[0] * len(local)
    for part, value in zip(local, parts[first:], strict=False):
        part.assign(value)
    return True


def _local_parts(variable) -> tuple:
    """Returns the variables of this process's replicas that a metric's variable consists of."""
    import tensorflow as tf

    return tf.distribute.get_strategy().experimental_local_results(variable.value)
