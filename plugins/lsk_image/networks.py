"""The networks for small images: perceptron, AlexNet of the CIFAR-10 tutorial, ResNet."""

import keras
import numpy as np
from keras import ops

CROP = 24  # the tutorial's crops of 32 × 32 images


def mlp(
    x,
    num_classes: int,
    *,
    layers: int,
    width: int,
    dropout: float = 0.0,
    input_dropout: float = 0.0,
    seed: int | None = None,
):
    """Applies fully connected layers with ReLU to images.

    Args:
        x: Floating tensor `(batch, height, width, channels)`.
        num_classes: K.
        layers: Number of hidden layers.
        width: Units of each hidden layer.
        dropout: Dropout rate after each hidden layer. Default: 0.
        input_dropout: Dropout rate on pixels. Default: 0.
        seed: Seed of the dropout.

    Returns:
        Logits `(batch, K)`.

    References:
        Hinton et al. (2015), *Distilling the knowledge in a neural network*, section 3.
    """
    x = keras.layers.Flatten(name="pixels")(x)
    if input_dropout:
        x = keras.layers.Dropout(input_dropout, seed=seed, name="input_dropout")(x)
    for i in range(layers):
        # He's variance suits ReLU; with Keras's default, the first epochs are slower.
        x = keras.layers.Dense(
            width, activation="relu", kernel_initializer="he_normal", name=f"hidden_{i}"
        )(x)
        if dropout:
            layer_seed = None if seed is None else seed + 1 + i
            x = keras.layers.Dropout(dropout, seed=layer_seed, name=f"dropout_{i}")(x)
    return keras.layers.Dense(
        num_classes, kernel_initializer="he_normal", name="logits", dtype="float32"
    )(x)


@keras.saving.register_keras_serializable(package="ls_keras")
class LocalResponseNormalization(keras.layers.Layer):
    """Divides each channel by a power of the energy of its neighbors.

    y_c = x_c / (bias + alpha · Σ_{|d − c| ≤ radius} x_d²)^beta

    The sum is as in TensorFlow: PyTorch's `LocalResponseNorm(size)` divides it by `size`
    (2 · radius + 1 here).

    Args:
        radius: Number of neighbors on each side. Default: 4.
        bias: Constant added to the energy. Default: 1.
        alpha: Factor of the energy. Default: 0.001 / 9, as in the tutorial.
        beta: Exponent. Default: 0.75.

    Call arguments:
        inputs: Tensor `(..., channels)`.

    Returns:
        Tensor of the same shape.

    References:
        Krizhevsky et al. (2012), *ImageNet classification with deep convolutional neural
        networks*, section 3.3.
    """

    def __init__(
        self,
        radius: int = 4,
        *,
        bias: float = 1.0,
        alpha: float = 0.001 / 9,
        beta: float = 0.75,
        **kwargs,
    ):
        super().__init__(**kwargs)
        self.radius, self.bias, self.alpha, self.beta = radius, bias, alpha, beta

    def call(self, inputs):
        """Normalizes a batch."""
        channels = np.arange(inputs.shape[-1])
        near = np.abs(channels[:, None] - channels[None, :]) <= self.radius
        # A product with a band matrix: faster than a window sum for so few channels.
        band = ops.convert_to_tensor(near.astype("float32"))
        squares = ops.square(ops.cast(inputs, "float32"))
        scale = ops.power(self.bias + self.alpha * ops.matmul(squares, band), -self.beta)
        return inputs * ops.cast(scale, inputs.dtype)

    def compute_output_shape(self, input_shape):
        """Returns the input's shape."""
        return input_shape

    def get_config(self) -> dict:
        """Returns the arguments of the constructor."""
        names = ("radius", "bias", "alpha", "beta")
        return {**super().get_config(), **{name: getattr(self, name) for name in names}}


