"""What one device learns, others learn: rows of the table in docs/scaling_out.md, by processes."""

import json
import os
import socket
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from lsk_engine.devices.addresses import ADDRESSES, COUNT, INDEX, TF_CONFIG, tf_config
from lsk_engine.runs.run_directory import RunDirectory

pytestmark = [pytest.mark.tensorflow, pytest.mark.slow]

SCRIPT = Path(__file__).parents[3] / "support" / "train_on_replicas.py"
CASES = ("plain", "fp16", "batch_norm", "accumulated")
# On JAX a device sums the gradients of its rows in 16 bits, before they are summed over devices.
OF_16_BITS = {("jax", "fp16"): 1e-3}


def free_ports(count: int) -> list[int]:
    sockets = [socket.socket() for _ in range(count)]
    for one in sockets:
        one.bind(("127.0.0.1", 0))
    ports = [one.getsockname()[1] for one in sockets]
    for one in sockets:
        one.close()
    return ports


def environments(backend: str, how: str) -> list[dict[str, str]]:
    """Returns the environment of each process."""
    usual = {**os.environ, "KERAS_BACKEND": backend, "PYTHONPATH": os.pathsep.join(sys.path)}
    if how == "data-parallel":
        usual["XLA_FLAGS"] = "--xla_force_host_platform_device_count=2"
    if how != "processes":
        return [usual]
    addresses = [f"127.0.0.1:{port}" for port in free_ports(2)]
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


def train(backend: str, how: str, folder: Path, *case: str) -> list[tuple[int, str]]:
    """Trains, and returns each process's exit code and what it said."""
    processes = [
        subprocess.Popen(
            [sys.executable, str(SCRIPT), how, str(folder), *case],
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        for environment in environments(backend, how)
    ]
    try:
        said = [process.communicate(timeout=400)[0] for process in processes]
    finally:
        for process in processes:
            process.kill()
            process.wait()
    return [(process.returncode, text) for process, text in zip(processes, said, strict=True)]


def run_of(folder: Path) -> RunDirectory:
    return RunDirectory.open(folder)


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """Trains all cases of a backend in a way, once; returns the folder of their runs."""
    folders: dict[tuple[str, str], Path] = {}

    def once(backend: str, how: str) -> Path:
        if (backend, how) not in folders:
            folder = tmp_path_factory.mktemp(f"{backend}-{how}")
            # What a part's gradient is, replicas of one process show: workers are slow to start.
            cases = CASES[:-1] if how == "processes" else ()
            for code, said in train(backend, how, folder, *cases):
                assert code == 0, said
            folders[backend, how] = folder
        return folders[backend, how]

    return once


@pytest.mark.parametrize(
    ("backend", "how", "case"),
    [
        (backend, how, case)
        for backend, how in (
            ("tensorflow", "mirrored"),
            ("tensorflow", "processes"),
            ("jax", "data-parallel"),
            ("jax", "processes"),
        )
        for case in (CASES[:-1] if how == "processes" else CASES)
    ],
    ids=lambda value: value,
)
def test_two_learn_what_one_does(trained, backend, how, case):
    """Ragged batches included: the weights carry the global denominator."""
    tolerance = OF_16_BITS.get((backend, case), 1e-6)
    one, two = (run_of(trained(backend, name) / case) for name in ("one-device", how))
    models = [run.load_model() for run in (one, two)]
    for a, b in zip(*(model.get_weights() for model in models), strict=True):
        np.testing.assert_allclose(a, b, rtol=0, atol=tolerance)
    assert len(one.read_history()) > 1
    for a, b in zip(one.read_history(), two.read_history(), strict=True):
        for split in ("train", "validation"):
            for name in a[split]:
                assert a[split][name] == pytest.approx(b[split][name], rel=10 * tolerance), (
                    split,
                    name,
                )
    scores = [json.loads(run.metrics_file.read_text()) for run in (one, two)]
    for split in ("validation", "test"):
        for name, value in scores[0][split].items():
            near = pytest.approx(value, rel=10 * tolerance, abs=tolerance)
            assert scores[1][split][name] == near, name
