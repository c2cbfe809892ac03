"""Defaults and presets of the translation task."""

import dataclasses
from typing import Annotated, Literal

from msgspec import Meta

from lsk_engine import InputError, Preset
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
    """Parallel text and its sub-words.

    Attributes:
        source: `cldr` (generated), a folder of parallel files, a TFDS name, or a directory that
            `lsk prepare` wrote, whose settings then replace the others here.
        source_language: Code of the language to translate from.
        target_language: Code of the language to translate into.
        max_train_examples: Number of training pairs to use or, for `cldr`, to generate; `None`:
            all, or the default of `cldr`.
        phrase_fraction: Fraction of `cldr` training pairs that are single phrases; 0: all pairs
            come from all frames. Above 0, a split `phrases` holds 200 phrases of no other split.
        split_seed: Seed of the generated text and of drawn training pairs, independent of
            `training.seed`.
        vocabulary_size: Number of sub-words of the joint vocabulary.
        subwords: `unigram` or `bpe`.
        split_digits: Whether each digit is a sub-word of its own.
        max_length: Largest number of pieces on a side, the end token included; longer pairs are
            left out of training, never of validation and test.
    """

    source: str = "cldr"
    source_language: str = "en"
    target_language: str = "de"
    max_train_examples: PositiveInt | None = None
    phrase_fraction: Fraction = 0.0
    split_seed: NonNegativeInt = 0
    vocabulary_size: Annotated[int, Meta(ge=8)] = 4000
    subwords: Literal["unigram", "bpe"] = "unigram"
    split_digits: bool = False
    max_length: Annotated[int, Meta(ge=2)] = 128


@dataclasses.dataclass(frozen=True)
class ModelConfig:
    """The Transformer's dimensions.

    Attributes:
        name: The network: `transformer`.
        layers: Number of encoder layers, and of decoder layers.
        width: Features of embeddings and layers.
        feedforward: Features inside the feed-forward blocks.
        heads: Number of attention heads.
        dropout: Dropout rate on embeddings and on every sub-layer's output.
        normalize_first: Whether layers normalize their input (pre-norm) or their output (as in the
            original network).
    """

    name: Literal["transformer"] = "transformer"
    layers: PositiveInt = 2
    width: PositiveInt = 128
    feedforward: PositiveInt = 512
    heads: PositiveInt = 4
    dropout: Rate = 0.1
    normalize_first: bool = True

    def __post_init__(self):
        if self.width % self.heads:
            raise InputError(
                "Expected model.width to be a multiple of model.heads. "
                f"Received: {self.width} and {self.heads}"
            )


@dataclasses.dataclass(frozen=True)
class DecodingConfig:
    """Beam search for translations.

    Attributes:
        beam_size: Number of live beams; 1 is greedy search.
        length_penalty: Exponent a of ((5 + |y|) / 6)^a, which divides log p(y).
        temperature: T, which divides the logits before the softmax.
        unsmooth: The α of label smoothing to remove from the probabilities before that, in
            [0, 1), or `fitted` for the α of training; 0: none.
        batch_size: Sentences per batch.
        length_ratio: A translation has at most `length_ratio × source pieces + length_margin`
            pieces, where the source is padded to one of a few lengths.
        length_margin: See `length_ratio`.
    """

    beam_size: PositiveInt = 4
    length_penalty: NonNegativeFloat = 0.6
    temperature: PositiveFloat = 1.0
    unsmooth: Unsmooth = 0.0
    batch_size: PositiveInt = 64
    length_ratio: NonNegativeFloat = 1.5
    length_margin: PositiveInt = 10


