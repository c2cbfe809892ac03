import keras
import numpy as np
import pytest
from keras import layers

from lsk_engine.devices import strategy
from lsk_engine.devices.loss_scaling import ScalesTogether, scaled
from lsk_engine.devices.precision import precision
from lsk_engine.devices.replica_layers import SharedSeedGenerator, fit_layers

pytestmark = pytest.mark.tensorflow


def on_two(function, rows):
    """Returns what each of two replicas makes of its half of the rows."""
    import tensorflow as tf

    chosen = strategy.choose("mirrored", 2)
    with chosen.scope:
        here = tf.distribute.get_strategy()
        model = function()
        halves = here.experimental_distribute_values_from_function(
            lambda context: tf.constant(np.split(rows, 2)[context.replica_id_in_sync_group])
        )
        made = tf.function(lambda x: here.run(lambda x: model(x, training=True), args=(x,)))
        return [np.asarray(part) for part in here.experimental_local_results(made(halves))]


def test_each_replica_masks_its_rows_otherwise():
    def dropping():
        inputs = keras.Input((64,))
        model = keras.Model(inputs, layers.Dropout(0.5, seed=1)(inputs))
        assert fit_layers(model, sync_batch_norm=False) == ["Dropout"]
        return model

    first, second = on_two(dropping, np.ones((4, 64), "float32"))
    assert 0.2 < (first == 0).mean() < 0.8
    assert not np.array_equal(first, second)
    assert not np.array_equal(first[0], first[1])


class AddsNoise(layers.Layer):
    """Adds numbers that depend on the row of the batch over all replicas."""

    def __init__(self):
        super().__init__()
        self.seed_generator = SharedSeedGenerator(3)

    def call(self, x, training=False):
        return x + self.seed_generator.uniform(keras.ops.shape(x)[0], x.shape[-1])


def test_shared_random_numbers_are_those_of_one_device():
    def noisy():
        inputs = keras.Input((5,))
        model = keras.Model(inputs, AddsNoise()(inputs))
        assert fit_layers(model, sync_batch_norm=False) == []
        return model

    rows = np.zeros((6, 5), "float32")
    found = np.concatenate(on_two(noisy, rows))
    assert len(np.unique(found)) == 30
    np.testing.assert_array_equal(found, np.asarray(noisy()(rows, training=True)))


@pytest.mark.parametrize("sync", [True, False])
def test_batch_normalization_is_of_all_rows_on_request(sync, rng):
    rows = rng.normal(size=(8, 3)).astype("float32")
    rows[4:] += 5

    def normalizing():
        inputs = keras.Input((3,))
        model = keras.Model(inputs, layers.BatchNormalization(epsilon=1e-7)(inputs))
        assert fit_layers(model, sync_batch_norm=sync) == []
        return model

    found = np.concatenate(on_two(normalizing, rows))
    of = rows if sync else rows.reshape(2, 4, 3)
    whole = ((of - of.mean(-2, keepdims=True)) / of.std(-2, keepdims=True)).reshape(8, 3)
    np.testing.assert_allclose(found, whole, atol=1e-5)


def test_one_device_keeps_its_layers():
    dropout = layers.Dropout(0.5)
    inputs = keras.Input((3,))
    fit_layers(keras.Model(inputs, dropout(inputs)), sync_batch_norm=True)
    assert not hasattr(dropout.seed_generator, "of_replica")
    plain = keras.optimizers.SGD(0.1)
    with precision("mixed_float16"):
        assert scaled(plain) is plain


def test_an_overflow_of_one_replica_is_one_of_all():
    """The second replica's gradient is infinite: no weight may hear of it."""
    import tensorflow as tf

    chosen = strategy.choose("mirrored", 2)
    with precision("mixed_float16"), chosen.scope:
        here = tf.distribute.get_strategy()
        weight = keras.Variable([1.0, 2.0])
        optimizer = scaled(keras.optimizers.SGD(1.0))
        assert isinstance(optimizer, ScalesTogether)
        optimizer.build([weight])

        def step(value):
            optimizer.apply([tf.fill([2], value)], [weight])
            return optimizer.dynamic_scale.value * 1

        def run(values):
            each = here.experimental_distribute_values_from_function(
                lambda context: tf.constant(values[context.replica_id_in_sync_group])
            )
            scale = tf.function(lambda value: here.run(step, args=(value,)))(each)
            return float(here.experimental_local_results(scale)[0])

        scale = float(optimizer.initial_scale)
        assert run([1.0, float("inf")]) == scale / 2
        np.testing.assert_array_equal(weight.numpy(), [1.0, 2.0])
        assert run([scale / 2, scale / 2]) == scale / 2
        np.testing.assert_allclose(weight.numpy(), [-1.0, 0.0])
