"""The recognizer: front end, encoder, decoder with attention, `logits`."""

import keras
from keras import ops

from ls_keras.decoding.gather import take_places
from lsk_engine import Config, TaskData
from lsk_speech.config import ModelConfig
from lsk_speech.network.decoder import AttentionDecoder
from lsk_speech.network.frontend import LogMel, UtteranceNormalization, without_padding
from lsk_speech.network.spec_augment import SpecAugment
from lsk_speech.network.weight_noise import NoisyLSTM


def build_recognizer(config: Config, data: TaskData) -> keras.Model:
    """Builds the model `{audio or features, length, target} → logits` that `config` describes.

    Args:
        config: The resolved configuration.
        data: Loaded data, whose utterances determine the input.

    Returns:
        A functional model. Inputs are `audio`, float32 `(batch, samples)`, or `features`, float32
        `(batch, frames, F)`; `length`, int32 `(batch,)`, the valid frames; and `target`, int32
        `(batch, T)`, the start token and the previous tokens. The logits are float32 `(batch, T,
        K)`. Decoding relies on the layer names `encoded`, `decoder` and `logits`.
    """
    utterances = data.splits["train"]
    rate, width = utterances.sample_rate, utterances.feature_size  # type: ignore[attr-defined]
    length = keras.Input((), dtype="int32", name="length")
    target = keras.Input((None,), dtype="int32", name="target")
    if rate is None:
        sound = x = keras.Input((None, width), dtype="float32", name="features")
    else:
        sound = keras.Input((None,), dtype="float32", name="audio")
        front_end = LogMel(
            rate, config.data.num_mel_bins, deltas=config.data.deltas, name="log_mel"
        )
        x = front_end(sound, length)
    if config.data.normalization == "utterance":
        x = UtteranceNormalization(name="normalized")(x, length)
    x = spec_augment(config)(x, length)
    logits = listen(x, length, target, config.model, data.num_classes, config.training.seed)
    inputs = {sound.name: sound, "length": length, "target": target}
    return keras.Model(inputs, logits, name="recognizer")


def spec_augment(config: Config) -> SpecAugment:
    """Builds the SpecAugment layer of a configuration; it may do nothing."""
    options = config.model
    return SpecAugment(
        num_time_masks=options.num_time_masks,
        time_mask_ratio=options.time_mask_ratio,
        num_freq_masks=options.num_freq_masks,
        freq_mask_ratio=options.freq_mask_ratio,
        freq_warp=options.freq_warp,
        groups=3 if config.data.deltas else 1,
        seed=config.training.seed,
        name="spec_augment",
    )


def listen(features, length, target, config: ModelConfig, num_classes: int, seed: int):
    """Adds encoder, decoder and `logits` to a functional model; returns the logits.

    Args:
        features: Symbolic tensor `(batch, frames, F)`.
        length: Symbolic int32 tensor `(batch,)`: valid frames.
        target: Symbolic int32 tensor `(batch, T)`.
        config: The dimensions.
        num_classes: K.
        seed: Seed of dropout and noise.
    """
    encoded, frames = encode(features, length, config, seed)
    decoded = AttentionDecoder(
        num_classes,
        config.decoder_width,
        embedding_width=config.embedding_width,
        attention_width=config.attention_width,
        location_filters=config.location_filters,
        location_kernel=config.location_kernel,
        attention=config.attention,
        guided_attention=config.guided_attention,
        guided_attention_sigma=config.guided_attention_sigma,
        weight_noise=config.weight_noise,
        seed=seed,
        name="decoder",
    )(target, encoded, frames)
    decoded = keras.layers.Dropout(config.dropout, seed=seed + 1000, name="decoded")(decoded)
    return keras.layers.Dense(num_classes, dtype="float32", name="logits")(decoded)


_BACKWARD = 500  # added to the seed of what runs backwards: its noise is its own


def encode(features, length, config: ModelConfig, seed: int):
    """Adds the encoder to a functional model.

    Convolutions first, each with a stride of 2, then the LSTMs; behind the first
    `config.pyramid_layers` of these, pairs of frames are concatenated. Valid frames do not depend
    on padding: convolutions and pairs see zeros there, and the backward LSTM starts at the end of
    each utterance, not of the batch. So no mask is needed, which would rule out cuDNN's LSTM.

    Args:
        features: Symbolic tensor `(batch, frames, features)`, 0 after the end.
        length: Symbolic int32 tensor `(batch,)`: valid frames.
        config: The dimensions.
        seed: Seed of dropout and noise.

    Returns:
        The encoded frames `(batch, ⌈frames / 2^h⌉, 2 × config.encoder_width)`, 0 after the end, of
        a layer named `encoded`, and the number of valid frames.
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
        # LSTM outputs are small; without this, attention would stay flat for long.
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
    """Returns how often the number of frames is halved."""
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
    """Reverses the valid frames of each utterance, not the padding.

    Call arguments:
        x: Tensor `(batch, frames, features)`.
        length: int32 tensor `(batch,)`: valid frames.
    """

    def call(self, x, length):
        """Reverses a batch."""
        t = ops.arange(ops.shape(x)[1], dtype="int32")[None]
        end = ops.cast(length, "int32")[:, None]
        return take_places(x, ops.where(t < end, end - 1 - t, t))


@keras.saving.register_keras_serializable(package="ls_keras")
class JoinPairs(keras.layers.Layer):
    """Concatenates every two frames to one of twice the features; pads odd lengths with zeros.

    Call arguments:
        x: Tensor `(batch, frames, features)`.
    """

    def call(self, x):
        """Concatenates the frames of a batch."""
        pairs = (ops.shape(x)[1] + 1) // 2
        x = ops.concatenate([x, ops.zeros_like(x[:, :1])], axis=1)[:, : 2 * pairs]
        return ops.reshape(x, (ops.shape(x)[0], -1, 2 * x.shape[-1]))


@keras.saving.register_keras_serializable(package="ls_keras")
class WithoutPadding(keras.layers.Layer):
    """Sets frames after the end of each utterance to 0.

    Call arguments:
        x: Tensor `(batch, frames, features)`.
        length: int32 tensor `(batch,)`: valid frames.
    """

    def call(self, x, length):
        """Clears the padding of a batch."""
        return without_padding(x, length)