_SMALL = {
    "data.max_length": 20,
    "model.feedforward": 256,
    "training.epochs": None,
    "training.steps": 450,
    "training.max_length_buckets": 1,
    "optimizer.learning_rate": 4e-3,
    "optimizer.schedule": "linear",
    "optimizer.warmup_steps": 80,
    "optimizer.beta_2": 0.98,
    "optimizer.epsilon": 1e-9,
}
PRESETS = (
    Preset(
        name="cldr-phrases",
        purpose="The default: a small Transformer that translates dates, numbers, amounts, places",
        expected="3 to 4 minutes on 2 cores; test BLEU 70, 99 % of held-out phrases right",
        settings={
            **_SMALL,
            "data.phrase_fraction": 0.75,
            "data.vocabulary_size": 1200,
            "data.split_digits": True,
            "data.max_length": 32,
            "model.dropout": 0.0,
            "training.steps": 1200,
            # Half the batch of the others: more steps help more than more examples per step.
            "training.batch_size": 64,
            "training.max_length_buckets": 4,
            "optimizer.learning_rate": 3e-3,
            "optimizer.warmup_steps": 120,
        },
    ),
    Preset(
        name="cldr-small",
        purpose="Sentences from many frames, with choices that no model can predict",
        expected="2 to 3 minutes on 2 cores; test BLEU 63 with α = 0.1",
        settings=_SMALL,
    ),
    Preset(
        name="cldr-few",
        purpose="The default of studies: 500 pairs of cldr-small, memorized by the end",
        expected="1 to 2 minutes on 2 cores; accuracy 0.48, ECE 0.145 without smoothing",
        settings={
            **_SMALL,
            "data.max_train_examples": 500,
            "model.dropout": 0.0,
            "training.steps": 400,
            "training.batch_size": 32,
            "training.validate_every": 10,
            "optimizer.learning_rate": 2e-3,
        },
    ),
    Preset(
        name="multi30k-cpu",
        purpose="The Transformer of multi30k-tiny on 2 cores: 13 passes over Multi30k",
        expected="half an hour on one core; test2016 BLEU 36 with beam 4",
        settings={
            "data.vocabulary_size": 8000,
            "data.subwords": "bpe",
            "data.max_length": 64,
            "model.layers": 4,
            "model.feedforward": 256,
            "model.dropout": 0.2,
            "training.epochs": None,
            "training.steps": 3000,
            # XLA's random numbers for dropout cost a CPU more than its fusions save.
            "training.jit_compile": False,
            "training.max_length_buckets": 8,
            "optimizer.learning_rate": 3e-3,
            "optimizer.schedule": "cosine",
            "optimizer.warmup_steps": 600,
            "optimizer.beta_2": 0.98,
            "optimizer.epsilon": 1e-9,
        },
    ),
    Preset(
        name="multi30k-tiny",
        purpose="A small Transformer for Multi30k (29,000 image captions): --data FOLDER",
        expected="an hour and a half on one core; test2016 BLEU 38 with average_checkpoints=10",
        settings={
            "data.vocabulary_size": 8000,
            "data.subwords": "bpe",
            "data.max_length": 64,
            "model.layers": 4,
            "model.feedforward": 256,
            "model.dropout": 0.3,
            "training.epochs": None,
            "training.steps": 4680,  # 40 passes
            "training.batch_size": 256,
            "training.max_length_buckets": 8,
            "training.validate_every": 4,
            "training.checkpoint_every": 113,  # about a pass, for training.average_checkpoints
            "optimizer.learning_rate": 5e-3,
            "optimizer.schedule": "inverse_sqrt",
            "optimizer.warmup_steps": 2000,
            "optimizer.beta_2": 0.98,
            "optimizer.epsilon": 1e-9,
        },
    ),
    Preset(
        name="wmt14-base",
        purpose="The paper's EN-DE Transformer: base size on WMT14 (TFDS wmt14_translate/de-en)",
        expected="days on one GPU: 300,000 steps; BLEU 25.3 without and 25.8 with smoothing",
        settings={
            "data.source": "wmt14_translate/de-en",
            "data.vocabulary_size": 32000,
            "data.subwords": "bpe",
            "data.max_length": 128,
            "model.layers": 6,
            "model.width": 512,
            "model.feedforward": 2048,
            "model.heads": 8,
            "model.normalize_first": False,
            "training.epochs": None,
            "training.steps": 300000,
            # Tensor2Tensor's transformer_base: 4,096 of the longer side on each of 8 GPUs.
            "training.tokens_per_batch": 32768,
            "training.batch_size": 256,
            "training.max_length_buckets": 8,
            "training.jit_compile": True,
            "optimizer.learning_rate": 7e-4,
            "optimizer.schedule": "inverse_sqrt",
            "optimizer.warmup_steps": 4000,
            "optimizer.beta_2": 0.98,
            "optimizer.epsilon": 1e-9,
        },
    ),
)

MODELS = {"transformer": "encoder–decoder of keras-hub layers, embeddings tied three ways"}
DATA_SOURCES = {
    "cldr": "English–German dates, numbers, units and places made by Babel and num2words",
    "FOLDER": "train.en, train.de, val.*, test*.* (plain or .gz), any language pair by suffix",
    "PREPARED": "a directory that `lsk prepare` wrote",
    "TFDS": "a TensorFlow Datasets name with translations, such as wmt14_translate/de-en",
}
