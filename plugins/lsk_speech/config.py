"""Defaults and presets of the speech task."""

import dataclasses
from typing import Annotated, Literal

from msgspec import Meta

from lsk_engine import InputError, Preset
from lsk_engine.settings.output_folders import output_folder
from lsk_engine.settings.parsing import (
    Fraction,
    NonNegativeFloat,
    NonNegativeInt,
    PositiveFloat,
    PositiveInt,
    Rate,
)
from lsk_engine.settings.unsmoothing import Unsmooth


@dataclasses.dataclass(frozen=True)
class DataConfig:
    """Utterances, the model's input, and the units of transcripts.

    Attributes:
        source: `spoken-words` (generated), a manifest, a folder of digits, an `.npz` file of
            features, a TFDS name, or a directory that `lsk prepare` wrote, whose settings then
            replace the others here.
        units: `words`, `characters` or `subwords`.
        vocabulary_size: Number of sub-words, if `units` is `subwords`.
        input: `waveform`: the model computes its features; `log-mel`: they are computed once,
            while loading. Precomputed features are used directly.
        normalization: Frames over which features get mean 0 and variance 1: `utterance`,
            `speaker` (not with waveforms) or `none`.
        num_mel_bins: Number of mel filters.
        deltas: Whether to append first and second differences in time to the features.
        sample_rate: Samples per second that recordings are resampled to.
        max_train_examples: Number of training utterances to use or, for spoken words and digit
            strings, to generate; `None`: all, or the default of the source.
        held_out_speaker: The speaker whose digits are the test split; `None`: the official split.
        max_seconds: Longest training utterance; longer ones are left out of training, never of
            validation and test.
        min_words: Smallest number of words in a generated string.
        max_words: Largest number of words in a generated string.
        split_seed: Seed of generated strings, held-out speakers and drawn utterances.
        cache: Folder for generated speech; `None`: `ls-keras` in the user's cache folder.
    """

    source: str = "spoken-words"
    units: Literal["words", "characters", "subwords"] = "words"
    vocabulary_size: Annotated[int, Meta(ge=8)] = 1000
    input: Literal["waveform", "log-mel"] = "waveform"
    normalization: Literal["utterance", "speaker", "none"] = "utterance"
    num_mel_bins: PositiveInt = 80
    deltas: bool = True
    sample_rate: Annotated[int, Meta(ge=1000)] = 16000
    max_train_examples: PositiveInt | None = None
    held_out_speaker: str | None = None
    max_seconds: Annotated[float, Meta(ge=0.01)] = 20.0
    min_words: PositiveInt = 2
    max_words: PositiveInt = 5
    split_seed: NonNegativeInt = 0
    cache: str | None = output_folder()

    def __post_init__(self):
        if self.sample_rate % 100:
            raise InputError(
                "Expected data.sample_rate to be a multiple of 100, since frames are 10 ms apart. "
                f"Received: {self.sample_rate}"
            )
        if self.max_words < self.min_words:
            raise InputError(
                f"Expected data.max_words of at least data.min_words={self.min_words}. "
                f"Received: {self.max_words}"
            )


