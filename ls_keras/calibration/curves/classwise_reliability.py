"""Reliability curves of single classes, one against the rest."""

import numpy as np
from keras import ops

from ls_base.errors import InputError
from ls_keras.backend.tensors import as_array
from ls_keras.calibration.curves.reliability import curve_of_statistics
from ls_keras.calibration.curves.reliability_curve import ReliabilityCurve
from ls_keras.calibration.curves.top_label_statistics import (
    apply_mask,
    at_positions,
    group_of_each_row,
    read_groups,
)
from ls_keras.inputs.probabilities import class_labels, probabilities, read_examples
from ls_keras.inputs.targets import IgnoreClass
from ls_keras.inputs.validation import as_counts, as_flag


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
