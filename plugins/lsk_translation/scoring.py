"""Translates the sentences of a split and scores the translations."""

import itertools
import json
from collections.abc import Sequence
from typing import Literal, NamedTuple

import keras
from sacrebleu.metrics import BLEU, CHRF

from lsk_engine import Config, Examples, InputError, Progress, Scores, TaskData
from lsk_engine.data.formats.ragged import Ragged
from lsk_engine.devices.distributed_decoding import make_search
from lsk_engine.runs.run_data import build_unsmoothing
from lsk_engine.tasks.percentage import percentage
from lsk_translation.data import VOCABULARY_FILE, TextPairs, with_ends
from lsk_translation.model import Translator
from lsk_translation.subwords import SubwordVocabulary


class Translation(NamedTuple):
    """One hypothesis.

    Attributes:
        text: The detokenized sentence.
        score: log p(y) / ((5 + |y|) / 6)^a at the temperature of the search, in nats.
        log_p: log p(y) / |y|, the mean per piece in nats, end token included if there is one.
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
    """Translates sentences of any length, in order.

    Args:
        translator: The search.
        sentences: The sub-word ids of the sources.
        vocabulary: The sub-words of both sides.
        progress: Called with the number of sentences done and the total.
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
    """Translates the sources of a split.

    Returns:
        For each example its best translation: `text`, and `log_p` in nats per piece.
    """
    if not isinstance(examples, TextPairs):
        raise InputError(f"Expected sentence pairs. Received: {type(examples).__name__}")
    vocabulary = SubwordVocabulary(data.artifacts[VOCABULARY_FILE])
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


def score(references: Sequence[str | tuple[str, ...]], hypotheses: Sequence[str]) -> Scores:
    """Computes BLEU and chrF; higher is better.

    Args:
        references: The reference of each sentence, or a tuple of all correct translations.
        hypotheses: The translation of each sentence, detokenized.

    Returns:
        `bleu` (cased, 13a tokens), `bleu_uncased` (the paper's figure) and `chrf`, 0 … 100, with
        sacrebleu's signatures; BLEU with 95 % bootstrap intervals over 1,000 resamplings. With
        tuples, also `right`: the percentage of correct translations with its Clopper–Pearson
        interval. `length_ratio`: 13a tokens of the translations divided by those of the (nearest)
        references, sacrebleu's `sys_len / ref_len`, which has no better direction.
    """
    if len(references) != len(hypotheses) or not references:
        raise InputError(
            "Expected as many hypotheses as references, at least one. "
            f"Received: {len(hypotheses)} and {len(references)}"
        )
    several = [(one,) if isinstance(one, str) else one for one in references]
    # Stream i has reference i of each sentence; sacrebleu ignores None.
    streams = [list(stream) for stream in itertools.zip_longest(*several)]
    metrics = {"bleu": BLEU(), "bleu_uncased": BLEU(lowercase=True), "chrf": CHRF()}
    values, signatures, intervals = {}, {}, {}
    for name, metric in metrics.items():
        resamplings = 1 if name == "chrf" else 1000  # chrF takes minutes
        found = metric.corpus_score(list(hypotheses), streams, n_bootstrap=resamplings)
        values[name] = float(found.score)
        signatures[name] = str(metric.get_signature())
        report = json.loads(found.format(width=6, is_json=True, signature=signatures[name]))
        if "confidence_mean" in report:  # missing for a BLEU of 0
            mean, half = report["confidence_mean"], report["confidence_var"]
            # sacrebleu's interval is symmetric and may leave the range of scores.
            intervals[name] = (max(0.0, mean - half), min(100.0, mean + half))
        if name == "bleu":
            length_ratio = float(found.ratio)
    labels = {"bleu": "BLEU", "bleu_uncased": "BLEU uncased", "chrf": "chrF"}
    if len(streams) > 1:
        right = sum(text in known for text, known in zip(hypotheses, several, strict=True))
        values["right"], intervals["right"] = percentage(right, len(several))
        labels["right"] = "right (%)"
    better: dict[str, Literal["less", "more"]] = dict.fromkeys(values, "more")
    values["length_ratio"], labels["length_ratio"] = length_ratio, "length / reference"
    bounds = dict.fromkeys(better, (0.0, 100.0))
    return Scores(values, labels, signatures, intervals, better, bounds)
