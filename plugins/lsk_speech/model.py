"""The recognizer: front end, encoder, decoder with attention, `logits`."""

import keras

from lsk_engine import Config, TaskData
from lsk_speech.config import ModelConfig
from lsk_speech.features.frontend import LogMel, UtteranceNormalization
from lsk_speech.features.spec_augment import SpecAugment
from lsk_speech.network.decoder import AttentionDecoder
from lsk_speech.network.encoder import encode


def build_recognizer(config: Config, data: TaskData) -> keras.Model:
    """Builds the model `{audio or features, length, target} → logits` that `config` describes.

    Args:
        config: The resolved configuration.
        data: Loaded data, whose utterances say which input there is.

    Returns:
        A functional model. `audio` is float32 `(batch, samples)` or `features` float32 `(batch,
        frames, F)`, `length` int32 `(batch,)`: valid frames, `target` int32 `(batch, T)`: the start
        token, then the tokens before each; the logits are float32 `(batch, T, K)`. It augments in
        training only. Layer names (`encoded`, `decoder`, `logits`) are what decoding holds on to.
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
    """Returns the augmentation that `config` describes; it may do nothing."""
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
        seed: Of dropout and noise.
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
