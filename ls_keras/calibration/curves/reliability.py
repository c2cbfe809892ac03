"""Reliability curves: accuracy against confidence, with confidence intervals."""

from typing import Any

import numpy as np
from keras import ops

from ls_base.brief_repr import brief_repr
from ls_base.errors import InputError
from ls_keras.backend.tensors import as_array
from ls_keras.calibration.curves.intervals import error_interval
from ls_keras.calibration.curves.reliability_curve import ReliabilityCurve, binomial_intervals
from ls_keras.calibration.curves.top_label_statistics import (
    apply_mask,
    at_positions,
    check_level,
    group_of_each_row,
    read_groups,
    read_statistics,
)
from ls_keras.inputs.probabilities import confidence_and_correct, read_examples
from ls_keras.inputs.targets import IgnoreClass, ignored_ids
from ls_keras.inputs.validation import as_flag, as_number, as_seed
from ls_keras.metrics.binning import check_num_bins, equal_width_edges
from ls_keras.metrics.calibration_error import Bins, calibration_error
from ls_keras.metrics.numpy_top_label import TopLabels, read_top_labels


def reliability_curve(
    y_true,
    y_pred,
    *,
    num_bins: int = 15,
    from_logits: bool = False,
    ignore_class: IgnoreClass = None,
    multi_label: bool = False,
    sample_weight=None,
    mask=None,
    groups=None,
    confidence: float = 0.95,
    resamples: int = 1000,
    seed: int = 0,
    temperature: float | None = None,
) -> ReliabilityCurve:
    """Returns accuracy against confidence over bins, with intervals.

    Bins are those of `ls_keras.ExpectedCalibrationError`: left-open, right-closed, equally wide.

    Args:
        y_true: Integers `(...)` or `(..., 1)`, or dense targets `(..., K)`. With `multi_label`,
            labels in [0, 1] of the shape of `y_pred`, or `(...)` for `(..., 1)`.
        y_pred: Array `(..., K)`, K ≥ 2: probabilities, or logits with `from_logits=True`; with
            `multi_label`, K ≥ 1.
        num_bins: Number of bins.
        from_logits: Whether `y_pred` are logits.
        ignore_class: A label id, or several, whose positions do not count (integer targets).
        multi_label: Whether each entry of the last axis is a sigmoid, and an example of its own:
            the curve is then that of the label 1, its frequency against its probability.
        sample_weight: Array of shape `(...)` or of its leading axes, or `None`. With
            `multi_label`, `(..., K)` or its leading axes.
        mask: Boolean, of shape `(...)` or of its leading axes; false where a position does not
            count.
        groups: Integers of shape `(...)` or of its leading axes: examples of one group depend on
            each other and are resampled together. Default: the index on the first axis, so that
            examples of `(batch, K)` are independent, and tokens of one sentence of
            `(batch, time, K)`, or with `multi_label` the K labels of a row, stay together.
        confidence: Level of the intervals.
        resamples: Bootstrap resamples behind the interval of the ECE, 100 to 10,000.
        seed: Seed of the resampling.
        temperature: Temperature that `y_pred` were scaled with; only stored, for the legend of a
            diagram.

    Raises:
        InputError: If the shapes do not fit, if a value is out of range, or if no example counts.

    Example:
        >>> import ls_keras
        >>> y_pred = [[0.75, 0.25]] * 8
        >>> curve = ls_keras.reliability_curve([0, 0, 0, 0, 1, 1, 1, 1], y_pred, num_bins=2)
        >>> curve.counts, curve.accuracy[1], curve.ece
        ((0.0, 8.0), 0.5, 0.25)
    """
    accumulator = ReliabilityAccumulator(
        from_logits=from_logits, ignore_class=ignore_class, multi_label=multi_label
    )
    accumulator.update(y_true, y_pred, sample_weight=sample_weight, mask=mask, groups=groups)
    return accumulator.curve(
        num_bins=num_bins,
        confidence=confidence,
        resamples=resamples,
        seed=seed,
        temperature=temperature,
    )


