"""What a model needs to be fitted and evaluated under the present strategy."""

import keras

from lsk_engine.devices.gradient_accumulation import accumulate
from lsk_engine.devices.keras_issue_20585 import mend
from lsk_engine.devices.replicas import num_replicas, process_shard


def made_to_fit(model: keras.Model, *, parts: int = 1, xla: bool = False) -> keras.Model:
    """Fits the steps of a compiled model to the devices, and returns it.

    Its mean loss is that over batches, which the weights are made for (`lsk_engine.data.batches`).

    Args:
        model: The model; it must not have made a step.
        parts: Of each batch, in training: see `lsk_engine.devices.gradient_accumulation`.
        xla: Whether XLA compiles what each of several replicas computes of a step.
    """
    _count_batches_once(model)
    accumulate(model, parts, xla=xla)
    if num_replicas() > 1 and process_shard()[1] > 1:
        mend(model)
    return model


def _count_batches_once(model: keras.Model) -> None:
    """Makes batches count alike in the mean loss: Keras counts rows, which vary with the length."""
    tracker = next(metric for metric in model.metrics if metric.name == "loss")
    update = tracker.update_state
    tracker.update_state = lambda loss, sample_weight=None: update(loss)


def split_rows(array, parts: int):
    """Returns a tensor of TensorFlow `(rows, ...)` as `(parts, rows / parts, ...)`.

    Its other sides may be known only once there is a batch, as the lengths of sentences.
    """
    import tensorflow as tf

    split = tf.reshape(array, tf.concat([[parts, -1], tf.shape(array)[1:]], 0))
    split.set_shape([parts, None, *array.shape[1:]])
    return split


def fed(batches):
    """Returns a data set of this process's batches as the present strategy takes it.

    Args:
        batches: What `lsk_engine.data.datasets.as_dataset` returned.
    """
    _, processes = process_shard()
    if num_replicas() == 1 or processes == 1:
        return batches
    import tensorflow as tf

    strategy = tf.distribute.get_strategy()
    local = strategy.num_replicas_in_sync // processes

    def of_each_replica(*batch):
        parts = tf.nest.map_structure(lambda array: split_rows(array, local), batch)
        return tf.data.Dataset.from_tensor_slices(parts)

    def of_worker(context):
        return batches if local == 1 else batches.flat_map(of_each_replica)

    return strategy.distribute_datasets_from_function(of_worker)
