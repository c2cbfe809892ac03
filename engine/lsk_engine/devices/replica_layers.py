"""What layers have to know of replicas: whose rows a statistic is of, and whose noise is whose."""

import keras

from ls_keras.backend.keras_internals import layers_within, seed_generators
from lsk_engine.devices.replicas import num_replicas

_APART = 104_729  # a prime: seeds of replicas don't meet those of other layers, drawn below 2^20


def fit_layers(model: keras.Model, *, sync_batch_norm: bool) -> keras.Model:
    """Fits the layers of a model to the replicas of the present strategy, and returns it.

    Dropout and augmentation draw for each replica anew: Keras has the same state in all, so that
    each would mask its own rows alike. On JAX there are no replicas to fit to: a batch is one,
    wherever its rows are.

    Args:
        model: A model that was just built.
        sync_batch_norm: Whether BatchNormalization takes its statistics of all replicas' rows.
    """
    if num_replicas() == 1:
        return model
    for layer in layers_within(model):
        if sync_batch_norm and isinstance(layer, keras.layers.BatchNormalization):
            layer.synchronized = True
        for generator in seed_generators(layer):
            _differ(generator)
    return model


def _differ(generator: keras.random.SeedGenerator) -> None:
    """Makes each replica draw other numbers; the generator's state stays that of all."""
    import tensorflow as tf

    if getattr(generator, "of_replica", False):
        return
    drawn = generator.next

    def next_of_replica(ordered: bool = True):
        seed = drawn(ordered)
        context = tf.distribute.get_replica_context()
        if context is None:  # between replicas
            return seed
        index = tf.cast(context.replica_id_in_sync_group, seed.dtype)
        return seed + tf.stack([index * _APART, tf.zeros_like(index)])

    generator.next = next_of_replica
    generator.of_replica = True