def alexnet(x, num_classes: int):
    """Applies the network to the central 24 × 24 pixels.

    After a random shift of up to 4 pixels, the center of a 32 × 32 image is the tutorial's random
    crop.

    Args:
        x: Floating tensor `(batch, height, width, channels)`, standardized.
        num_classes: K.

    Returns:
        Logits `(batch, K)`; the activations below, of the layer `dense_192`, are the penultimate
        ones.
    """
    height, width = x.shape[1:3]
    top, left = max((height - CROP) // 2, 0), max((width - CROP) // 2, 0)
    x = x[:, top : top + CROP, left : left + CROP]

    def convolution(x, name, bias):
        return keras.layers.Conv2D(
            64,
            5,
            padding="same",
            activation="relu",
            kernel_initializer=_normal(5e-2),
            bias_initializer=keras.initializers.Constant(bias),
            name=name,
        )(x)

    def pool(x, name):
        return keras.layers.MaxPooling2D(3, 2, padding="same", name=name)(x)

    def dense(x, units, name):
        return keras.layers.Dense(
            units,
            activation="relu",
            kernel_initializer=_normal(0.04),
            bias_initializer=keras.initializers.Constant(0.1),
            name=name,
        )(x)

    x = pool(convolution(x, "convolution_1", 0.0), "pool_1")
    x = LocalResponseNormalization(name="normalization_1")(x)
    x = LocalResponseNormalization(name="normalization_2")(convolution(x, "convolution_2", 0.1))
    x = keras.layers.Flatten(name="features")(pool(x, "pool_2"))
    x = dense(dense(x, 384, "dense_384"), 192, "dense_192")
    return keras.layers.Dense(
        num_classes, kernel_initializer=_normal(1 / 192), name="logits", dtype="float32"
    )(x)


def _normal(stddev: float) -> keras.initializers.Initializer:
    return keras.initializers.TruncatedNormal(stddev=stddev)


def resnet(x, num_classes: int, *, depth: int = 56, filters: int = 16):
    """Applies a pre-activation ResNet of 6n + 2 layers.

    A 3 × 3 convolution, then three stages of n blocks with 16, 32 and 64 filters; a block is twice
    (BatchNormalization, ReLU, 3 × 3 convolution). The first block of a stage has a 1 × 1
    convolution as its shortcut, after the first activation; in stages 2 and 3 it halves the sides.

    Args:
        x: Floating tensor `(batch, height, width, channels)`.
        num_classes: K.
        depth: 6n + 2: 56 has n = 9. Default: 56.
        filters: Filters of the first stage. Default: 16.

    Returns:
        Logits `(batch, K)`.

    References:
        He et al. (2016), *Identity mappings in deep residual networks*.
    """
    x = _convolution(x, filters, 3, 1, "stem")
    for stage in range(3):
        for block in range((depth - 2) // 6):
            stride = 2 if stage and not block else 1
            x = _block(x, filters * 2**stage, stride, f"stage_{stage + 1}_block_{block + 1}")
    x = _activation(x, "final")
    x = keras.layers.GlobalAveragePooling2D(name="features")(x)
    return keras.layers.Dense(
        num_classes, kernel_initializer="he_normal", name="logits", dtype="float32"
    )(x)


def _block(x, filters: int, stride: int, name: str):
    active = _activation(x, f"{name}_1")
    shortcut = x
    if stride > 1 or x.shape[-1] != filters:
        shortcut = _convolution(active, filters, 1, stride, f"{name}_shortcut")
    y = _convolution(active, filters, 3, stride, f"{name}_convolution_1")
    y = _convolution(_activation(y, f"{name}_2"), filters, 3, 1, f"{name}_convolution_2")
    return keras.layers.Add(name=f"{name}_sum")([shortcut, y])


def _activation(x, name: str):
    x = keras.layers.BatchNormalization(momentum=0.9, epsilon=1e-5, name=f"{name}_normalization")(x)
    return keras.layers.ReLU(name=f"{name}_relu")(x)


def _convolution(x, filters: int, size: int, stride: int, name: str):
    return keras.layers.Conv2D(
        filters,
        size,
        strides=stride,
        padding="same",
        use_bias=False,
        kernel_initializer="he_normal",
        name=name,
    )(x)
