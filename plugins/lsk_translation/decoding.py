"""Translating sentences of any lengths, and the splits of a data set."""

import dataclasses
import weakref
from typing import NamedTuple

import keras

from ls_keras.config import Config
from ls_keras.decoding.padded_batches import padded_batches
from ls_keras.errors import InputError
from ls_keras.task import Examples, Progress, TaskData
from lsk_translation.data import VOCABULARY_FILE, Sentences, TextPairs
from lsk_translation.subwords import SubwordVocabulary
from lsk_translation.translator import Translator

SHORTEST = 8  # pieces that sentences are padded to, at least


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
    sentences: Sentences,
    vocabulary: SubwordVocabulary,
    progress: Progress,
    *,
    temperature: float = 1.0,
) -> list[list[Translation]]:
    """Translates sentences of any lengths; the order is kept.

    A batch holds sentences of one padded length, which depends on the sentence alone: what else
    is translated changes no result.

    Args:
        translator: Who translates.
        sentences: The sources.
        vocabulary: The sub-words of both sides.
        progress: Called with sentences done and in all.
        temperature: T.

    Returns:
        For each sentence, its translations, best first.
    """
    sizes = sentences.lengths + 1
    found: list[list[Translation]] = [[] for _ in sizes]
    done = 0
    for size, rows, filled in padded_batches(
        sizes, translator.config.batch_size, shortest=SHORTEST
    ):
        of_rows = translator.translate(sentences.padded(filled, size), temperature)
        for row, hypotheses in zip(rows, of_rows, strict=False):
            texts = vocabulary.decode([tokens.tolist() for tokens, _ in hypotheses])
            scores = (score for _, score in hypotheses)
            found[row] = [Translation(*pair) for pair in zip(texts, scores, strict=True)]
        done += len(rows)
        progress(done, len(sizes))
    return found


def translate_examples(
    model: keras.Model, examples: Examples, config: Config, data: TaskData, progress: Progress
) -> list[str]:
    """Translates the sources of a split, which `lsk_translation.data` has loaded."""
    if not isinstance(examples, TextPairs):
        raise InputError(f"Expected sentence pairs. Received: {type(examples).__name__}")
    vocabulary = SubwordVocabulary.from_bytes(data.artifacts[VOCABULARY_FILE])
    found = translate_sentences(
        _translator(model, config),
        examples.source,
        vocabulary,
        progress,
        temperature=config.decoding.temperature,
    )
    return [translations[0].text for translations in found]


def uses_xla(config: Config) -> bool:
    """Returns whether TensorFlow is to compile the search with XLA."""
    return config.training.jit_compile is True


# One for a model, since the next split and the next temperature find its programs compiled.
_TRANSLATORS: weakref.WeakKeyDictionary[keras.Model, Translator] = weakref.WeakKeyDictionary()


def _translator(model: keras.Model, config: Config) -> Translator:
    known = _TRANSLATORS.get(model)
    fixed = dataclasses.replace(config.decoding, temperature=1.0)
    if known is None or known.config != fixed:
        known = Translator(model, fixed, jit_compile=uses_xla(config))
        _TRANSLATORS[model] = known
    return known
