import threading
import time

import keras
import numpy as np
import pytest

from lsk_engine.data.batches import BatchSource
from lsk_engine.data.datasets import as_dataset
from lsk_engine.tasks.contract import Examples

pytestmark = pytest.mark.jax


class Slow(Examples):
    """Examples whose first batches take longest, and that count who gathers at a time."""

    def __init__(self, workers):
        self.workers, self.most, self._now = workers, 0, 0
        self._lock = threading.Lock()

    def __len__(self):
        return 24

    def gather(self, rows, size):
        with self._lock:
            self._now += 1
            self.most = max(self.most, self._now)
        time.sleep(0.05 if rows.min() < 9 else 0.01)
        with self._lock:
            self._now -= 1
        return {"x": rows[:, None].astype(np.float32)}, rows % 2


@pytest.mark.parametrize("workers", [1, 3])
def test_however_many_are_gathered_at_a_time_the_order_stays(workers):
    examples = Slow(workers)
    source = BatchSource(examples, 3)
    x = keras.Input((1,), name="x")
    model = keras.Model({"x": x}, keras.layers.Identity()(x))
    found = model.predict(as_dataset(source, 0, source.steps_per_epoch), verbose=0)
    assert found[:, 0].tolist() == list(range(24))
    assert examples.most == 1 if workers == 1 else 1 < examples.most <= workers
