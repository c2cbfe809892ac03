"""BLEU and chrF, by sacrebleu."""

import json
from collections.abc import Sequence

from sacrebleu.metrics import BLEU, CHRF

from lsk_engine import InputError, Scores


def score(references: Sequence[str], hypotheses: Sequence[str]) -> Scores:
    """Scores translations of one split; more is better.

    Args:
        references: One reference a sentence.
        hypotheses: As many translations, detokenized.

    Returns:
        `bleu` (cased, 13a tokens), `bleu_uncased` (the paper's figure) and `chrf`, 0 … 100, with
        sacrebleu's signatures; BLEU with 95 % intervals from 1,000 resamplings of the sentences.
    """
    if len(references) != len(hypotheses) or not references:
        raise InputError(
            "Expected as many hypotheses as references, at least one. "
            f"Received: {len(hypotheses)} and {len(references)}"
        )
    metrics = {"bleu": BLEU(), "bleu_uncased": BLEU(lowercase=True), "chrf": CHRF()}
    values, signatures, intervals = {}, {}, {}
    for name, metric in metrics.items():
        resamplings = 1 if name == "chrf" else 1000  # chrF takes minutes
        found = metric.corpus_score(list(hypotheses), [list(references)], n_bootstrap=resamplings)
        values[name] = float(found.score)
        signatures[name] = str(metric.get_signature())
        told = json.loads(found.format(width=6, is_json=True, signature=signatures[name]))
        if "confidence_mean" in told:  # not for a BLEU of 0
            mean, half = told["confidence_mean"], told["confidence_var"]
            intervals[name] = (mean - half, mean + half)
    labels = {"bleu": "BLEU", "bleu_uncased": "BLEU uncased", "chrf": "chrF"}
    return Scores(values, labels, signatures, intervals, dict.fromkeys(values, "more"))
