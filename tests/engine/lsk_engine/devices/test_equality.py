"""What one device learns, others learn: rows of the table in docs/scaling_out.md, by processes."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from lsk_engine.devices.local_workers import free_addresses
from lsk_engine.devices.process_env import ADDRESSES, COUNT, INDEX, TF_CONFIG, tf_config
from lsk_engine.runs.run_directory import RunDirectory

pytestmark = [pytest.mark.tensorflow, pytest.mark.slow]

SCRIPT = Path(__file__).parents[3] / "support" / "train_on_replicas.py"
_ALL = ("plain", "fp16", "batch_norm", "accumulated", "xla")
CASES = {"tensorflow": _ALL, "jax": _ALL[:-1]}  # JAX always compiles
# Those with a comma between them share a process, which takes 4 s to start.
WAYS = {
    "tensorflow": ("one-device,mirrored", "processes"),
    "jax": ("one-device,data-parallel", "processes"),
}
# On JAX a device sums the gradients of its rows in 16 bits, before they are summed over devices.
OF_16_BITS = {("jax", "fp16"): 1e-3}


def environments(backend: str, ways: str) -> list[dict[str, str]]:
    """Returns the environment of each process."""
    usual = {**os.environ, "KERAS_BACKEND": backend, "PYTHONPATH": os.pathsep.join(sys.path)}
    if ways != "processes":
        return [{**usual, "XLA_FLAGS": "--xla_force_host_platform_device_count=2"}]
    addresses = free_addresses(2)
    return [
        {
            **usual,
            TF_CONFIG: tf_config(addresses, index),
            ADDRESSES: addresses[0],
            COUNT: "2",
            INDEX: str(index),
        }
        for index in range(2)
    ]


def train(backend: str, ways: str, folder: Path, *case: str) -> list[tuple[int, str]]:
    """Trains, and returns each process's exit code and what it said."""
    processes = [
        subprocess.Popen(
            [sys.executable, str(SCRIPT), ways, str(folder), *case],
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        for environment in environments(backend, ways)
    ]
    try:
        said = [process.communicate(timeout=400)[0] for process in processes]
    finally:
        for process in processes:
            process.kill()
            process.wait()
    return [(process.returncode, text) for process, text in zip(processes, said, strict=True)]


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """Trains all cases of a backend in some ways, once; returns the folder of their runs."""
    folders: dict[tuple[str, str], Path] = {}

    def once(backend: str, how: str) -> Path:
        (ways,) = (one for one in WAYS[backend] if how in one.split(","))
        if (backend, ways) not in folders:
            folder = tmp_path_factory.mktemp(f"{backend}-{how}")
            for code, said in train(backend, ways, folder, *CASES[backend]):
                assert code == 0, said
            folders[backend, ways] = folder
        return folders[backend, ways] / how

    return once


@pytest.mark.parametrize(
    ("backend", "how", "case"),
    [
        (backend, how, case)
        for backend, ways in WAYS.items()
        for how in ",".join(ways).split(",")[1:]
        for case in CASES[backend]
    ],
    ids=lambda value: value,
)
def test_two_learn_what_one_does(trained, backend, how, case):
    """Ragged batches included: the weights carry the global denominator."""
    tolerance = OF_16_BITS.get((backend, case), 1e-6)
    one, two = (RunDirectory.open(trained(backend, way) / case) for way in ("one-device", how))
    models = [run.load_model() for run in (one, two)]
    for a, b in zip(*(model.get_weights() for model in models), strict=True):
        np.testing.assert_allclose(a, b, rtol=0, atol=tolerance)
    assert len(one.read_history()) > 1
    assert one.read_history()[-1]["validation"]
    for a, b in zip(one.read_history(), two.read_history(), strict=True):
        for split in ("train", "validation"):
            for name in a[split]:
                assert a[split][name] == pytest.approx(b[split][name], rel=10 * tolerance), (
                    split,
                    name,
                )
    # What is scored is the saved model, which is held above to be the same: once is enough.
    assert one.metrics_file.is_file() == two.metrics_file.is_file() == (case == "plain")
    if case != "plain":
        return
    validated = one.read_history()[-1]["validation"]["loss"]  # in buckets of unequal rows
    assert validated == pytest.approx(one.read_metrics().splits["validation"]["loss"], rel=1e-5)
    scores = [json.loads(run.metrics_file.read_text()) for run in (one, two)]
    for split in ("validation", "test"):
        for name, value in scores[0][split].items():
            near = pytest.approx(value, rel=10 * tolerance, abs=tolerance)
            assert scores[1][split][name] == near, name
