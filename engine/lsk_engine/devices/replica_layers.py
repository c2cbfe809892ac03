"""Adapts layers to several replicas: random numbers and BatchNormalization statistics."""

import keras
from keras import ops

from ls_keras.backend.keras_internals import layers_within, seed_generators
from lsk_engine.devices.replicas import num_replicas

_APART = 104_729  # a prime: seeds of replicas don't meet those of other layers, drawn below 2^20


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


def fit_layers(model: keras.Model, *, sync_batch_norm: bool) -> list[str]:
    """Adapts the layers of a new model to the replicas of the current strategy.

    Keras gives dropout the same random state on all replicas, so each would mask its rows alike;
    here every replica draws other numbers, except from a `SharedSeedGenerator`. On JAX there is
    nothing to do: all devices see one batch.

    Args:
        model: A model that was just built; it is changed.
        sync_batch_norm: Whether BatchNormalization computes its statistics over all replicas.

    Returns:
        The classes of layers whose random numbers depend on the number of replicas, sorted.
    """
    varying: set[str] = set()
    if num_replicas() == 1:
        return []
    for layer in layers_within(model):
        if sync_batch_norm and isinstance(layer, keras.layers.BatchNormalization):
            layer.synchronized = True
        for generator in seed_generators(layer):
            if not isinstance(generator, SharedSeedGenerator):
                _differ(generator)
                # An LSTM without dropout has a generator that it never uses.
                if getattr(layer, "dropout", 1) or getattr(layer, "recurrent_dropout", 0):
                    varying.add(type(layer).__name__)
    return sorted(varying)


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
