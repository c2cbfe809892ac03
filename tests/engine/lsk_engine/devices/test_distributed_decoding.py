"""Two devices find what one finds; `decode_on_devices.py` says it once for all backends."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from decode_on_devices import check_decoding, check_predicting, trained
from lsk_engine.devices.distributed_decoding import make_search
from lsk_translation.model import Translator

SCRIPT = Path(__file__).parents[3] / "support" / "decode_on_devices.py"


@pytest.mark.tensorflow
@pytest.mark.slow
@pytest.mark.parametrize("task", ["translation", "speech"])
def test_two_replicas_decode_what_one_device_does(tmp_path, task):
    check_decoding(task, tmp_path)


@pytest.mark.tensorflow
@pytest.mark.slow
def test_two_replicas_compile_what_each_decodes(tmp_path):
    check_decoding("translation", tmp_path, **{"training.jit_compile": True})


@pytest.mark.tensorflow
@pytest.mark.slow
def test_two_replicas_predict_for_a_function(tmp_path):
    check_predicting(tmp_path)


@pytest.mark.slow
def test_two_devices_of_jax_decode_what_one_does():
    environment = {
        **os.environ,
        "KERAS_BACKEND": "jax",
        "XLA_FLAGS": "--xla_force_host_platform_device_count=2",
        "PYTHONPATH": os.pathsep.join(sys.path),
    }
    done = subprocess.run(
        [sys.executable, str(SCRIPT)], env=environment, capture_output=True, text=True, timeout=400
    )
    assert done.returncode == 0, done.stderr[-3000:]


@pytest.mark.tensorflow
def test_each_device_has_a_whole_batch(tmp_path, monkeypatch):
    """The rows that one device would decode together: shapes, and so sums, are the same."""
    _, _, model, config = trained("translation", tmp_path)
    rows = config.decoding.batch_size
    shapes = []

    def begin(self, source):
        shapes.append(source.shape)
        raise StopIteration

    monkeypatch.setattr(Translator, "begin", begin)
    search = make_search(Translator, model, config, rows + 1)
    assert search.at_once == 2
    with pytest.raises(Exception):  # noqa: B017, PT011 - TensorFlow's own, of what was raised
        search.search_all([5] * (rows + 1), lambda r, size: (r[:, None].repeat(size, 1),), print)
    assert {shape[0] for shape in shapes} == {rows}


@pytest.mark.tensorflow
def test_one_batch_is_left_to_one_device(tmp_path):
    _, _, model, config = trained("translation", tmp_path)
    assert make_search(Translator, model, config, config.decoding.batch_size).at_once == 1