@dataclasses.dataclass(frozen=True)
class ModelConfig:
    """The dimensions of the recognizer.

    Attributes:
        name: The network: `las` (listen, attend and spell).
        convolutions: Number of convolutions over three frames before the encoder, each with a
            stride of 2.
        convolution_width: Filters of each convolution.
        encoder_layers: Number of bidirectional LSTM layers.
        encoder_width: Units of each direction.
        pyramid_layers: Number of LSTM layers, counted from the first, after which pairs of frames
            are concatenated (the pyramid of "listen, attend and spell").
        decoder_width: Units of the decoder's LSTM.
        embedding_width: Features of a token.
        attention: `location`, `content` (without the convolution over earlier weights) or
            `uniform` (equal weights, as a baseline).
        attention_width: Units of the attention's hidden layer.
        location_filters: Filters of the convolution over earlier attention weights.
        location_kernel: Its kernel size in encoded frames; odd.
        guided_attention: Weight of a loss that pulls attention to the diagonal; 0: none.
        guided_attention_sigma: Width of the diagonal in that loss, as a fraction of the utterance.
        dropout: Dropout rate before each LSTM of the encoder and before `logits`.
        weight_noise: Standard deviation of the training noise on the weights of all LSTMs and of
            attention.
        num_time_masks: SpecAugment: number of time masks per utterance.
        time_mask_ratio: Largest length of a time mask, as a fraction of the utterance.
        num_freq_masks: SpecAugment: number of frequency masks per utterance.
        freq_mask_ratio: Largest width of a frequency mask, as a fraction of the mel bins.
        freq_warp: Largest random shift along the frequency axis, as a fraction of the mel bins; it
            varies the voice of each utterance. Do not use it with cepstra.
    """

    name: Literal["las"] = "las"
    convolutions: NonNegativeInt = 2
    convolution_width: PositiveInt = 64
    encoder_layers: PositiveInt = 2
    encoder_width: PositiveInt = 128
    pyramid_layers: NonNegativeInt = 1
    decoder_width: PositiveInt = 128
    embedding_width: PositiveInt = 64
    attention: Literal["location", "content", "uniform"] = "location"
    attention_width: PositiveInt = 128
    location_filters: PositiveInt = 10
    location_kernel: PositiveInt = 15
    guided_attention: NonNegativeFloat = 0.0
    guided_attention_sigma: PositiveFloat = 0.2
    dropout: Rate = 0.1
    weight_noise: NonNegativeFloat = 0.0
    num_time_masks: NonNegativeInt = 0
    time_mask_ratio: Fraction = 0.1
    num_freq_masks: NonNegativeInt = 0
    freq_mask_ratio: Fraction = 0.2
    freq_warp: Fraction = 0.0

    def __post_init__(self):
        if self.pyramid_layers > self.encoder_layers:
            raise InputError(
                "Expected model.pyramid_layers of at most "
                f"model.encoder_layers={self.encoder_layers}. Received: {self.pyramid_layers}"
            )
        if self.location_kernel % 2 != 1:
            raise InputError(
                f"Expected model.location_kernel to be odd. Received: {self.location_kernel}"
            )


@dataclasses.dataclass(frozen=True)
class DecodingConfig:
    """Beam search for transcripts.

    Attributes:
        beam_size: Number of live beams; 1 is greedy search.
        length_penalty: Exponent a of ((5 + |y|) / 6)^a, which divides log p(y).
        coverage: Reward for each encoded frame that received more than `coverage_threshold` of
            attention.
        coverage_threshold: Attention above which a frame counts as covered.
        temperature: T, which divides the logits before the softmax.
        unsmooth: The α of label smoothing to remove from the probabilities before that, in
            [0, 1), or `fitted` for the α of training; 0: none.
        batch_size: Utterances per batch.
        tokens_per_second: A transcript has at most `tokens_per_second × seconds + token_margin`
            tokens, where the utterance is padded to one of a few lengths.
        token_margin: See `tokens_per_second`.
    """

    beam_size: PositiveInt = 4
    length_penalty: NonNegativeFloat = 0.0
    coverage: NonNegativeFloat = 0.0
    coverage_threshold: PositiveFloat = 0.5
    temperature: PositiveFloat = 1.0
    unsmooth: Unsmooth = 0.0
    batch_size: PositiveInt = 32
    tokens_per_second: NonNegativeFloat = 8.0
    token_margin: PositiveInt = 10


