"""The multilayer perceptron of the paper's MNIST experiment."""

import keras


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
        layers: Hidden layers.
        width: Units in each.
        dropout: Rate after each hidden layer. Default: 0.
        input_dropout: Rate on pixels. Default: 0.
        seed: Of the dropout.

    Returns:
        Logits `(batch, K)`.

    References:
        Hinton et al. (2015), *Distilling the knowledge in a neural network*, section 3.
    """
    x = keras.layers.Flatten(name="pixels")(x)
    if input_dropout:
        x = keras.layers.Dropout(input_dropout, seed=seed, name="input_dropout")(x)
    for i in range(layers):
        # He's variance is right for ReLU; with Keras's default the first epochs are slower.
        x = keras.layers.Dense(
            width, activation="relu", kernel_initializer="he_normal", name=f"hidden_{i}"
        )(x)
        if dropout:
            layer_seed = None if seed is None else seed + 1 + i
            x = keras.layers.Dropout(dropout, seed=layer_seed, name=f"dropout_{i}")(x)
    return keras.layers.Dense(
        num_classes, kernel_initializer="he_normal", name="logits", dtype="float32"
    )(x)
