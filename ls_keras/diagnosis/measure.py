"""Computes the numbers of a diagnosis."""

from typing import Any, NamedTuple

import numpy as np

from ls_keras.calibration.curves.intervals import mean_interval, proportion_interval
from ls_keras.calibration.curves.reliability import curve_of_statistics
from ls_keras.calibration.curves.reliability_curve import ReliabilityCurve
from ls_keras.calibration.curves.smooth_error import smooth_error_of_statistics
from ls_keras.calibration.curves.top_label_statistics import count_groups
from ls_keras.calibration.ranking.risk_coverage import aurc_influence
from ls_keras.calibration.scaling.recalibration import ExampleScores, example_scores, log_softmax
from ls_keras.calibration.scaling.temperature import fit_examples
from ls_keras.diagnosis.findings import UNKNOWN, Estimate
from ls_keras.diagnosis.ranking import curve_of, normalized_ranking
from ls_keras.diagnosis.temperature import (
    fold_ids,
    influence_by_folds,
    scale_held_out,
    temperature_interval,
)
from ls_keras.diagnosis.worst_classes import (
    class_probability,
    hard_labels,
    least_recalled,
    worst_calibrated,
)
from ls_keras.inputs.numpy_examples import HostExamples


class Resampling(NamedTuple):
    """Options of the bootstrap intervals.

    Attributes:
        level: Level, such as 0.95.
        resamples: Number of bootstrap resamples.
        seed: Seed of resamples and folds.
    """

    level: float
    resamples: int
    seed: int


def measure(
    examples: HostExamples,
    groups: np.ndarray,
    folds: int,
    num_bins: int,
    how: Resampling,
) -> dict[str, Any]:
    """Returns the attributes of `Findings` that are computed from examples.

    Args:
        examples: At least one.
        groups: Integers `(n,)`.
        folds: Number of folds; with fewer groups, each group is a fold.
        num_bins: Number of bins of the ECE.
        how: Options of the intervals.
    """
    weights = examples.weights
    num_groups = count_groups(groups)
    folds = 0 if num_groups == 1 else min(folds, num_groups)
    scores = example_scores(examples, log_softmax)

    def mean(values: np.ndarray) -> Estimate:
        value, ends = mean_interval(values, weights, groups, *how)
        return Estimate(value, *ends)

    def curve(each: ExampleScores, temperature: float | None = None) -> ReliabilityCurve:
        return _curve(each.confidence, each.correct, weights, groups, num_bins, how, temperature)

    accuracy, ends = proportion_interval(scores.correct.astype(float), weights, groups, *how)
    fit = fit_examples(examples, num_bins=num_bins)
    risks = curve_of(scores.correct, scores.confidence, weights)
    found: dict[str, Any] = {
        "num_examples": len(examples),
        "num_groups": num_groups,
        "num_classes": examples.logits.shape[1],
        "level": how.level,
        "folds": folds,
        "accuracy": Estimate(accuracy, *ends),
        "nll": mean(scores.nll),
        "brier": mean(scores.brier),
        "reliability": curve(scores),
        "smooth": smooth_error_of_statistics(
            scores.confidence.clip(0, 1),
            scores.correct,
            sample_weight=weights,
            groups=groups,
            confidence=how.level,
            resamples=how.resamples,
            seed=how.seed,
        ),
        "bias": mean(scores.confidence - scores.correct),
        "fit": fit,
        "temperature": Estimate(
            fit.temperature, *temperature_interval(examples, fit, groups, *how)
        ),
        "risk_coverage": risks,
        "aurc": _shifted(
            mean(aurc_influence(scores.correct, scores.confidence, sample_weight=weights)),
            risks.aurc,
        ),
    }
    nothing: dict[str, Any] = dict.fromkeys(("nll_gain", "brier_gain", "aurc_gain"), UNKNOWN)
    found |= {**nothing, "scaled": None, "norm_p": None, "normalized": None}
    if not folds:
        return found | _worst_classes(examples, scores, groups, num_bins, how, None)
    ids = fold_ids(groups, folds, how.seed)
    scaled = scale_held_out(examples, ids)
    of_nll, of_brier = influence_by_folds(examples, scaled, ids)
    nll_gain = mean(scores.nll - scaled.scores.nll + of_nll)
    helps = nll_gain.above and not scores.correct.all()
    found |= {
        "nll_gain": nll_gain,
        "brier_gain": mean(scores.brier - scaled.scores.brier + of_brier),
        "scaled": curve(scaled.scores, fit.temperature),
        # If T helps, report the miscalibration that T leaves.
        **_worst_classes(
            examples,
            scores,
            groups,
            num_bins,
            how,
            scaled.temperatures if helps else None,
        ),
    }
    if not examples.masked:
        ranked = normalized_ranking(examples, scores, ids)
        found |= {
            "norm_p": ranked.p,
            "normalized": ranked.curve,
            "aurc_gain": _shifted(mean(ranked.influence), ranked.gain),
        }
    return found


def _worst_classes(
    examples: HostExamples,
    scores: ExampleScores,
    groups: np.ndarray,
    num_bins: int,
    how: Resampling,
    temperatures: np.ndarray | None,
) -> dict[str, Any]:
    if temperatures is None:
        temperatures = np.ones(len(groups))
    halves, labels = fold_ids(groups, 2, how.seed), hard_labels(examples)
    weights, num_classes = examples.weights, examples.logits.shape[1]
    chooses = halves == 0
    measures = ~chooses if not chooses.all() else chooses  # a single group has no other half
    worst = worst_calibrated(
        examples.chosen(chooses), labels[chooses], num_bins, temperatures[chooses]
    )
    least = least_recalled(labels[chooses], scores.correct[chooses], weights[chooses], num_classes)
    recall = UNKNOWN
    its = measures & (labels == least)
    if its.any():
        hits = scores.correct[its].astype(float)
        share, ends = proportion_interval(hits, weights[its], groups[its], *how)
        recall = Estimate(share, *ends)
    return {
        "worst_class": worst,
        "worst_reliability": _curve(
            class_probability(examples.chosen(measures), worst, temperatures[measures]),
            labels[measures] == worst,
            weights[measures],
            groups[measures],
            num_bins,
            how,
        ),
        "least_class": least,
        "least_recall": recall,
    }


def _curve(
    confidence: np.ndarray,
    correct: np.ndarray,
    weights: np.ndarray,
    groups: np.ndarray,
    num_bins: int,
    how: Resampling,
    temperature: float | None = None,
) -> ReliabilityCurve:
    return curve_of_statistics(
        confidence.clip(0, 1),  # rounding may exceed 1
        correct,
        sample_weight=weights,
        groups=groups,
        num_bins=num_bins,
        confidence=how.level,
        resamples=how.resamples,
        seed=how.seed,
        temperature=temperature,
    )


def _shifted(estimate: Estimate, by: float) -> Estimate:
    return Estimate(*(part + by for part in estimate))
