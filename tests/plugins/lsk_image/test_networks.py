import keras
import numpy as np
import pytest

from lsk_image.networks import LocalResponseNormalization, alexnet, resnet


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


def built(depth, shape=(32, 32, 3), classes=10):
    image = keras.Input(shape)
    return keras.Model(image, resnet(image, classes, depth=depth))


def expected_count(n, classes):
    """Kernels, γ and β, by hand: the stem, blocks of two convolutions, three shortcuts."""
    total = 3 * 3 * 3 * 16
    channels = 16
    for filters in (16, 32, 64):
        for block in range(n):
            total += 2 * channels + 9 * channels * filters  # normalization, convolution
            total += 2 * filters + 9 * filters * filters
            if not block and channels != filters:
                total += channels * filters
            channels = filters
    return total + 2 * 64 + 64 * classes + classes


@pytest.mark.parametrize("depth", [8, 20])
def test_layers_stages_and_weights(depth):
    model = built(depth)
    trainable = sum(int(keras.ops.size(v)) for v in model.trainable_variables)
    assert trainable == expected_count((depth - 2) // 6, 10)
    convolutions = [
        layer
        for layer in model.layers
        if isinstance(layer, keras.layers.Conv2D) and "shortcut" not in layer.name
    ]
    assert len(convolutions) + 1 == depth  # and the dense one
    n = (depth - 2) // 6
    for stage, shape in enumerate([(32, 32, 16), (16, 16, 32), (8, 8, 64)], 1):
        assert model.get_layer(f"stage_{stage}_block_{n}_sum").output.shape[1:] == shape


def test_activations_go_before_convolutions():
    model = built(8)
    order = [type(layer).__name__ for layer in model.layers[1:8]]
    assert order[:3] == ["Conv2D", "BatchNormalization", "ReLU"]
    assert [layer.name for layer in model.layers[-4:]] == [
        "final_normalization",
        "final_relu",
        "features",
        "logits",
    ]
