"""The small AlexNet of TensorFlow's CIFAR-10 tutorial, and its local response normalization."""

import keras
import numpy as np
from keras import ops

CROP = 24  # the tutorial's crops of 32 × 32 images


@keras.saving.register_keras_serializable(package="ls_keras")
class LocalResponseNormalization(keras.layers.Layer):
    """Divides each channel by a power of the energy of its neighbors.

    y_c = x_c / (bias + alpha · Σ_{|d − c| ≤ radius} x_d²)^beta

    The sum is as in TensorFlow: PyTorch's `LocalResponseNorm(size)` divides it by `size`
    (2 · radius + 1 here).

    Args:
        radius: Neighbors on each side. Default: 4.
        bias: Default: 1.
        alpha: Default: 0.001 / 9, as in the tutorial.
        beta: Default: 0.75.

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
        """Normalizes."""
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
