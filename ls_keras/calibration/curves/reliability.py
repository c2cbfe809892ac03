"""Reliability curves: accuracy against confidence, with confidence intervals."""

from typing import Any

import numpy as np
from keras import ops

from ls_base.brief_repr import brief_repr
from ls_base.errors import InputError
from ls_keras.backend.tensors import as_array
from ls_keras.calibration.curves.reliability_curve import ReliabilityCurve, curve_of_statistics
from ls_keras.calibration.curves.top_label_statistics import (
    apply_mask,
    at_positions,
    group_of_each_row,
    read_groups,
)
from ls_keras.inputs.probabilities import (
    class_labels,
    confidence_and_correct,
    probabilities,
    read_examples,
)
from ls_keras.inputs.targets import IgnoreClass, ignored_ids
from ls_keras.inputs.validation import as_counts, as_flag
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
        multi_label: Whether each entry of the last axis is a sigmoid, and a separate example:
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

    It keeps 17 bytes per example: confidence, correctness, group and weight.

    Args:
        from_logits: Whether `y_pred` are logits.
        ignore_class: A label id, or several, whose positions do not count (integer targets).
        multi_label: Whether each entry of the last axis is a sigmoid, and a separate example.

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

        Without `groups`, each row of each batch is a separate group.
        """
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
        weights = np.ones(shape, np.float32) if top.weights is None else top.weights
        counts = weights != 0
        columns = (confidences, top.correct, groups, weights)
        self._parts.append(tuple(column[counts] for column in columns))

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
        names = ("top_confidence", "correct", "groups", "sample_weight")
        columns = zip(*self._parts, strict=True)
        return {name: np.concatenate(parts) for name, parts in zip(names, columns, strict=True)}


def classwise_reliability(
    y_true,
    y_pred,
    *,
    classes=None,
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
) -> dict[int, ReliabilityCurve]:
    """Returns the reliability curve of the probability of each class, one against the rest.

    Every example is in the curve of every class k, with confidence p_k, and correct if its label is
    k. The mean of the curves' `ece` is `ExpectedCalibrationError(classwise=True)`. With many
    classes, most probabilities are near 0, and so is the error: look at `overconfidence` and
    `underconfidence` of a class, and at the interval.

    Args:
        y_true: Integers `(...)` or `(..., 1)`, or dense targets `(..., K)`.
        y_pred: Array `(..., K)`, K ≥ 2: probabilities, or logits with `from_logits=True`.
        classes: Class ids; `None`: all. Each one needs a bootstrap.
        num_bins: Number of bins.
        from_logits: Whether `y_pred` are logits.
        ignore_class: Label id, or several, whose positions do not count (integer targets).
        multi_label: Whether each entry of the last axis is a sigmoid; a class is then a label, in
            the examples in which it counts. Default: `False`.
        sample_weight: Array of shape `(...)` or of its leading axes, or `None`.
        mask: Boolean, of shape `(...)` or of its leading axes; false where a position does not
            count.
        groups: Integers of shape `(...)` or of its leading axes: examples of one group are
            resampled together. Default: the index on the first axis.
        confidence: Level of the intervals.
        resamples: Number of bootstrap resamples, 100 to 10,000.
        seed: Seed of the resampling.

    Returns:
        Curves by class id; `ls_keras.plots.reliability_diagram` draws them by name.

    Raises:
        InputError: As `reliability_curve`, and if a class id is out of range.

    Example:
        >>> from ls_keras.calibration import classwise_reliability
        >>> p = [[0.5, 0.25, 0.25]] * 4
        >>> curves = classwise_reliability([0, 0, 2, 2], p, num_bins=4)
        >>> [curves[k].ece for k in range(3)]
        [0.0, 0.25, 0.25]
    """
    as_flag(from_logits, "from_logits")
    as_flag(multi_label, "multi_label")
    shape = as_array(y_pred, "y_pred").shape
    sample_weight = apply_mask(sample_weight, mask, shape if multi_label else shape[:-1])
    examples = read_examples(
        y_true,
        y_pred,
        sample_weight=sample_weight,
        from_logits=from_logits,
        ignore_class=ignore_class,
        multi_label=multi_label,
    )
    p = ops.convert_to_numpy(probabilities(examples.y_pred, from_logits=from_logits))
    labels = ops.convert_to_numpy(class_labels(examples.targets))
    if multi_label:  # a pair for each sigmoid, label 1 last
        p, right = p[..., 1], labels == 1
    else:
        right = labels[..., None] == np.arange(p.shape[-1])
    shape, num_classes = p.shape[:-1], p.shape[-1]
    if groups is None:
        groups = group_of_each_row(shape)
    ids = at_positions(read_groups(groups), shape, "groups").reshape(-1)
    chosen = range(num_classes) if classes is None else as_counts(classes, "classes")
    if max(chosen, default=num_classes) >= num_classes:
        raise InputError(
            f"Expected classes in [0, {num_classes}), at least one. Received: {list(chosen)}"
        )
    p, right = p.reshape(-1, num_classes), right.reshape(-1, num_classes)
    weights, curves = None, {}
    if examples.weights is not None:
        weights = ops.convert_to_numpy(examples.weights)
        weights = weights if multi_label else weights[..., None]
        weights = np.broadcast_to(weights, (*shape, num_classes)).reshape(-1, num_classes)
    for k in chosen:
        counts = np.ones(len(p), bool) if weights is None else weights[:, k] != 0
        curves[k] = curve_of_statistics(
            p[counts, k].clip(0, 1),  # rounding may exceed 1
            right[counts, k],
            sample_weight=None if weights is None else weights[counts, k],
            groups=ids[counts],
            multi_label=multi_label,
            num_bins=num_bins,
            confidence=confidence,
            resamples=resamples,
            seed=seed,
        )
    return curves
