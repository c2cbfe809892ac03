"""The encoder: convolutions and LSTMs in both directions that halve the frames between them."""

import keras
from keras import ops

from ls_keras.decoding.gather import take_places
from lsk_speech.config import ModelConfig
from lsk_speech.features.frontend import without_padding
from lsk_speech.network.weight_noise import NoisyLSTM

_BACKWARD = 500  # added to the seed of what runs backwards: its noise is its own


def encode(features, length, config: ModelConfig, seed: int):
    """Adds the encoder to a functional model.

    Convolutions first, each with a stride of 2, then the LSTMs; behind the first
    `config.pyramid_layers` of these, pairs of frames are joined to one. What comes out of valid
    frames does not depend on the padding behind them: convolutions and pairs see zeros there, and
    the LSTM that runs backwards starts at the end of each utterance, not of its batch. So no mask
    is needed, which would keep cuDNN's LSTM away.

    Args:
        features: Symbolic tensor `(batch, frames, features)`, 0 behind the end.
        length: Symbolic int32 tensor `(batch,)`: valid frames.
        config: The dimensions.
        seed: Of dropout and noise.

    Returns:
        The encoded frames `(batch, ⌈frames / 2^h⌉, 2 × config.encoder_width)`, 0 behind the end,
        of a layer named `encoded`, and the number of valid ones.
    """
    x = features
    for i in range(config.convolutions):
        name = f"convolution_{i}"
        x = keras.layers.ZeroPadding1D(1, name=f"{name}_padded")(x)
        x = keras.layers.Conv1D(config.convolution_width, 3, strides=2, name=name)(x)
        x = keras.layers.LayerNormalization(name=f"{name}_normalized")(x)
        x = keras.layers.ReLU(name=f"{name}_relu")(x)
        length = halved(length)
        x = WithoutPadding(name=f"{name}_masked")(x, length)
    for i in range(config.encoder_layers):
        name = f"encoder_{i}"
        x = keras.layers.Dropout(config.dropout, seed=seed + i, name=f"{name}_dropout")(x)
        x = _both_directions(x, length, config, seed + i, name)
        # What an LSTM gives is small; attention to it would stay flat for long.
        x = keras.layers.LayerNormalization(name=f"{name}_normalized")(x)
        last = i == config.encoder_layers - 1
        x = WithoutPadding(name="encoded" if last else f"{name}_masked")(x, length)
        if i < config.pyramid_layers:
            x = JoinPairs(name=f"{name}_pairs")(x)
            length = halved(length)
    return x, length


def halved(length):
    """Returns ⌈length / 2⌉."""
    return (length + 1) // 2


def halvings(config: ModelConfig) -> int:
    """Returns how many times frames are halved."""
    return config.convolutions + config.pyramid_layers


def _both_directions(x, length, config: ModelConfig, seed: int, name: str):
    def lstm(direction, seed):
        return NoisyLSTM(
            config.encoder_width,
            return_sequences=True,
            weight_noise=config.weight_noise,
            seed=seed,
            name=f"{name}_{direction}",
        )

    turn = ReverseUtterances(name=f"{name}_reversed")
    backward = turn(lstm("backward", seed + _BACKWARD)(turn(x, length)), length)
    return keras.layers.Concatenate(name=f"{name}_both")([lstm("forward", seed)(x), backward])


@keras.saving.register_keras_serializable(package="ls_keras")
class ReverseUtterances(keras.layers.Layer):
    """Turns the valid frames of each utterance around, and leaves the padding where it is.

    Call arguments:
        x: Tensor `(batch, frames, features)`.
        length: int32 tensor `(batch,)`: valid frames.
    """

    def call(self, x, length):
        """Turns a batch around."""
        t = ops.arange(ops.shape(x)[1], dtype="int32")[None]
        end = ops.cast(length, "int32")[:, None]
        return take_places(x, ops.where(t < end, end - 1 - t, t))


@keras.saving.register_keras_serializable(package="ls_keras")
class JoinPairs(keras.layers.Layer):
    """Joins every two frames to one of twice the features; zeros stand for what is missing.

    Call arguments:
        x: Tensor `(batch, frames, features)`.
    """

    def call(self, x):
        """Joins the frames of a batch."""
        pairs = (ops.shape(x)[1] + 1) // 2
        x = ops.concatenate([x, ops.zeros_like(x[:, :1])], axis=1)[:, : 2 * pairs]
        return ops.reshape(x, (ops.shape(x)[0], -1, 2 * x.shape[-1]))


@keras.saving.register_keras_serializable(package="ls_keras")
class WithoutPadding(keras.layers.Layer):
    """Sets what lies behind the end of each utterance to 0.

    Call arguments:
        x: Tensor `(batch, frames, features)`.
        length: int32 tensor `(batch,)`: valid frames.
    """

    def call(self, x, length):
        """Clears the padding of a batch."""
        return without_padding(x, length)
