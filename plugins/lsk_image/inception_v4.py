"""Inception-v4, written after Szegedy et al. (2016), figures 3 to 9."""

import keras


def inception_v3(x, num_classes: int, *, dropout: float = 0.2, seed: int | None = None):
    """Applies `keras.applications.InceptionV3` with random weights.

    It has no auxiliary head. Table 1 of the paper is about "Inception-v2", an earlier version of
    this network with other errors.

    Args:
        x: Floating tensor `(batch, height, width, 3)` in [−1, 1], at least 75 × 75.
        num_classes: K.
        dropout: Dropout rate before the logits. Default: 0.2.
        seed: Seed of the dropout.

    Returns:
        Logits `(batch, K)`.

    References:
        Szegedy et al. (2015), *Rethinking the Inception architecture for computer vision*.
    """
    network = keras.applications.InceptionV3(
        include_top=False, weights=None, input_tensor=x, pooling="avg"
    )
    x = keras.layers.Dropout(dropout, seed=seed, name="dropout")(network.output)
    return keras.layers.Dense(num_classes, name="logits", dtype="float32")(x)


def inception_v4(x, num_classes: int, *, dropout: float = 0.2, seed: int | None = None):
    """Applies Inception-v4: a stem, then 4 blocks A, 7 blocks B and 3 blocks C.

    Each convolution is followed by BatchNormalization and ReLU and has no bias. At 299 × 299 the
    stages give 35 × 35 × 384, 17 × 17 × 1024 and 8 × 8 × 1536.

    Args:
        x: Floating tensor `(batch, height, width, channels)` in [−1, 1], at least 75 × 75.
        num_classes: K.
        dropout: Dropout rate before the logits. Default: 0.2, the paper's keep probability of 0.8.
        seed: Seed of the dropout.

    Returns:
        Logits `(batch, K)`.

    References:
        Szegedy et al. (2016), *Inception-v4, Inception-ResNet and the impact of residual
        connections on learning*.
    """
    x = _stem(x)
    for i in range(4):
        x = _block_a(x, f"a{i + 1}")
    x = _reduction_a(x, "reduction_a")
    for i in range(7):
        x = _block_b(x, f"b{i + 1}")
    x = _reduction_b(x, "reduction_b")
    for i in range(3):
        x = _block_c(x, f"c{i + 1}")
    x = keras.layers.GlobalAveragePooling2D(name="features")(x)
    x = keras.layers.Dropout(dropout, seed=seed, name="dropout")(x)
    return keras.layers.Dense(num_classes, name="logits", dtype="float32")(x)


def _stem(x):
    x = _convolutions(x, "stem_1", (32, 3, 3, 2, "valid"), (32, 3, 3, 1, "valid"), (64, 3, 3))
    pooled = _max_pool(x, "stem_2_pool")
    x = _join("stem_2", pooled, _convolutions(x, "stem_2_a", (96, 3, 3, 2, "valid")))
    x = _join(
        "stem_3",
        _convolutions(x, "stem_3_a", (64, 1, 1), (96, 3, 3, 1, "valid")),
        _convolutions(x, "stem_3_b", (64, 1, 1), (64, 7, 1), (64, 1, 7), (96, 3, 3, 1, "valid")),
    )
    halved = _convolutions(x, "stem_4_a", (192, 3, 3, 2, "valid"))
    return _join("stem_4", halved, _max_pool(x, "stem_4_pool"))


def _block_a(x, name: str):
    return _join(
        name,
        _convolutions(_average_pool(x, f"{name}_pool"), f"{name}_a", (96, 1, 1)),
        _convolutions(x, f"{name}_b", (96, 1, 1)),
        _convolutions(x, f"{name}_c", (64, 1, 1), (96, 3, 3)),
        _convolutions(x, f"{name}_d", (64, 1, 1), (96, 3, 3), (96, 3, 3)),
    )


def _reduction_a(x, name: str):
    return _join(
        name,
        _max_pool(x, f"{name}_pool"),
        _convolutions(x, f"{name}_a", (384, 3, 3, 2, "valid")),
        _convolutions(x, f"{name}_b", (192, 1, 1), (224, 3, 3), (256, 3, 3, 2, "valid")),
    )


def _block_b(x, name: str):
    return _join(
        name,
        _convolutions(_average_pool(x, f"{name}_pool"), f"{name}_a", (128, 1, 1)),
        _convolutions(x, f"{name}_b", (384, 1, 1)),
        _convolutions(x, f"{name}_c", (192, 1, 1), (224, 1, 7), (256, 7, 1)),
        _convolutions(
            x, f"{name}_d", (192, 1, 1), (192, 1, 7), (224, 7, 1), (224, 1, 7), (256, 7, 1)
        ),
    )


def _reduction_b(x, name: str):
    return _join(
        name,
        _max_pool(x, f"{name}_pool"),
        _convolutions(x, f"{name}_a", (192, 1, 1), (192, 3, 3, 2, "valid")),
        _convolutions(
            x, f"{name}_b", (256, 1, 1), (256, 1, 7), (320, 7, 1), (320, 3, 3, 2, "valid")
        ),
    )


def _block_c(x, name: str):
    split = _convolutions(x, f"{name}_c", (384, 1, 1))
    deep = _convolutions(x, f"{name}_d", (384, 1, 1), (448, 1, 3), (512, 3, 1))
    return _join(
        name,
        _convolutions(_average_pool(x, f"{name}_pool"), f"{name}_a", (256, 1, 1)),
        _convolutions(x, f"{name}_b", (256, 1, 1)),
        _convolutions(split, f"{name}_c_wide", (256, 1, 3)),
        _convolutions(split, f"{name}_c_tall", (256, 3, 1)),
        _convolutions(deep, f"{name}_d_tall", (256, 3, 1)),
        _convolutions(deep, f"{name}_d_wide", (256, 1, 3)),
    )


def _convolutions(x, name: str, *steps: tuple):
    """Applies convolutions of `(filters, height, width, stride = 1, padding = "same")`."""
    for i, (filters, height, width, *rest) in enumerate(steps, 1):
        stride, padding = rest or (1, "same")
        x = keras.layers.Conv2D(
            filters,
            (height, width),
            strides=stride,
            padding=padding,
            use_bias=False,
            kernel_initializer="he_normal",
            name=f"{name}_{i}_convolution",
        )(x)
        x = keras.layers.BatchNormalization(epsilon=1e-3, name=f"{name}_{i}_normalization")(x)
        x = keras.layers.ReLU(name=f"{name}_{i}_relu")(x)
    return x


def _join(name: str, *branches):
    return keras.layers.Concatenate(name=name)(list(branches))


def _max_pool(x, name: str):
    return keras.layers.MaxPooling2D(3, 2, padding="valid", name=name)(x)


def _average_pool(x, name: str):
    return keras.layers.AveragePooling2D(3, 1, padding="same", name=name)(x)
