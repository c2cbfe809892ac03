"""That Keras still needs the mend; the mended fit is one of the rows of `test_equality.py`."""

import os
import subprocess
import sys
from pathlib import Path

import keras
import numpy as np
import pytest

from lsk_engine.devices.fit_patches import split_rows
from lsk_engine.devices.local_workers import free_addresses
from lsk_engine.devices.process_env import TF_CONFIG, tf_config

SCRIPT = Path(__file__).parents[3] / "support" / "stock_multi_worker.py"


@pytest.mark.tensorflow
@pytest.mark.slow
def test_keras_still_fails_with_several_workers():
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
        said = [process.communicate(timeout=300)[0] for process in processes]
    finally:
        for process in processes:
            process.kill()
            process.wait()
    assert all(text.startswith("failed: ValueError") for text in said), (
        f"Keras {keras.__version__} fits with several workers ({said}): "
        "lsk_engine/devices/multi_worker_fit.py can go"
    )


@pytest.mark.tensorflow
def test_batches_of_any_length_are_split_among_a_process_s_devices():
    import tensorflow as tf

    ragged = tf.data.Dataset.from_generator(
        lambda: (np.arange(8 * size).reshape(4, size, 2) for size in (3, 5)),
        output_signature=tf.TensorSpec((4, None, 2), tf.int64),
    )
    parts = ragged.map(lambda batch: split_rows(batch, 2))
    assert parts.element_spec.shape.as_list() == [2, None, None, 2]
    for batch, whole in zip(parts, ragged, strict=True):
        np.testing.assert_array_equal(np.concatenate(batch), whole)
