"""The model of communication in docs/scaling_out.md, against a ring gone through step by step."""

import importlib.util
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

ROOT = Path(__file__).parents[1]


@pytest.fixture(scope="module")
def scaling():
    spec = importlib.util.spec_from_file_location("scaling", ROOT / "benchmarks" / "scaling.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def ring(values: np.ndarray, bandwidth: float, latency: float) -> float:
    """Sums the rows of `values`, one a device, in place; returns the seconds that takes."""
    devices, size = values.shape
    parts = values.reshape(devices, devices, -1)  # device × part
    seconds = 0.0
    for gather in (False, True):
        for step in range(devices - 1):
            sent = [parts[i, (i - step + gather) % devices].copy() for i in range(devices)]
            for i in range(devices):
                here, part = (i + 1) % devices, (i - step + gather) % devices
                parts[here, part] = sent[i] + (0 if gather else parts[here, part])
            seconds += latency + values.itemsize * size / devices / bandwidth
    return seconds


@pytest.mark.parametrize("devices", [2, 3, 8])
def test_a_ring_takes_what_the_model_says(scaling, rng, devices):
    values = rng.normal(size=(devices, devices * 5))
    whole = values.sum(axis=0)
    seconds = ring(values, 1e3, 0.25)
    np.testing.assert_allclose(values, np.tile(whole, (devices, 1)))
    found = scaling.ring_seconds(devices, values[0].nbytes, 1e3, 0.25)
    assert found == pytest.approx(seconds)


def test_what_is_hidden_costs_nothing(scaling):
    assert scaling.step_seconds(1.0, 0.4) == 1.4
    assert scaling.step_seconds(1.0, 0.4, overlap=0.5) == 1.0
    assert scaling.ring_seconds(1, 1e9, 1.0, 1.0) == 0


def test_the_page_has_the_models_table():
    told = subprocess.run(
        [sys.executable, str(ROOT / "benchmarks" / "scaling.py"), "--model"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert told.stdout.strip() in (ROOT / "docs" / "scaling_out.md").read_text()
