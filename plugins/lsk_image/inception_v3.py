"""Inception-v3, from Keras."""

import keras


def inception_v3(x, num_classes: int, *, dropout: float = 0.2, seed: int | None = None):
    """Applies `keras.applications.InceptionV3`, weights drawn at random.

    It has no auxiliary head. Table 1 of the paper is about "Inception-v2", the network of 2015
    before its last changes: its errors are not this network's.

    Args:
        x: Floating tensor `(batch, height, width, 3)` in [−1, 1], at least 75 × 75.
        num_classes: K.
        dropout: Rate before the logits. Default: 0.2.
        seed: Of the dropout.

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
