import json

import keras
import numpy as np
import pytest

from lsk_engine.devices import replicas, strategy
from lsk_engine.devices.process_env import TF_CONFIG
from lsk_engine.devices.replicas import assign_parts, num_shards, parts_of, process_shard

pytestmark = pytest.mark.tensorflow


def test_a_command_that_shares_nothing_waits_for_nobody(monkeypatch):
    """As `lsk evaluate` where a scheduler has set TF_CONFIG."""
    said = {"cluster": {"worker": ["a:1", "b:1"]}, "task": {"type": "worker", "index": 1}}
    monkeypatch.setenv(TF_CONFIG, json.dumps(said))
    monkeypatch.setattr(replicas, "join", lambda: pytest.fail("joined"))
    assert process_shard() == (0, 1)


@pytest.mark.parametrize("dtype", ["float32", "int32"])
def test_parts_of_a_sum_go_on_where_they_were(dtype):
    import tensorflow as tf

    with strategy.choose("mirrored", 2).scope:
        here = tf.distribute.get_strategy()
        assert num_shards() == 2
        counter = keras.metrics.Metric(name="m").add_variable((), "zeros", dtype)

        def count():
            index = tf.distribute.get_replica_context().replica_id_in_sync_group
            counter.assign_add(tf.cast(5 + 2 * index, dtype))

        here.run(count)
        assert parts_of(counter).tolist() == [5, 7]
        assert assign_parts(counter, np.array([4, 9], dtype))
        assert parts_of(counter).tolist() == [4, 9]
        assert int(keras.ops.convert_to_numpy(counter)) == 13
        # What one device, or three, have saved.
        for stored in (np.array(13, dtype), np.array([6, 6, 1], dtype)):
            assert assign_parts(counter, stored)
            assert parts_of(counter).tolist() == [13, 0]
        assert not assign_parts(counter, np.zeros((2, 3), dtype))


def test_one_device_goes_on_from_the_parts_of_several():
    counter = keras.metrics.Metric(name="m").add_variable((), "zeros")
    assert assign_parts(counter, np.array([4.0, 9.0], "float32"))
    assert parts_of(counter) == 13
    assert assign_parts(counter, np.array(2.0, "float32"))
    assert parts_of(counter) == 2
