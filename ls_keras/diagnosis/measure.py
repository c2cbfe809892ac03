"""Computes the numbers of a diagnosis."""

from typing import Any, NamedTuple

import numpy as np

from ls_keras.calibration.curves.intervals import mean_interval, proportion_interval
from ls_keras.calibration.curves.reliability_curve import ReliabilityCurve, curve_of_statistics
from ls_keras.calibration.curves.smooth_error import smooth_error_of_statistics
from ls_keras.calibration.curves.top_label_statistics import count_groups
from ls_keras.calibration.ranking.risk_coverage import aurc_influence
from ls_keras.calibration.scaling.recalibration import (
    ExampleScores,
    bin_sums,
    example_scores,
    log_softmax,
)
from ls_keras.calibration.scaling.temperature import fit_examples
from ls_keras.diagnosis.ranking import curve_of, normalized_ranking
from ls_keras.diagnosis.report import UNKNOWN
from ls_keras.diagnosis.temperature import (
    fold_ids,
    influence_by_folds,
    scale_held_out,
    temperature_interval,
)
from ls_keras.diagnosis.text import Estimate
from ls_keras.inputs.numpy_examples import HostExamples, blocks, in_threads, read_rows

_SAMPLE = 1 << 24  # probabilities used to choose the worst class: 64 MiB


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
    """Returns the attributes of `Diagnosis` that are computed from examples.

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

    def mean(values: np.ndarray, shift: float = 0.0) -> Estimate:
        value, ends = mean_interval(values, weights, groups, *how)
        return Estimate(value + shift, ends[0] + shift, ends[1] + shift)

    def curve(each: ExampleScores, temperature: float | None = None) -> ReliabilityCurve:
        statistics = each.confidence, each.correct, weights, groups
        return _curve(*statistics, num_bins, how, temperature)

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
        "aurc": mean(
            aurc_influence(scores.correct, scores.confidence, sample_weight=weights), risks.aurc
        ),
    }
    found |= dict.fromkeys(("nll_gain", "brier_gain", "aurc_gain"), UNKNOWN)
    found |= dict.fromkeys(("scaled", "norm_p", "normalized"))
    temperatures = np.ones(len(groups))
    if folds:
        ids = fold_ids(groups, folds, how.seed)
        scaled, held_out = scale_held_out(examples, ids)
        of_nll, of_brier = influence_by_folds(examples, held_out, ids)
        found["nll_gain"] = mean(scores.nll - scaled.nll + of_nll)
        found["brier_gain"] = mean(scores.brier - scaled.brier + of_brier)
        found["scaled"] = curve(scaled, fit.temperature)
        if found["nll_gain"].above and not fit.at_bound:
            temperatures = held_out  # report the miscalibration that T leaves
    if folds and not examples.masked:
        norm_p, curve_of_norm, gain, influence = normalized_ranking(examples, scores, ids)
        found |= {"norm_p": norm_p, "normalized": curve_of_norm, "aurc_gain": mean(influence, gain)}
    return found | _worst_classes(examples, scores, groups, num_bins, how, temperatures)


def _worst_classes(
    examples: HostExamples,
    scores: ExampleScores,
    groups: np.ndarray,
    num_bins: int,
    how: Resampling,
    temperatures: np.ndarray,
) -> dict[str, Any]:
    """Returns the worst classes, chosen on one half of the groups and measured on the other.

    The largest of K noisy errors is biased up, the more so the larger K is; the error of the same
    class on other examples is not.
    """
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


def hard_labels(examples: HostExamples) -> np.ndarray:
    """Returns the label of each example `(n,)`: for dense targets, their largest entry."""
    if examples.labels is not None:
        return examples.labels
    dense = read_rows(examples.dense, examples.rows, slice(None))  # type: ignore[arg-type]
    return dense.argmax(-1)


def class_probability(
    examples: HostExamples, class_id: int, temperatures: np.ndarray
) -> np.ndarray:
    """Returns the probability `(n,)` that each example gives to a class, at its temperature."""
    return _probabilities(examples, temperatures, slice(class_id, class_id + 1), np.float64)[:, 0]


def _probabilities(
    examples: HostExamples, temperatures: np.ndarray, classes: slice, dtype
) -> np.ndarray:
    """Returns probabilities of some classes `(n, C)`, computed block by block."""
    num_classes = examples.logits.shape[1]
    p = np.empty((len(examples), len(range(num_classes)[classes])), dtype)

    def run(at: slice) -> None:
        z = read_rows(examples.logits, examples.rows, at).astype(np.float64)
        p[at] = np.exp(log_softmax(z, temperatures[at, None])[:, classes])

    in_threads(run, list(blocks(0, len(examples), num_classes)))
    return p


def worst_calibrated(
    examples: HostExamples, labels: np.ndarray, num_bins: int, temperatures: np.ndarray
) -> int:
    """Returns the class whose own probability has the largest ECE, one against the rest.

    Args:
        examples: Examples for the choice; a sample is used if there are many.
        labels: Label of each example.
        num_bins: Number of bins of the ECE.
        temperatures: T that divides the logits of each example, `(n,)`.
    """
    num_classes = examples.logits.shape[1]
    stride = max(1, len(examples) * num_classes // _SAMPLE)
    examples, labels = examples.every(stride), labels[::stride]
    p = _probabilities(examples, temperatures[::stride], slice(None), np.float32)

    def error(class_id: int) -> float:
        column = np.ascontiguousarray(p[:, class_id])[None]
        bins = bin_sums(column, labels == class_id, examples.weights, num_bins)[0]
        return float(np.abs(bins[1] - bins[2]).sum())

    return int(np.argmax(in_threads(error, range(num_classes))))


def least_recalled(
    labels: np.ndarray, correct: np.ndarray, weights: np.ndarray, num_classes: int
) -> int:
    """Returns the class with the lowest recall, among those with examples.

    One correct and one wrong example are added to each class (Laplace), so that rare classes are
    not chosen by chance.

    Args:
        labels: `(n,)`.
        correct: `(n,)`.
        weights: `(n,)`.
        num_classes: K.
    """
    weights = weights / weights.mean()
    total = np.bincount(labels, weights, num_classes)
    hits = np.bincount(labels, weights * correct, num_classes)
    return int(np.argmin(np.where(total > 0, (hits + 1) / (total + 2), np.inf)))
