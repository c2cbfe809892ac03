"""BLEU and chrF, by sacrebleu."""

from collections.abc import Sequence

from sacrebleu.metrics import BLEU, CHRF

from ls_keras.errors import InputError
from ls_keras.task import Scores


def score(references: Sequence[str], hypotheses: Sequence[str]) -> Scores:
    """Scores translations of one split; more is better.

    Args:
        references: One reference a sentence.
        hypotheses: As many translations, detokenized.

    Returns:
        `bleu` (cased, 13a tokens), `bleu_uncased` (the paper's figure) and `chrf`, 0 … 100, with
        sacrebleu's signatures.
    """
    if len(references) != len(hypotheses) or not references:
        raise InputError(
            "Expected as many hypotheses as references, at least one. "
            f"Received: {len(hypotheses)} and {len(references)}"
        )
    metrics = {"bleu": BLEU(), "bleu_uncased": BLEU(lowercase=True), "chrf": CHRF()}
    values, signatures = {}, {}
    for name, metric in metrics.items():
        values[name] = float(metric.corpus_score(list(hypotheses), [list(references)]).score)
        signatures[name] = str(metric.get_signature())
    labels = {"bleu": "BLEU", "bleu_uncased": "BLEU uncased", "chrf": "chrF"}
    return Scores(values, labels, signatures)
