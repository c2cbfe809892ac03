import numpy as np
import pytest
from keras import ops
from scipy.special import logit

from ls_base.errors import InputError
from ls_keras.layers import ClasswiseMap, LogProbabilities, Temperature, VectorScaling


def test_log_probabilities_are_finite_and_nan_for_invalid_rows():
    p = np.float32([[0.25, 0.75], [1.0, 0.0], [2.0, 3.0], [1.5, -0.5], [np.nan, 1.0]])
    z = ops.convert_to_numpy(LogProbabilities()(p))
    np.testing.assert_allclose(z[0], np.log(p[0]), rtol=1e-6)
    assert z[1, 0] == 0
    assert -100 < z[1, 1] < -80
    assert np.isnan(z[2:]).all()


@pytest.mark.parametrize("temperature", [0.0, -1.0, float("inf"), float("nan")])
def test_temperature_must_be_positive_and_finite(temperature):
    with pytest.raises(InputError, match="above 0"):
        Temperature(temperature)


def test_vector_scaling_keeps_masked_classes():
    layer = VectorScaling()
    z = np.array([[[1.0, 2.0], [-np.inf, 4.0]]], np.float32)
    np.testing.assert_array_equal(ops.convert_to_numpy(layer(z)), z)
    layer.set_weights([np.array([-2.0, 0.5]), np.array([1.0, 0.0])])
    np.testing.assert_allclose(ops.convert_to_numpy(layer(z)), [[[-1.0, 1.0], [-np.inf, 2.0]]])
    assert layer.trainable_weights == []


@pytest.mark.parametrize("size", [1, 2, 7, 8])
def test_steps_of_a_classwise_map_match_searchsorted(size, rng):
    x, y = (np.sort(rng.random((4, size)), axis=-1) for _ in range(2))
    layer = ClasswiseMap(size, "step")
    layer.build((None, 4))
    layer.set_weights([logit(x), y])
    z = rng.normal(size=(50, 4))
    p = np.exp(z) / np.exp(z).sum(-1, keepdims=True)
    at = [np.minimum(np.searchsorted(x[k], p[:, k]), size - 1) for k in range(4)]
    q = np.stack([y[k][at[k]] for k in range(4)], axis=-1)
    found = np.exp(ops.convert_to_numpy(layer(z)))
    np.testing.assert_allclose(found, q / q.sum(-1, keepdims=True), atol=1e-5)


def test_a_classwise_map_to_zero_everywhere_is_uniform():
    layer = ClasswiseMap(2)
    layer.build((None, 3))
    layer.set_weights([np.tile([-np.inf, np.inf], (3, 1)), np.zeros((3, 2))])
    p = np.exp(ops.convert_to_numpy(layer(np.array([[1.0, 2.0, -np.inf]]))))
    np.testing.assert_allclose(p, [[0.5, 0.5, 0.0]], atol=1e-6)