class ReliabilityAccumulator:
    """Collects the statistics of a reliability curve batch by batch, without keeping predictions.

    It keeps 13 bytes per example (confidence, correctness, group), 17 with weights.

    Args:
        from_logits: Whether `y_pred` are logits.
        ignore_class: A label id, or several, whose positions do not count (integer targets).
        multi_label: Whether each entry of the last axis is a sigmoid, and an example of its own.

    Example:
        >>> import ls_keras
        >>> accumulator = ls_keras.ReliabilityAccumulator()
        >>> for _ in range(3):
        ...     accumulator.update([0, 1], [[0.75, 0.25], [0.75, 0.25]])
        >>> accumulator.curve(num_bins=4).counts
        (0.0, 0.0, 6.0, 0.0)
    """

    def __init__(
        self,
        *,
        from_logits: bool = False,
        ignore_class: IgnoreClass = None,
        multi_label: bool = False,
    ):
        self.from_logits = as_flag(from_logits, "from_logits")
        self.multi_label = as_flag(multi_label, "multi_label")
        ignored_ids(ignore_class)
        self.ignore_class = ignore_class
        self._parts: list[tuple[np.ndarray, ...]] = []
        self._weighted = False
        self._next_group = 0

    def __repr__(self) -> str:
        return brief_repr(
            self,
            from_logits=self.from_logits,
            ignore_class=self.ignore_class,
            multi_label=self.multi_label,
            batches=len(self._parts),
        )

    def update(self, y_true, y_pred, *, sample_weight=None, mask=None, groups=None) -> None:
        """Adds a batch; takes the arguments of `reliability_curve`.

        Without `groups`, each row of each batch is a group of its own.
        """
        weighted = sample_weight is not None
        if mask is not None:
            shape = as_array(y_pred, "y_pred").shape
            shape = shape if self.multi_label else shape[:-1]
            sample_weight = apply_mask(sample_weight, mask, shape)
        options: dict[str, Any] = {
            "sample_weight": sample_weight,
            "from_logits": self.from_logits,
            "ignore_class": self.ignore_class,
        }
        top = None if self.multi_label else read_top_labels(y_true, y_pred, **options)
        if top is None:
            examples = read_examples(y_true, y_pred, multi_label=self.multi_label, **options)
            confidence, right = confidence_and_correct(
                examples, from_logits=self.from_logits, multi_label=self.multi_label
            )
            weights = examples.weights
            top = TopLabels(
                ops.convert_to_numpy(confidence),
                ops.convert_to_numpy(right),
                None if weights is None else ops.convert_to_numpy(weights),
            )
        confidences = top.confidence.clip(0, 1)  # rounding may exceed 1
        shape = top.confidence.shape
        if groups is None:
            groups = group_of_each_row(shape) + self._next_group
            self._next_group += groups.size
        groups = at_positions(read_groups(groups), shape, "groups")
        columns = [confidences, top.correct, groups]
        if top.weights is not None:
            counts = top.weights != 0
            columns = [column[counts] for column in columns]
            weights = top.weights[counts]
            self._weighted |= weighted
        else:
            columns = [column.reshape(-1) for column in columns]
            weights = np.ones(len(columns[0]), np.float32)
        self._parts.append((*columns, weights if weighted else weights[:0]))

    def curve(self, **options: Any) -> ReliabilityCurve:
        """Returns the curve of all examples added so far.

        Args:
            **options: Arguments of `curve_of_statistics`.
        """
        options.setdefault("multi_label", self.multi_label)
        return curve_of_statistics(**self.statistics(), **options)

    def statistics(self) -> dict[str, Any]:
        """Returns the examples added so far, as arguments of `curve_of_statistics`.

        Raises:
            InputError: If no batch was added.
        """
        if not self._parts:
            raise InputError("Expected at least one batch. Received: none")
        weights = None
        if self._weighted:
            weights = np.concatenate(
                [w if len(w) else np.ones(len(c), np.float32) for c, _, _, w in self._parts]
            )
        confidence, correct, groups = (
            np.concatenate([part[i] for part in self._parts]) for i in range(3)
        )
        return {
            "top_confidence": confidence,
            "correct": correct,
            "sample_weight": weights,
            "groups": groups,
        }


def curve_of_statistics(
    top_confidence,
    correct,
    *,
    sample_weight=None,
    groups=None,
    num_bins: int = 15,
    confidence: float = 0.95,
    resamples: int = 1000,
    seed: int = 0,
    temperature: float | None = None,
    multi_label: bool = False,
) -> ReliabilityCurve:
    """Returns the reliability curve for given confidence and correctness of each example.

    Args:
        top_confidence: Array `(N,)` in [0, 1]: the largest probability of each example.
        correct: Array `(N,)` of booleans or 0 and 1: whether its class was the target's.
        sample_weight: Array `(N,)` of non-negative weights, or `None`.
        groups: Integers `(N,)`: examples of one group are resampled together; `None`: all are
            independent.
        num_bins: Number of bins.
        confidence: Level of the intervals.
        resamples: Bootstrap resamples behind the interval of the ECE, 100 to 10,000.
        seed: Seed of the resampling.
        temperature: Stored for the legend of a diagram.
        multi_label: Stored for the axes of a diagram: whether `top_confidence` are probabilities of
            sigmoids and `correct` their labels.

    Raises:
        InputError: If the arrays have different lengths, if a value is out of range, or if no
            example counts.
    """
    num_bins = check_num_bins(num_bins)
    as_flag(multi_label, "multi_label")
    check_level(confidence)
    seed = as_seed(seed)
    if temperature is not None:
        temperature = as_number(temperature, "temperature", low=0, above=True)
    read = read_statistics(top_confidence, correct, sample_weight, groups)
    values, hits, weights, groups = read

    edges = equal_width_edges(num_bins)
    index = np.searchsorted(edges[1:-1], values, side="left")  # right-closed bins

    def over_bins(quantity):
        return np.bincount(index, quantity, num_bins)

    mass, squares = over_bins(weights), over_bins(weights**2)
    some = np.where(mass > 0, mass, np.nan)
    accuracy, mean = over_bins(weights * hits) / some, over_bins(weights * values) / some
    effective = mass**2 / np.where(mass > 0, squares, 1)
    lower, upper = binomial_intervals(accuracy, effective, confidence)
    gaps = read.gaps
    bins = Bins(mass, over_bins(gaps), over_bins(weights * hits), squares)
    corrected, interval = error_interval(
        gaps, weights, index, groups, num_bins, confidence, resamples, seed
    )
    return ReliabilityCurve(
        edges=tuple(edges.tolist()),
        counts=tuple(mass.tolist()),
        confidence=tuple(mean.tolist()),
        accuracy=tuple(accuracy.tolist()),
        accuracy_low=tuple(lower.tolist()),
        accuracy_high=tuple(upper.tolist()),
        ece=float(np.abs(over_bins(gaps)).sum() / weights.sum()),
        ece_corrected=corrected,
        ece_low=interval[0],
        ece_high=interval[1],
        level=confidence,
        examples=read.examples,
        groups=read.num_groups,
        temperature=temperature,
        multi_label=multi_label,
        rms=float(calibration_error(bins, norm="l2")),
        rms_debiased=float(calibration_error(bins, norm="l2", debias=True)),
    )
