"""That Keras still needs the mend; the mended fit is one of the rows of `test_equality.py`."""

import os
import subprocess
import sys
from pathlib import Path

import keras
import pytest

from lsk_engine.devices.addresses import TF_CONFIG, tf_config
from lsk_engine.devices.local_workers import free_addresses

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
