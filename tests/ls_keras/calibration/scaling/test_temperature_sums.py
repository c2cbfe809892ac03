import sys

import numpy as np
import pytest
from scipy.special import log_softmax, softmax

from ls_keras.calibration.scaling.temperature_sums import tempered_sums
from ls_keras.inputs.numpy_examples import read_host_examples

MODULES = ("inputs.numpy_examples", "calibration.scaling.temperature_sums")
PIECES = (("_BLOCK", 97 * 11), ("CHUNK", 640 * 11))


def test_derivatives_are_those_of_the_loss():
    rng = np.random.default_rng(0)
    z = rng.standard_normal((300, 7)) * 4
    y, w = rng.integers(0, 7, 300), rng.random(300)
    examples = read_host_examples(y, z, sample_weight=w, from_logits=True)
    w = w.astype(np.float32).astype(np.float64)  # as weights are read
    betas = np.array([0.05, 0.7, 3.0])
    sums = tempered_sums(examples, betas)
    for b, beta in enumerate(betas):
        p = softmax(beta * z, -1)
        at = z[np.arange(300), y]
        mean = (p * z).sum(-1)
        variance = (p * z**2).sum(-1) - mean**2
        loss = -(w * log_softmax(beta * z, -1)[np.arange(300), y]).sum()
        assert sums.loss[b] == pytest.approx(loss, rel=1e-12)
        assert sums.slope[b] == pytest.approx((w * (mean - at)).sum(), rel=1e-10)
        assert sums.curvature[b] == pytest.approx((w * variance).sum(), rel=1e-9)
    assert sums.weight == pytest.approx(w.sum())


def test_many_chunks_blocks_and_temperatures_at_once_are_those_one_by_one(monkeypatch):
    rng = np.random.default_rng(0)
    z = rng.standard_normal((5_000, 11)).astype(np.float32)
    y = rng.integers(0, 11, 5_000)
    examples = read_host_examples(y, z, mask=rng.random(5_000) < 0.9, from_logits=True)
    whole = tempered_sums(examples, [0.3, 1.0, 5.0])
    modules = (sys.modules[f"ls_keras.{name}"] for name in MODULES)
    for module, (name, value) in zip(modules, PIECES, strict=True):
        monkeypatch.setattr(module, name, value)
    for b, beta in enumerate([0.3, 1.0, 5.0]):
        one = tempered_sums(examples, [beta])
        for name in ("loss", "slope", "curvature", "bins"):
            np.testing.assert_allclose(
                getattr(one, name)[0], getattr(whole, name)[b], rtol=1e-6, atol=1e-9
            )


def test_confidences_on_an_edge_fall_into_the_bin_below():
    # Four equal logits: confidence 1/4, the edge of bins 1 and 2 of four.
    examples = read_host_examples(np.array([0, 1]), np.zeros((2, 4), np.float32), from_logits=True)
    bins = tempered_sums(examples, [1.0], num_bins=4).bins[0]
    np.testing.assert_array_equal(bins[0], [2, 0, 0, 0])
    np.testing.assert_array_equal(bins[2], [1, 0, 0, 0])
