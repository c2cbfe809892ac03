"""Translating sentences of any lengths, and the splits of a data set."""

from typing import NamedTuple

import keras

from lsk_engine import Config, Examples, InputError, Progress, TaskData
from lsk_engine.data.formats.ragged import Ragged
from lsk_engine.devices.distributed_decoding import make_search
from lsk_engine.runs.unsmoothing import build_unsmoothing
from lsk_translation.data import VOCABULARY_FILE, TextPairs, with_ends
from lsk_translation.subwords import SubwordVocabulary
from lsk_translation.translator import Translator


class Translation(NamedTuple):
    """One hypothesis.

    Attributes:
        text: The detokenized sentence.
        score: log p(y) / ((5 + |y|) / 6)^a at the temperature of the search, nats.
        log_p: log p(y) / |y|, nats: what a piece has on the mean, the end token counted if there
            is one.
    """

    text: str
    score: float
    log_p: float


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
    texts = vocabulary.decode([tokens.tolist() for one in found for tokens, *_ in one])
    text = iter(texts)
    penalty = translator.config.length_penalty
    return [
        [Translation(next(text), score, _log_p(score, length, penalty)) for _, score, length in one]
        for one in found
    ]


def translate_examples(
    model: keras.Model, examples: Examples, config: Config, data: TaskData, progress: Progress
) -> list[dict[str, str | float]]:
    """Translates the sources of a split, which `lsk_translation.data` has loaded.

    Returns:
        For each example its best translation: `text`, and `log_p`, nats a piece.
    """
    if not isinstance(examples, TextPairs):
        raise InputError(f"Expected sentence pairs. Received: {type(examples).__name__}")
    vocabulary = SubwordVocabulary.from_bytes(data.artifacts[VOCABULARY_FILE])
    found = translate_sentences(
        make_search(
            Translator, model, config, len(examples), unsmooth=build_unsmoothing(config, data)
        ),
        examples.source,
        vocabulary,
        progress,
        temperature=config.decoding.temperature,
    )
    return [{"text": best.text, "log_p": best.log_p} for best, *_ in found]


def _log_p(score: float, length: int, penalty: float) -> float:
    return score * ((5 + length) / 6) ** penalty / length