# Attention settles within a few hundred steps at this rate; at 2e-3 it takes three times as many.
_ADAM = {
    "training.epochs": None,
    "training.batch_size": 64,
    "training.max_length_buckets": 8,
    "training.smooth_unused_classes": False,  # start and padding are never labels
    # LSTMs are slower with XLA on a CPU: 218 against 65 ms for a layer's training step.
    "training.jit_compile": False,
    "optimizer.learning_rate": 5e-3,
    "optimizer.schedule": "cosine",
    "optimizer.warmup_steps": 100,
    "optimizer.global_clipnorm": 1.0,
}
# The network of Chorowski & Jaitly (2016): 4 LSTMs of 2 × 256, 3 pyramid layers, attention of 64.
_LAS = {
    **_ADAM,
    "data.units": "characters",
    "data.input": "log-mel",
    "data.normalization": "speaker",
    "training.batch_size": 32,
    "training.checkpoint_every": 1000,
    "optimizer.learning_rate": 1e-3,
    "optimizer.warmup_steps": 1000,
    "model.convolutions": 0,
    "model.encoder_layers": 4,
    "model.encoder_width": 256,
    "model.pyramid_layers": 3,
    "model.decoder_width": 256,
    "model.attention_width": 64,
    "model.guided_attention": 0.5,
    "model.weight_noise": 0.01,
    "model.num_time_masks": 2,
    "model.time_mask_ratio": 0.05,
    "model.num_freq_masks": 2,
    "decoding.tokens_per_second": 30.0,
    "decoding.length_penalty": 0.6,
}

PRESETS = (
    Preset(
        name="spoken-words",
        purpose="The default: random words, spoken by many synthetic voices",
        expected="5 minutes on 2 cores, data included; WER 9.8 % on voices not in training",
        settings={
            **_ADAM,
            "data.input": "log-mel",
            "data.num_mel_bins": 40,
            "data.max_train_examples": 12000,
            "training.steps": 2400,
            "training.validate_every": 3,
            "model.guided_attention": 1.0,
            "model.num_time_masks": 1,
            "model.num_freq_masks": 1,
        },
    ),
    Preset(
        name="fsdd-digits",
        purpose="Strings of digits in real voices: --data FOLDER of the Free Spoken Digit Dataset",
        expected="2 minutes on a core; WER 8 to 32 %, depending on the held-out speaker",
        settings={
            **_ADAM,
            "data.input": "log-mel",
            "data.num_mel_bins": 40,
            "data.sample_rate": 8000,
            "data.max_train_examples": 4000,
            "training.steps": 500,
            "training.validate_every": 4,
            "model.num_time_masks": 1,
            "model.num_freq_masks": 1,
        },
    ),
    Preset(
        name="an4-las",
        purpose="CMU AN4 in characters, from cepstra: --data an4_mfcc13.npz",
        expected="15 to 20 minutes on a core; WER 12 %",
        settings={
            **_ADAM,
            "data.units": "characters",
            "data.normalization": "speaker",
            "training.batch_size": 32,
            "training.steps": 3000,
            "training.validate_every": 10,
            "optimizer.learning_rate": 3e-3,
            "model.convolutions": 1,
            "model.dropout": 0.3,
            "model.guided_attention": 1.0,
            "model.num_time_masks": 2,
            "model.num_freq_masks": 1,
            "decoding.tokens_per_second": 30.0,
        },
    ),
    Preset(
        name="librispeech-las",
        purpose="LibriSpeech in sub-words (TFDS librispeech), with the paper's WSJ network",
        expected="days on one GPU; not run to the end",
        settings={
            **_LAS,
            "data.source": "librispeech",
            "data.units": "subwords",
            "data.normalization": "utterance",
            "training.steps": 200000,
            "decoding.tokens_per_second": 12.0,
        },
    ),
    Preset(
        name="wsj-las",
        purpose="The paper's speech network (Table 1's WSJ row) in characters: --data MANIFEST",
        expected="a day on one GPU; the paper: WER 8.9 without, 7.0 and 6.7 with smoothing",
        settings={**_LAS, "training.steps": 60000},
    ),
)

MODELS = {"las": "bidirectional LSTMs, and an LSTM decoder with location-aware attention"}
DATA_SOURCES = {
    "spoken-words": "random strings of about 130 words, spoken by eSpeak NG in many voices",
    "MANIFEST": "a .tsv file (file, text, optional speaker and split) over WAV or FLAC files",
    "FOLDER": "the Free Spoken Digit Dataset (digits joined into strings), or manifest.tsv",
    "FEATURES": "an .npz file of precomputed features, such as the cepstra of AN4",
    "PREPARED": "a directory that `lsk prepare` wrote",
    "TFDS": "a TensorFlow Datasets name, such as librispeech or speech_commands",
}
