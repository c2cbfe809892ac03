import keras
import numpy as np
from keras import ops

from ls_keras.layers import LogProbabilities


def test_logarithms_are_finite_and_others_than_probabilities_give_nan():
    p = np.float32([[0.25, 0.75], [1.0, 0.0], [2.0, 3.0], [1.5, -0.5], [np.nan, 1.0]])
    z = ops.convert_to_numpy(LogProbabilities()(p))
    np.testing.assert_allclose(z[0], np.log(p[0]), rtol=1e-6)
    assert z[1, 0] == 0
    assert -100 < z[1, 1] < -80
    assert np.isnan(z[2:]).all()


def test_in_float32_under_a_mixed_policy_and_from_its_configuration():
    layer = LogProbabilities(name="logs")
    half = keras.Input((4,), dtype="float16")
    assert keras.backend.standardize_dtype(layer(half).dtype) == "float32"
    copy = keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(layer))
    assert copy.get_config() == layer.get_config()
    assert copy.supports_masking
