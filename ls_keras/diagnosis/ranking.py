"""Held-out gain of logit normalization over the softmax in ranking errors last."""

from collections.abc import Sequence

import numpy as np

from ls_keras.calibration.ranking.risk_coverage import (
    RiskCoverage,
    aurc_influence,
    logit_norm_confidence,
    risk_coverage,
)
from ls_keras.calibration.scaling.recalibration import ExampleScores
from ls_keras.inputs.numpy_examples import HostExamples, blocks, in_threads, read_rows

NORMS = (1, 2, 3, 4, 5, 6, 7, 8)
_SAMPLE = 20_000  # examples used to choose p: eight powers of each logit take long


def normalized_ranking(
    examples: HostExamples, scores: ExampleScores, ids: np.ndarray
) -> tuple[int, RiskCoverage, float, np.ndarray]:
    """Returns the gain of ranking by `logit_norm_confidence`, with p chosen on the other folds.

    Confidences of different p have different scales, so AURC is computed within folds and averaged.
    At most 20,000 examples are used to choose p.

    Args:
        examples: Examples with finite logits.
        scores: Scores of the examples.
        ids: Fold of each example.

    Returns:
        The best p for all examples, risk against coverage with that p, the gain (AURC of the
        softmax minus that of the norm, weighted mean over folds), and the influence of each example
        on the gain, `(n,)`, of weighted mean 0.
    """
    weights = examples.weights
    stride = -(-len(examples) // _SAMPLE)
    few = slice(None, None, stride)
    sample = {p: norm_confidence(examples.chosen(few), p) for p in NORMS}

    def best(at: np.ndarray) -> int:
        return min(
            NORMS,
            key=lambda p: _area(scores.correct[few][at], sample[p][at], weights[few][at]),
        )

    overall = best(np.ones(len(ids[few]), bool))
    gain, influence = 0.0, np.zeros(len(ids))
    for fold in np.unique(ids):
        held_out = ids == fold
        others = ids[few] != fold
        p = best(others) if others.any() else overall
        correct, weight = scores.correct[held_out], weights[held_out]
        softmax = scores.confidence[held_out]
        norm = norm_confidence(examples.chosen(held_out), p)
        share = weight.sum() / weights.sum()
        gain += share * (_area(correct, softmax, weight) - _area(correct, norm, weight))
        influence[held_out] = aurc_influence(
            correct, softmax, sample_weight=weight
        ) - aurc_influence(correct, norm, sample_weight=weight)
    norm = norm_confidence(examples, overall)
    curve = curve_of(scores.correct, norm, weights)
    return overall, curve, float(gain), influence


def norm_confidence(examples: HostExamples, p: int) -> np.ndarray:
    """Returns `logit_norm_confidence` of each example `(n,)`, computed block by block."""
    found = np.empty(len(examples))

    def run(at: slice) -> None:
        z = read_rows(examples.logits, examples.rows, at)
        found[at] = logit_norm_confidence(z, p)

    in_threads(run, list(blocks(0, len(examples), examples.logits.shape[1])))
    return found


def curve_of(correct: np.ndarray, confidence: np.ndarray, weights: np.ndarray) -> RiskCoverage:
    """Returns risk against coverage; equal weights count as no weights."""
    equal = weights.min() == weights.max()
    return risk_coverage(correct, confidence, sample_weight=None if equal else weights)


def _area(correct: Sequence | np.ndarray, confidence: np.ndarray, weights: np.ndarray) -> float:
    return curve_of(np.asarray(correct), confidence, weights).aurc
