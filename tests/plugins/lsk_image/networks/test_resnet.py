import keras
import pytest

from lsk_image.networks.resnet import resnet


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
