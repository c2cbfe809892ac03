"""Reads `y_pred` for all metrics of calibration, and checks its values."""

from typing import Any, NamedTuple

import keras
import numpy as np
from keras import ops

from ls_base.errors import InputError
from ls_keras.backend.tensors import as_tensor, mask_of, recover_logits, to_numpy_or_none
from ls_keras.backend.warnings import warn_caller
from ls_keras.inputs.binary_targets import as_two_classes
from ls_keras.inputs.logits_check import warn, warn_if_probabilities, warn_of_distributions
from ls_keras.inputs.targets import IgnoreClass, Targets, read_targets
from ls_keras.inputs.weights import position_weights

# Rounding errors of the sum of K probabilities, by dtype.
SUM_TOLERANCE = {"float64": 1e-3, "float32": 1e-3, "float16": 2e-2, "bfloat16": 5e-2}


class Examples(NamedTuple):
    """The examples of a metric, one per position of `y_pred` without its last axis.

    Attributes:
        targets: The targets; see `ls_keras.inputs.targets`.
        y_pred: Tensor `(..., K)` of float32 (float64 stays): logits or probabilities. With
            `multi_label`, `(..., K, 2)`, see `ls_keras.inputs.binary_targets`.
        weights: float32 tensor `(...)`, 0 at masked and ignored positions; `None` if all
            weights are 1.
        wrong: In a graph, Boolean tensor `(...)`, true where a label is out of range, or `y_pred`
            is no distribution with `from_logits=False`, which makes the result NaN; `None` if the
            values were checked.
    """

    targets: Targets
    y_pred: Any
    weights: Any | None
    wrong: Any | None = None


def read_examples(
    y_true,
    y_pred,
    *,
    sample_weight=None,
    from_logits: bool = False,
    ignore_class: IgnoreClass = None,
    multi_label: bool = False,
) -> Examples:
    """Reads targets, predictions, masks and weights, and checks their values in eager use.

    Args:
        y_true: Integers `(...)` or `(..., 1)`, or dense targets `(..., K)`.
        y_pred: Tensor `(..., K)`: logits or probabilities, as `from_logits` says. A Keras mask
            attached to it is honored.
        sample_weight: Tensor of shape `(...)` or of its leading axes, or `None`.
        from_logits: Whether `y_pred` are logits. Nothing is inferred from the values; if Keras
            noted the logits of a softmax, they are read, with a warning.
        ignore_class: A label id, or several, whose positions do not count.
        multi_label: Whether each entry of the last axis is a sigmoid and a separate example.

    Raises:
        InputError: If the shapes don't fit or, in eager use, if `y_pred` has NaN at positions that
            count, or is no probability distribution there with `from_logits=False`.
    """
    mask = mask_of(y_pred)  # before a conversion may lose it
    y_pred = as_tensor(y_pred, "y_pred")
    if from_logits:
        y_pred, has_activation = recover_logits(y_pred, False, multi_label=multi_label)
        if has_activation:
            warn(f"the output of a {'sigmoid' if multi_label else 'softmax'}")
        elif multi_label:  # `_check_values` checks the others
            warn_if_probabilities(y_pred, multi_label=True)
    dtype = keras.backend.standardize_dtype(y_pred.dtype)
    if multi_label:
        targets, y_pred, mask = as_two_classes(
            y_true, y_pred, from_logits=from_logits, ignore_class=ignore_class, mask=mask
        )
    else:
        targets = read_targets(y_true, y_pred, ignore_class=ignore_class)
        if dtype not in ("float32", "float64"):
            y_pred = ops.cast(y_pred, "float32")
    weights = None
    if not (targets.valid is None and mask is None and sample_weight is None):
        like = ops.cast(y_pred[..., 0], "float32")
        weights = position_weights(
            like, valid=targets.valid, mask=mask, sample_weight=sample_weight
        )
    tolerance = SUM_TOLERANCE.get(dtype, 1e-3)
    sums = ops.sum(y_pred, axis=-1)
    known, counts = to_numpy_or_none(sums), None if weights is None else to_numpy_or_none(weights)
    if known is not None and (weights is None or counts is not None):
        _check_values(y_pred, known, counts, from_logits, multi_label, tolerance)
        return Examples(targets, y_pred, weights, targets.wrong)
    wrong = targets.wrong
    if not from_logits:
        # NaN is not wrong in these comparisons, and stays NaN.
        off = ops.logical_or(ops.abs(sums - 1) > tolerance, ops.min(y_pred, axis=-1) < -tolerance)
        wrong = off if wrong is None else ops.logical_or(wrong, off)
    return Examples(targets, y_pred, weights, wrong)


def warn_of_wrong(name: str, words) -> bool:
    """Warns, in eager use, if sums that a graph computed are NaN; returns whether they are.

    Args:
        name: The metric's name.
        words: Its sums.
    """
    known = to_numpy_or_none(ops.convert_to_tensor(words))
    if known is None or not np.isnan(known).any():
        return False
    warn_caller(
        f"{name} is NaN. Expected y_pred without NaN, which are probabilities that sum to 1 over "
        "the last axis (with multi_label, each in [0, 1]), or logits with from_logits=True; labels "
        "in range; finite weights. Received: something else, in a compiled step"
    )
    return True


