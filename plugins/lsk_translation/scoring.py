"""BLEU and chrF, by sacrebleu; where all right translations are known, how many are right."""

import itertools
import json
from collections.abc import Sequence
from typing import Literal

from sacrebleu.metrics import BLEU, CHRF

from lsk_engine import InputError, Scores
from lsk_engine.tasks.percentage import percentage


def score(references: Sequence[str | tuple[str, ...]], hypotheses: Sequence[str]) -> Scores:
    """Scores translations of one split; more is better.

    Args:
        references: One reference a sentence, or a tuple of all that are right.
        hypotheses: As many translations, detokenized.

    Returns:
        `bleu` (cased, 13a tokens), `bleu_uncased` (the paper's figure) and `chrf`, 0 … 100, with
        sacrebleu's signatures; BLEU with 95 % intervals from 1,000 resamplings of the sentences.
        With tuples, also `right`: how many translations are one of the right ones, in percent,
        with its Clopper–Pearson interval. `length_ratio`: 13a tokens of the translations over
        those of the references (sacrebleu's `sys_len / ref_len`), the nearest length where a
        sentence has several; neither more nor less is better.
    """
    if len(references) != len(hypotheses) or not references:
        raise InputError(
            "Expected as many hypotheses as references, at least one. "
            f"Received: {len(hypotheses)} and {len(references)}"
        )
    several = [(one,) if isinstance(one, str) else one for one in references]
    # Stream i has each sentence's reference i; sacrebleu passes over None.
    streams = [list(stream) for stream in itertools.zip_longest(*several)]
    metrics = {"bleu": BLEU(), "bleu_uncased": BLEU(lowercase=True), "chrf": CHRF()}
    values, signatures, intervals = {}, {}, {}
    for name, metric in metrics.items():
        resamplings = 1 if name == "chrf" else 1000  # chrF takes minutes
        found = metric.corpus_score(list(hypotheses), streams, n_bootstrap=resamplings)
        values[name] = float(found.score)
        signatures[name] = str(metric.get_signature())
        told = json.loads(found.format(width=6, is_json=True, signature=signatures[name]))
        if "confidence_mean" in told:  # not for a BLEU of 0
            mean, half = told["confidence_mean"], told["confidence_var"]
            # sacrebleu's is symmetric, and may go beyond what a score can be.
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
