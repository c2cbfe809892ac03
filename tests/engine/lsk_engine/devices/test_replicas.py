import json

import keras
import numpy as np
import pytest

from lsk_engine.devices import replicas, strategy
from lsk_engine.devices.process_env import TF_CONFIG
from lsk_engine.devices.replicas import (
    assign_replica_values,
    num_shards,
    process_shard,
    read_replica_values,
)

pytestmark = pytest.mark.tensorflow


def test_a_command_without_distributed_strategy_does_not_wait_for_other_processes(monkeypatch):
    """Such as `lsk evaluate` when a scheduler has set TF_CONFIG."""
    config = {"cluster": {"worker": ["a:1", "b:1"]}, "task": {"type": "worker", "index": 1}}
    monkeypatch.setenv(TF_CONFIG, json.dumps(config))
    monkeypatch.setattr(replicas, "join", lambda: pytest.fail("joined"))
    assert process_shard() == (0, 1)


@pytest.mark.parametrize("dtype", ["float32", "int32"])
def test_sums_of_replicas_are_restored_exactly(dtype):
    import tensorflow as tf

    with strategy.choose_strategy("mirrored", 2).scope:
        here = tf.distribute.get_strategy()
        assert num_shards() == 2
        counter = keras.metrics.Metric(name="m").add_variable((), "zeros", dtype)

        def count():
            index = tf.distribute.get_replica_context().replica_id_in_sync_group
            counter.assign_add(tf.cast(5 + 2 * index, dtype))

        here.run(count)
        assert read_replica_values(counter).tolist() == [5, 7]
        assert assign_replica_values(counter, np.array([4, 9], dtype))
        assert read_replica_values(counter).tolist() == [4, 9]
        assert int(keras.ops.convert_to_numpy(counter)) == 13
        # Saved by one device, or by three.
        for stored in (np.array(13, dtype), np.array([6, 6, 1], dtype)):
            assert assign_replica_values(counter, stored)
            assert read_replica_values(counter).tolist() == [13, 0]
        assert not assign_replica_values(counter, np.zeros((2, 3), dtype))


def test_one_device_restores_the_sums_of_several_replicas():
    counter = keras.metrics.Metric(name="m").add_variable((), "zeros")
    assert assign_replica_values(counter, np.array([4.0, 9.0], "float32"))
    assert read_replica_values(counter) == 13
    assert assign_replica_values(counter, np.array(2.0, "float32"))
    assert read_replica_values(counter) == 2
