import keras
import numpy as np
import pytest
from keras import ops

from ls_base.errors import InputError
from ls_keras.layers.temperature import Temperature, VectorScaling


def test_division_in_float32_under_a_mixed_policy():
    layer = Temperature(3.0)
    z = np.array([[3.0, -1.0, 10.0]])
    np.testing.assert_allclose(ops.convert_to_numpy(layer(z)), z / 3, rtol=1e-6)
    inputs = keras.Input((4,))
    dense = keras.layers.Dense(4, dtype="mixed_float16")(inputs)
    assert keras.backend.standardize_dtype(dense.dtype) == "float16"
    assert keras.backend.standardize_dtype(layer(dense).dtype) == "float32"
    assert layer.weights == []


@pytest.mark.parametrize("layer", [Temperature(1.7, name="t"), VectorScaling(name="v")])
def test_config_round_trip(layer):
    copy = keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(layer))
    assert copy.get_config() == layer.get_config()
    assert copy.supports_masking


@pytest.mark.parametrize("temperature", [0.0, -1.0, float("inf"), float("nan")])
def test_bad_temperatures(temperature):
    with pytest.raises(InputError, match="above 0"):
        Temperature(temperature)


def test_vector_scaling():
    layer = VectorScaling()
    z = np.array([[[1.0, 2.0], [-np.inf, 4.0]]], np.float32)
    np.testing.assert_array_equal(ops.convert_to_numpy(layer(z)), z)
    layer.set_weights([np.array([-2.0, 0.5]), np.array([1.0, 0.0])])
    np.testing.assert_allclose(ops.convert_to_numpy(layer(z)), [[[-1.0, 1.0], [-np.inf, 2.0]]])
    assert layer.trainable_weights == []
    assert layer.compute_output_shape((None, 2)) == (None, 2)
