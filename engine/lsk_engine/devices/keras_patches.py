"""Patches of Keras defects that affect training on several devices.

All are needed up to Keras 3.15.1; `tests/engine/lsk_engine/devices/test_keras_patches.py` fails for
a Keras that no longer has one of the defects.

- **`fit` under `MultiWorkerMirroredStrategy` fails** (keras#20585, open): `_apply_keras_20585_fix`.
  Remove it with the release that closes the issue.
- **The mean loss of an epoch weighs batches by their rows**, which vary with the lengths of
  examples: `_average_loss_over_batches`. Remove it when `compile` takes the weight of a batch.
- **All replicas share the state of a `SeedGenerator`**, so that they drop out the same units:
  `_draw_per_replica`. Remove it when replicas draw different numbers.
- **`LossScaleOptimizer` checks the first replica's gradients only**: `SyncedLossScaleOptimizer`.
  Remove it when Keras checks the summed gradients.
"""

import keras

from ls_keras.backend.keras_internals import build_from_batch, layers_within, seed_generators
from lsk_engine.devices.gradient_accumulation import accumulate_gradients
from lsk_engine.devices.replicas import (
    SharedSeedGenerator,
    num_replicas,
    process_shard,
    sum_over_replicas,
)

# A prime: seeds of replicas do not coincide with those of other layers, which are below 2^20.
_SEED_STEP = 104_729


def patch_for_strategy(model: keras.Model, *, parts: int = 1, xla: bool = False) -> keras.Model:
    """Prepares a compiled model's steps for the current strategy, and returns the model.

    Args:
        model: A compiled model that has not made a step.
        parts: Number of parts of each training batch, see `gradient_accumulation`.
        xla: Whether XLA compiles each replica's part of a step.
    """
    _average_loss_over_batches(model)
    accumulate_gradients(model, parts, xla=xla)
    if num_replicas() > 1 and process_shard()[1] > 1:
        _apply_keras_20585_fix(model)
    return model


def patch_layers(model: keras.Model, *, sync_batch_norm: bool) -> list[str]:
    """Prepares a new model's layers for the replicas of the current strategy.

    Random layers such as dropout draw different numbers in each replica, except with a
    `SharedSeedGenerator`. JAX needs nothing: there a batch is one array, wherever its rows are.

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
                _draw_per_replica(generator)
                # An LSTM without dropout has a generator that it never uses.
                if getattr(layer, "dropout", 1) or getattr(layer, "recurrent_dropout", 0):
                    varying.add(type(layer).__name__)
    return sorted(varying)


class SyncedLossScaleOptimizer(keras.optimizers.LossScaleOptimizer):
    """A `LossScaleOptimizer` that skips a step in all replicas if any has non-finite gradients.

    Keras checks the first replica's gradients only, as if they were summed already: an overflow in
    another replica would put infinity into the weights.
    """

    def check_finite(self, grads):
        """Returns whether the gradients of all replicas are finite."""
        finite = super().check_finite(grads)
        (failures,) = sum_over_replicas([1.0 - keras.ops.cast(finite, "float32")])
        return keras.ops.equal(failures, 0.0)


def _average_loss_over_batches(model: keras.Model) -> None:
    """Gives each batch the same weight in the epoch's loss, as `lsk_engine.data.batches` needs."""
    tracker = next(metric for metric in model.metrics if metric.name == "loss")
    update = tracker.update_state
    tracker.update_state = lambda loss, sample_weight=None: update(loss)


def _draw_per_replica(generator: keras.random.SeedGenerator) -> None:
    """Makes a generator draw another seed in each replica; its state stays common to all."""
    import tensorflow as tf

    if getattr(generator, "differs_by_replica", False):
        return
    draw = generator.next

    def draw_in_replica(ordered: bool = True):
        seed = draw(ordered)
        context = tf.distribute.get_replica_context()
        if context is None:  # outside of replicas
            return seed
        index = tf.cast(context.replica_id_in_sync_group, seed.dtype)
        return seed + tf.stack([index * _SEED_STEP, tf.zeros_like(index)])

    generator.next = draw_in_replica
    generator.differs_by_replica = True


def _apply_keras_20585_fix(model: keras.Model) -> None:
    """Lets `fit` and `evaluate` run under `MultiWorkerMirroredStrategy` (keras#20585).

    Keras averages the first batch over replicas to learn its shapes, which fails because a worker
    does not have the others' rows; and it averages logs over an axis that scalars do not have. Here
    the first batch is this worker's own, and logs get an axis.
    """
    import tensorflow as tf

    strategy = tf.distribute.get_strategy()

    def with_axis(step):
        def step_with_axis(data):
            logs = step(data)
            return keras.tree.map_structure(lambda value: keras.ops.expand_dims(value, 0), logs)

        return step_with_axis

    def build(iterator=None, data_batch=None):
        if iterator is not None:
            _, _, batches = next(iter(iterator))
            data_batch = keras.tree.map_structure(
                lambda value: strategy.experimental_local_results(value)[0], next(batches)
            )
        with strategy.scope():
            build_from_batch(model, data_batch)

    model.train_step = with_axis(model.train_step)
    model.test_step = with_axis(model.test_step)
    model._maybe_symbolic_build = build
