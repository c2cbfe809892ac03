"""A reliability curve for each class: its own probability against how often it is the label."""

import numpy as np
from keras import ops

from ls_base.errors import InputError
from ls_keras.calibration.curves.reliability import curve_of_statistics
from ls_keras.calibration.curves.reliability_curve import ReliabilityCurve
from ls_keras.calibration.curves.top_label_statistics import (
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
    groups=None,
    confidence: float = 0.95,
    resamples: int = 1000,
    seed: int = 0,
) -> dict[int, ReliabilityCurve]:
    """Returns the reliability curve of each class's probability, one against the rest.

    Every example is in the curve of every class, with p_k for its confidence, and right where k is
    its label. The mean of the curves' `ece` is `ExpectedCalibrationError(classwise=True)`. With
    many classes most probabilities are near 0, and so is the error: look at `overconfidence` and
    `underconfidence` of a class, and at the interval.

    Args:
        y_true: Integers `(...)` or `(..., 1)`, or dense targets `(..., K)`.
        y_pred: Array `(..., K)`, K ≥ 2: probabilities, or logits with `from_logits=True`.
        classes: The class ids; `None`: all. Each costs a bootstrap.
        num_bins: As for `reliability_curve`.
        from_logits: Likewise.
        ignore_class: Likewise.
        multi_label: Whether each entry of the last axis is a sigmoid; then a class is a label, in
            the examples where it counts. Default: `False`.
        sample_weight: Likewise.
        groups: Likewise.
        confidence: Likewise.
        resamples: Likewise.
        seed: Likewise.

    Returns:
        Curves by class id, for `ls_keras.plots.reliability_diagram` by name.

    Raises:
        InputError: As `reliability_curve`, and for a class that is none.

    Example:
        >>> from ls_keras.calibration import classwise_reliability
        >>> p = [[0.5, 0.25, 0.25]] * 4
        >>> curves = classwise_reliability([0, 0, 2, 2], p, num_bins=4)
        >>> [curves[k].ece for k in range(3)]
        [0.0, 0.25, 0.25]
    """
    as_flag(from_logits, "from_logits")
    as_flag(multi_label, "multi_label")
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
    if multi_label:  # of each sigmoid a pair, the label 1 last
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
            p[counts, k].clip(0, 1),  # a softmax may round above
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
