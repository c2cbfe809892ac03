"""Each patch, and that Keras still has the defect that it is for."""

import os
import subprocess
import sys
from pathlib import Path

import keras
import numpy as np
import pytest
from keras import layers

from ls_keras import SmoothedCE
from lsk_engine.data.datasets import as_dataset, training_source
from lsk_engine.devices import strategy
from lsk_engine.devices.keras_patches import (
    SyncedLossScaleOptimizer,
    patch_for_strategy,
    patch_layers,
)
from lsk_engine.devices.local_workers import free_addresses
from lsk_engine.devices.precision import precision, with_loss_scaling
from lsk_engine.devices.process_env import TF_CONFIG, tf_config
from lsk_engine.devices.replicas import SharedSeedGenerator
from lsk_engine.settings.resolving import resolve_config
from tiny_task import TinyTask

SCRIPT = Path(__file__).parents[3] / "support" / "stock_multi_worker.py"
tensorflow = pytest.mark.tensorflow


@tensorflow
@pytest.mark.slow
def test_keras_without_patch_fails_with_several_workers():
    """`test_equality.py` trains with the patch, which sets `Model._maybe_symbolic_build`."""
    addresses = free_addresses(2)
    processes = [
        subprocess.Popen(
            [sys.executable, str(SCRIPT)],
            env={**os.environ, TF_CONFIG: tf_config(addresses, index)},
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        for index in range(2)
    ]
    try:
        outputs = [process.communicate(timeout=300)[0] for process in processes]
    finally:
        for process in processes:
            process.kill()
            process.wait()
    assert all(text.startswith("failed: ValueError") for text in outputs), (
        f"Keras {keras.__version__} fits with several workers ({outputs}): "
        "_apply_keras_20585_fix in lsk_engine/devices/keras_patches.py can go"
    )


@tensorflow
def test_the_private_names_that_the_patch_assigns_exist():
    assert callable(keras.Model._maybe_symbolic_build)


@pytest.mark.jax
@pytest.mark.parametrize("parts", [None, 1, 2])
def test_the_loss_of_an_epoch_is_the_mean_over_its_steps(parts):
    """For any number of rows in a batch; `None`: without the patch it is not."""
    task = TinyTask()
    settings = {
        "training.tokens_per_batch": 8,
        "training.max_length_buckets": 3,
        "training.gradient_accumulation_steps": parts or 1,
    }
    config = resolve_config(task, None, {"model.dropout": 0.0, **settings})
    data = task.load_data(config)
    source, model = training_source(config, data), task.build_model(config, data)
    assert source.rows_vary
    loss = SmoothedCE(0.1, from_logits=True, ignore_class=data.ignore_class, reduction="sum")
    model.compile(keras.optimizers.SGD(0.0), loss, jit_compile=False)
    if parts is not None:
        patch_for_strategy(model, parts=parts)
    steps = source.steps_per_epoch
    history = model.fit(as_dataset(source, 0, steps), shuffle=False, verbose=0).history
    batches = [source.batch(step) for step in range(steps)]
    losses = [float(loss(b.labels, model(b.inputs), b.sample_weight)) for b in batches]
    is_mean = history["loss"][-1] == pytest.approx(np.mean(losses), rel=1e-5)
    assert is_mean == (parts is not None)


def call_on_two_replicas(build, rows):
    """Returns the output of each of two replicas for its half of the rows."""
    import tensorflow as tf

    with strategy.choose_strategy("mirrored", 2).scope:
        here = tf.distribute.get_strategy()
        model = build()
        halves = here.experimental_distribute_values_from_function(
            lambda context: tf.constant(np.split(rows, 2)[context.replica_id_in_sync_group])
        )
        call = tf.function(lambda x: here.run(lambda x: model(x, training=True), args=(x,)))
        return [np.asarray(part) for part in here.experimental_local_results(call(halves))]


@tensorflow
@pytest.mark.parametrize("patched", [True, False])
def test_replicas_draw_different_dropout_masks(patched):
    def build():
        inputs = keras.Input((64,))
        model = keras.Model(inputs, layers.Dropout(0.5, seed=1)(inputs))
        if patched:
            assert patch_layers(model, sync_batch_norm=False) == ["Dropout"]
        return model

    first, second = call_on_two_replicas(build, np.ones((4, 64), "float32"))
    assert 0.2 < (first == 0).mean() < 0.8
    assert np.array_equal(first, second) != patched
    assert not np.array_equal(first[0], first[1])


class AddsNoise(layers.Layer):
    """Adds numbers that depend on the row of the batch over all replicas."""

    def __init__(self):
        super().__init__()
        self.seed_generator = SharedSeedGenerator(3)

    def call(self, x, training=False):
        return x + self.seed_generator.uniform(keras.ops.shape(x)[0], x.shape[-1])


@tensorflow
def test_shared_random_numbers_are_those_of_one_device():
    def build():
        inputs = keras.Input((5,))
        model = keras.Model(inputs, AddsNoise()(inputs))
        assert patch_layers(model, sync_batch_norm=False) == []
        return model

    rows = np.zeros((6, 5), "float32")
    outputs = np.concatenate(call_on_two_replicas(build, rows))
    assert len(np.unique(outputs)) == 30
    np.testing.assert_array_equal(outputs, np.asarray(build()(rows, training=True)))


@tensorflow
@pytest.mark.parametrize("sync", [True, False])
def test_batch_normalization_uses_the_rows_of_all_replicas_on_request(sync, rng):
    rows = rng.normal(size=(8, 3)).astype("float32")
    rows[4:] += 5

    def build():
        inputs = keras.Input((3,))
        model = keras.Model(inputs, layers.BatchNormalization(epsilon=1e-7)(inputs))
        assert patch_layers(model, sync_batch_norm=sync) == []
        return model

    outputs = np.concatenate(call_on_two_replicas(build, rows))
    groups = rows if sync else rows.reshape(2, 4, 3)
    expected = (groups - groups.mean(-2, keepdims=True)) / groups.std(-2, keepdims=True)
    np.testing.assert_allclose(outputs, expected.reshape(8, 3), atol=1e-5)


@tensorflow
def test_one_device_needs_no_patch_of_layers_and_optimizer():
    dropout = layers.Dropout(0.5)
    inputs = keras.Input((3,))
    patch_layers(keras.Model(inputs, dropout(inputs)), sync_batch_norm=True)
    assert not hasattr(dropout.seed_generator, "differs_by_replica")
    optimizer = keras.optimizers.SGD(0.1)
    with precision("mixed_float16"):
        assert with_loss_scaling(optimizer) is optimizer


@tensorflow
@pytest.mark.parametrize("patched", [True, False])
def test_an_overflow_in_the_second_replica_skips_the_step_of_all(patched):
    import tensorflow as tf

    with precision("mixed_float16"), strategy.choose_strategy("mirrored", 2).scope:
        here = tf.distribute.get_strategy()
        weight = keras.Variable([1.0, 2.0])
        optimizer = with_loss_scaling(keras.optimizers.SGD(1.0))
        assert isinstance(optimizer, SyncedLossScaleOptimizer)
        if not patched:
            optimizer = keras.optimizers.LossScaleOptimizer(keras.optimizers.SGD(1.0))
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
        halved = run([1.0, float("inf")]) == scale / 2
        assert (halved and np.array_equal(weight.numpy(), [1.0, 2.0])) == patched
        if patched:
            assert run([scale / 2, scale / 2]) == scale / 2
            np.testing.assert_allclose(weight.numpy(), [-1.0, 0.0])
