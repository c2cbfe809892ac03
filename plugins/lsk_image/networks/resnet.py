"""Pre-activation residual networks for 32 × 32 images."""

import keras


def resnet(x, num_classes: int, *, depth: int = 56, filters: int = 16):
    """Applies a pre-activation ResNet of 6n + 2 layers.

    A 3 × 3 convolution, then three stages of n blocks with 16, 32 and 64 filters; a block is twice
    (BatchNormalization, ReLU, 3 × 3 convolution). The first block of a stage has a 1 × 1
    convolution as its shortcut, after the first activation; in stages 2 and 3 it halves the sides.

    Args:
        x: Floating tensor `(batch, height, width, channels)`.
        num_classes: K.
        depth: 6n + 2: 56 has n = 9. Default: 56.
        filters: Of the first stage. Default: 16.

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
