import keras
import numpy as np
import pytest

from lsk_image.networks.alexnet import LocalResponseNormalization, alexnet


@pytest.fixture
def x(rng):
    return rng.normal(0, 20, (2, 3, 3, 12)).astype("float32")


@pytest.mark.tensorflow
def test_normalization_is_that_of_tensorflow(x):
    import tensorflow as tf

    options = {"bias": 1.5, "alpha": 0.01, "beta": 0.6}
    ours = LocalResponseNormalization(2, **options)(x)
    theirs = tf.nn.local_response_normalization(x, depth_radius=2, **options)
    np.testing.assert_allclose(ours, theirs, rtol=1e-5)


@pytest.mark.peers
def test_normalization_is_that_of_pytorch_but_for_its_mean(x):
    import torch

    theirs = torch.nn.LocalResponseNorm(size=9, alpha=9 * 0.01, beta=0.75, k=1.0)
    expected = theirs(torch.tensor(np.moveaxis(x, -1, 1))).numpy()
    ours = np.asarray(LocalResponseNormalization(4, alpha=0.01)(x))
    np.testing.assert_allclose(np.moveaxis(ours, -1, 1), expected, rtol=1e-5)


def test_normalization_by_hand():
    layer = LocalResponseNormalization(1, bias=2.0, alpha=1.0, beta=0.5)
    out = keras.ops.convert_to_numpy(layer(np.array([[1.0, 1.0, 3.0]], "float32")))
    np.testing.assert_allclose(out[0], [1 / 2, 1 / 13**0.5, 3 / 12**0.5], rtol=1e-6)


def test_normalization_round_trips():
    layer = LocalResponseNormalization(2, alpha=0.1)
    again = keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(layer))
    assert again.get_config() == layer.get_config()


def test_the_network_sees_the_middle_24_pixels():
    image = keras.Input((32, 32, 3))
    model = keras.Model(image, alexnet(image, 10))
    rng = np.random.default_rng(0)
    first = rng.normal(size=(1, 32, 32, 3)).astype("float32")
    second = rng.normal(size=(1, 32, 32, 3)).astype("float32")
    second[:, 4:28, 4:28] = first[:, 4:28, 4:28]
    outputs = [keras.ops.convert_to_numpy(model(images)) for images in (first, second)]
    np.testing.assert_array_equal(*outputs)
    # Kernels and biases of two convolutions, then 6 · 6 · 64 → 384 → 192 → 10.
    sizes = [(75 + 1) * 64, (1600 + 1) * 64, (2304 + 1) * 384, (384 + 1) * 192, 1930]
    assert model.count_params() == sum(sizes)
