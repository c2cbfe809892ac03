"""Replicas of the current strategy: their number, and sums over them."""

import keras
import numpy as np
from keras import ops

from lsk_engine.devices.process_env import find_process
from lsk_engine.devices.processes import gather, join


def num_replicas() -> int:
    """Returns how many replicas sum their gradients and metrics.

    On JAX and PyTorch it is 1 for any number of devices: each sees the whole batch.
    """
    if keras.config.backend() != "tensorflow":
        return 1
    import tensorflow as tf

    return tf.distribute.get_strategy().num_replicas_in_sync


def num_shards() -> int:
    """Returns the number of devices among which the current strategy splits a batch."""
    if keras.config.backend() == "jax":
        distribution = keras.distribution.distribution()
        return 1 if distribution is None else int(distribution.device_mesh.devices.size)
    return num_replicas()


def process_shard() -> tuple[int, int]:
    """Returns which part of each batch this process reads, and the number of parts."""
    if num_shards() == 1 or not _spans_processes():  # then nothing must wait for other processes
        return (0, 1)
    here = join()
    return (here.index, here.count)


def _spans_processes() -> bool:
    """Returns whether the current strategy is one of all processes."""
    if find_process().count == 1:
        return False
    if keras.config.backend() == "jax":
        return True
    import tensorflow as tf

    return isinstance(tf.distribute.get_strategy(), tf.distribute.MultiWorkerMirroredStrategy)


class SharedSeedGenerator(keras.random.SeedGenerator):
    """A random state whose numbers do not depend on the number of replicas.

    A layer that draws with it trains the same way on one device and on several. Use `uniform` for
    numbers per example; numbers that concern all examples, such as noise on weights, can be drawn
    with `keras.random`.

    Args:
        seed: An integer; `None` draws one from Keras's global seed.
    """

    def uniform(self, rows, width: int):
        """Draws numbers for the examples of a batch.

        They are a function of the seed, of the number of draws before, and of an example's row in
        the batch over all replicas: each replica draws for the whole batch and keeps its rows.

        Args:
            rows: Number of examples, of this replica.
            width: Numbers per example.

        Returns:
            float32 `(rows, width)` in [0, 1), whatever the dtype policy: bfloat16 has only 128
            values between 0.5 and 1.
        """
        replicas, index = 1, None
        if num_replicas() > 1:
            import tensorflow as tf

            context = tf.distribute.get_replica_context()
            if context is not None:
                replicas, index = num_replicas(), context.replica_id_in_sync_group
        drawn = keras.random.uniform((rows * replicas, width), dtype="float32", seed=self)
        if index is None:
            return drawn
        return ops.take(ops.reshape(drawn, (replicas, rows, width)), index, axis=0)


def sum_over_replicas(values: list) -> list:
    """Returns the sums of tensors over the replicas; call it inside one of several replicas."""
    import tensorflow as tf

    return tf.distribute.get_replica_context().all_reduce("SUM", values)


def distribute_dataset(batches):
    """Returns a dataset of this process's batches as the current strategy takes it.

    Args:
        batches: A `tf.data.Dataset`, from `lsk_engine.data.datasets.as_dataset`.
    """
    _, processes = process_shard()
    if num_replicas() == 1 or processes == 1:
        return batches
    import tensorflow as tf

    strategy = tf.distribute.get_strategy()
    local = strategy.num_replicas_in_sync // processes

    def by_replica(*batch):
        parts = tf.nest.map_structure(lambda array: split_rows(array, local), batch)
        return tf.data.Dataset.from_tensor_slices(parts)

    def in_worker(context):
        return batches if local == 1 else batches.flat_map(by_replica)

    return strategy.distribute_datasets_from_function(in_worker)


def split_rows(array, parts: int):
    """Returns a TensorFlow tensor `(rows, ...)` as `(parts, rows / parts, ...)`.

    The other dimensions may be unknown until there is a batch, such as the lengths of sentences.
    """
    import tensorflow as tf

    split = tf.reshape(array, tf.concat([[parts, -1], tf.shape(array)[1:]], 0))
    split.set_shape([parts, None, *array.shape[1:]])
    return split


def read_replica_values(variable) -> np.ndarray:
    """Returns a metric variable's value; with several replicas each one's part, `(replicas, …)`.

    The metric uses their sum, but only the parts allow a resumed sum to continue exactly.

    Args:
        variable: A variable of a Keras metric.
    """
    if num_replicas() == 1:
        return keras.ops.convert_to_numpy(variable)
    local = np.stack([part.numpy() for part in _local_parts(variable)])
    if process_shard()[1] == 1:
        return local
    return gather(local).reshape(num_replicas(), *local.shape[1:])


def assign_replica_values(variable, stored: np.ndarray) -> bool:
    """Assigns what `read_replica_values` returned, with the same or another number of replicas.

    Args:
        variable: A variable of a Keras metric.
        stored: Its stored value.

    Returns:
        Whether the shapes match; if not, nothing is assigned.
    """
    shape, replicas = tuple(variable.shape), num_replicas()
    if stored.shape != shape and stored.shape[1:] != shape:
        return False
    parts = stored if stored.shape[1:] == shape and stored.ndim > len(shape) else stored[None]
    if len(parts) != replicas:  # saved with another number of replicas
        rest = np.zeros((replicas - 1, *shape), stored.dtype)
        parts = np.concatenate([parts.sum(axis=0, dtype=stored.dtype)[None], rest])
    if replicas == 1:
        variable.assign(parts[0])
        return True
    # `variable.assign` would divide by the number of replicas, and round integers.
    local = _local_parts(variable)
    first = process_shard()[0] * len(local)
    for part, value in zip(local, parts[first:], strict=False):
        part.assign(value)
    return True


def _local_parts(variable) -> tuple:
    """Returns the variables of this process's replicas that make up a metric's variable."""
    import tensorflow as tf

    return tf.distribute.get_strategy().experimental_local_results(variable.value)
