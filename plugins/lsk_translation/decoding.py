"""Translating sentences of any lengths, and the splits of a data set."""

from typing import NamedTuple

import keras

from lsk_engine import Config, Examples, InputError, Progress, TaskData
from lsk_engine.data.ragged import Ragged
from lsk_translation.data import VOCABULARY_FILE, TextPairs, with_ends
from lsk_translation.subwords import SubwordVocabulary
from lsk_translation.translator import Translator


class Translation(NamedTuple):
    """One hypothesis.

    Attributes:
        text: The detokenized sentence.
        score: log p(y) / ((5 + |y|) / 6)^a at the temperature of the search, nats.
    """

    text: str
    score: float


def translate_sentences(
    translator: Translator,
    sentences: Ragged,
    vocabulary: SubwordVocabulary,
    progress: Progress,
    *,
    temperature: float = 1.0,
) -> list[list[Translation]]:
    """Translates sentences of any lengths; the order is kept.

    Args:
        translator: Who translates.
        sentences: The sub-word ids of the sources.
        vocabulary: The sub-words of both sides.
        progress: Called with sentences done and in all.
        temperature: T.

    Returns:
        For each sentence, its translations, best first.
    """
    found = translator.search_all(
        sentences.lengths + 1,
        lambda rows, size: (with_ends(sentences, rows, size),),
        progress,
        temperature=temperature,
    )
    texts = vocabulary.decode([tokens.tolist() for one in found for tokens, _ in one])
    text = iter(texts)
    return [[Translation(next(text), score) for _, score in one] for one in found]


def translate_examples(
    model: keras.Model, examples: Examples, config: Config, data: TaskData, progress: Progress
) -> list[str]:
    """Translates the sources of a split, which `lsk_translation.data` has loaded."""
    if not isinstance(examples, TextPairs):
        raise InputError(f"Expected sentence pairs. Received: {type(examples).__name__}")
    vocabulary = SubwordVocabulary.from_bytes(data.artifacts[VOCABULARY_FILE])
    found = translate_sentences(
        Translator.of(model, config.decoding, jit_compile=config.training.jit_compile is True),
        examples.source,
        vocabulary,
        progress,
        temperature=config.decoding.temperature,
    )
    return [translations[0].text for translations in found]