def expected_probabilities(multi_label: bool) -> str:
    """Returns the start of a message about predictions that are not probabilities."""
    sums = "" if multi_label else " that sum to 1 over the last axis"
    return f"Expected probabilities in [0, 1]{sums}; for logits pass from_logits=True"


def class_labels(targets: Targets):
    """Returns int32 labels `(...)`; of dense targets, the class of the largest entry."""
    if targets.labels is not None:
        return targets.labels
    return first_largest(targets.dense)


def first_largest(values):
    """Returns the int32 index `(...)` of the largest of `(..., K)`, the first of several."""
    if keras.config.backend() == "tensorflow":
        import tensorflow as tf

        # `ops.argmax` needs five more passes, to distinguish −0.0 from 0.0.
        return tf.argmax(values, axis=-1, output_type="int32")
    return ops.cast(ops.argmax(values, axis=-1), "int32")


def pick(values, labels):
    """Returns `values[..., label]`, one entry `(...)` of `(..., K)` per label."""
    return ops.squeeze(
        ops.take_along_axis(values, ops.expand_dims(labels, axis=-1), axis=-1), axis=-1
    )


def probabilities(y_pred, *, from_logits: bool):
    """Returns the predicted probabilities `(..., K)`."""
    return ops.softmax(y_pred, axis=-1) if from_logits else y_pred


def top_label(y_pred, *, from_logits: bool):
    """Returns each example's predicted class and its confidence.

    Args:
        y_pred: Tensor `(..., K)`.
        from_logits: Whether `y_pred` are logits.

    Returns:
        `(predicted, confidence)`: int32 and float32 tensors `(...)`. Of classes with equal
        probability, the first is predicted. The confidence is NaN where `y_pred` has NaN.
    """
    predicted = first_largest(y_pred)
    top = pick(y_pred, predicted)
    if from_logits:
        # The largest softmax probability without the softmax: 1 / Σ exp(z − max z).
        top = 1.0 / ops.sum(ops.exp(y_pred - ops.expand_dims(top, axis=-1)), axis=-1)
    elif to_numpy_or_none(top) is None:
        # In a graph the values are not checked, and the maximum of NaN and a number may be either.
        top = ops.where(ops.isnan(ops.sum(y_pred, axis=-1)), float("nan"), top)
    return predicted, ops.cast(top, "float32")


def confidence_and_correct(examples: Examples, *, from_logits: bool, multi_label: bool = False):
    """Returns confidences, and whether each prediction was correct.

    Args:
        examples: The examples, read with the same options.
        from_logits: Whether they are logits.
        multi_label: Whether they are sigmoids: then the confidence is the probability p of label
            1, and "correct" is a label of 1 (a soft label above 1/2).

    Returns:
        float32 and Boolean tensors `(...)`, or `(..., K)` for sigmoids.
    """
    labels = class_labels(examples.targets)
    if not multi_label:
        predicted, confidence = top_label(examples.y_pred, from_logits=from_logits)
        return confidence, ops.equal(predicted, labels)
    p = examples.y_pred[..., 1]
    p = ops.sigmoid(p) if from_logits else p
    return ops.cast(p, "float32"), ops.equal(labels, 1)


def _check_values(
    y_pred, sums, counts, from_logits: bool, multi_label: bool, tolerance: float
) -> None:
    # Summed on the device, so that one number per example is copied to the host, not K.
    if not sums.size:
        return
    counts = np.True_ if counts is None else counts != 0
    # −inf is a valid logit (a forbidden class); NaN and +inf, whose softmax is NaN, are not.
    wrong = (np.isnan(sums) | (sums == np.inf)) & counts
    if wrong.any():
        raise InputError(
            "Expected y_pred without NaN and without +inf. Received: such values in "
            f"{int(wrong.sum())} of {wrong.size} examples"
        )
    if from_logits:
        rows = sums[counts] if counts.ndim else sums
        warn_of_distributions(rows, lambda: ops.convert_to_numpy(ops.min(y_pred, axis=-1)))
        return
    lowest = ops.convert_to_numpy(ops.min(y_pred, axis=-1))
    off = (np.abs(sums - 1) > tolerance) | (lowest < -tolerance)
    off &= counts
    if not off.any():
        return
    first = f"the first with smallest value {lowest[off].flat[0]:.6g}"
    first += f" and sum {sums[off].flat[0]:.6g}"
    if multi_label:
        first = f"the first {ops.convert_to_numpy(y_pred[..., 1])[off].flat[0]:.6g}"
    raise InputError(
        f"{expected_probabilities(multi_label)}. "
        f"Received: {int(off.sum())} of {off.size} examples that don't, {first}"
    )
