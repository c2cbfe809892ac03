import numpy as np
import pytest
from scipy.optimize import approx_fprime

from ls_keras.calibration.scaling import affine
from ls_keras.inputs.numpy_examples import read_host_examples


@pytest.mark.parametrize("dense", [False, True])
def test_gradients_are_those_of_finite_differences(rng, dense, monkeypatch):
    monkeypatch.setattr(affine, "CHUNK", 60)
    z, y = 3 * rng.normal(size=(50, 4)), rng.integers(0, 4, 50)
    z[y != 1, 1] = np.where(rng.random((y != 1).sum()) < 0.3, -np.inf, z[y != 1, 1])
    target = np.eye(4)[y] * 1.5 if dense else y
    weights = rng.random(50) * (np.arange(50) % 5 > 0)
    examples = read_host_examples(target, z, from_logits=True, sample_weight=weights)
    scaling = affine.AffineMap(
        np.copy,
        lambda flat, x: x * flat[:4] + flat[4:],
        lambda g, x: np.concatenate([(g * x).sum(0), g.sum(0)]),
        lambda flat: (0.0, 0.0),
    )
    at = rng.normal(size=8)
    _, gradient = affine._mean_nll(examples, scaling, at)
    expected = approx_fprime(at, lambda x: affine._mean_nll(examples, scaling, x)[0], 1e-7)
    np.testing.assert_allclose(gradient, expected, atol=1e-5)
