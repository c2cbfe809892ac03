"""One reading of `y_pred` for every metric of calibration, and the checks of its values."""

from typing import Any, NamedTuple

import keras
import numpy as np
from keras import ops

from ls_base.errors import InputError
from ls_keras.backend.tensors import as_tensor, mask_of, recover_logits, to_numpy_or_none
from ls_keras.backend.warnings import warn_caller
from ls_keras.inputs.logits_check import warn, warn_if_probabilities, warn_of_distributions
from ls_keras.inputs.sigmoid_as_softmax import as_two_classes
from ls_keras.inputs.targets import IgnoreClass, Targets, read_targets
from ls_keras.inputs.weights import position_weights

# How far the sum of K probabilities may stray from 1: rounding of K numbers of the dtype.
SUM_TOLERANCE = {"float64": 1e-3, "float32": 1e-3, "float16": 2e-2, "bfloat16": 5e-2}


class Examples(NamedTuple):
    """What a metric reads: one example per position of `y_pred` but its last axis.

    Attributes:
        targets: `y_true` as `ls_keras.inputs.targets.read_targets` reads it.
        y_pred: Tensor `(..., K)` of float32 (float64 stays): logits or probabilities. With
            `multi_label`, `(..., K, 2)`, see `ls_keras.inputs.sigmoid_as_softmax`.
        weights: float32 tensor `(...)`, 0 at masked and ignored positions; `None` where every
            position weighs 1.
        wrong: In a graph, Boolean tensor `(...)`, true where a label is out of range, or `y_pred`
            is no distribution with `from_logits=False`, which has to make the result NaN; `None`
            where the values have been looked at.
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
        from_logits: Whether `y_pred` are logits. Nothing is guessed from the values; of a softmax
            that Keras has noted on what it made, the logits are read, with a warning.
        ignore_class: A label id, or several, whose positions do not count.
        multi_label: Whether each entry of the last axis is a sigmoid, and an example of its own.

    Raises:
        InputError: If the shapes don't belong together or, in eager use, at positions that
            count: if `y_pred` has NaN, or is no probability distribution with
            `from_logits=False`.
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
        # NaN is not wrong by these comparisons: it stays what it is.
        off = ops.logical_or(ops.abs(sums - 1) > tolerance, ops.min(y_pred, axis=-1) < -tolerance)
        wrong = off if wrong is None else ops.logical_or(wrong, off)
    return Examples(targets, y_pred, weights, wrong)


def warn_of_wrong(name: str, words) -> bool:
    """Warns, in eager use, if what was added up in a graph holds NaN; returns whether it did.

    Args:
        name: The metric's.
        words: Its sums.
    """
    known = to_numpy_or_none(ops.convert_to_tensor(words))
    if known is None or not np.isnan(known).any():
        return False
    warn_caller(
        f"{name} is NaN. Expected y_pred without NaN, which are probabilities that sum to 1 over "
        "the last axis (with multi_label, each in [0, 1]), or logits with from_logits=True; labels "
        "in range; finite weights. "
        "Received: something else, in a compiled step"
    )
    return True


def expected_probabilities(multi_label: bool) -> str:
    """Returns what a message says of predictions that are none, `from_logits` being false."""
    sums = "" if multi_label else " that sum to 1 over the last axis"
    return f"Expected probabilities in [0, 1]{sums}; for logits pass from_logits=True"


def class_labels(targets: Targets):
    """Returns int32 labels `(...)`: those of `y_true`, or the largest entry of dense targets."""
    if targets.labels is not None:
        return targets.labels
    return first_largest(targets.dense)


def first_largest(values):
    """Returns the int32 index `(...)` of the largest of `(..., K)`, the first of equal ones."""
    if keras.config.backend() == "tensorflow":
        import tensorflow as tf

        # `ops.argmax` first tells −0.0 from 0.0, in five more passes over the values.
        return tf.argmax(values, axis=-1, output_type="int32")
    return ops.cast(ops.argmax(values, axis=-1), "int32")


def pick(values, labels):
    """Returns `values[..., label]`: the entry `(...)` of `(..., K)` that each label names."""
    return ops.squeeze(
        ops.take_along_axis(values, ops.expand_dims(labels, axis=-1), axis=-1), axis=-1
    )


def probabilities(y_pred, *, from_logits: bool):
    """Returns the probabilities `(..., K)` that `y_pred` states."""
    return ops.softmax(y_pred, axis=-1) if from_logits else y_pred


def top_label(y_pred, *, from_logits: bool):
    """Returns each example's predicted class and its confidence.

    Args:
        y_pred: Tensor `(..., K)`.
        from_logits: Whether `y_pred` are logits.

    Returns:
        `(predicted, confidence)`: int32 and float32 tensors `(...)`. Of equal classes the first
        is predicted. The confidence is NaN where `y_pred` has NaN.
    """
    predicted = first_largest(y_pred)
    top = pick(y_pred, predicted)
    if from_logits:
        # The largest softmax probability without the softmax: 1 / Σ exp(z − max z).
        top = 1.0 / ops.sum(ops.exp(y_pred - ops.expand_dims(top, axis=-1)), axis=-1)
    elif to_numpy_or_none(top) is None:
        # A graph: nothing has been checked, and the largest of NaN and a number may be either.
        top = ops.where(ops.isnan(ops.sum(y_pred, axis=-1)), float("nan"), top)
    return predicted, ops.cast(top, "float32")


def confidence_and_correct(examples: Examples, *, from_logits: bool, multi_label: bool = False):
    """Returns what calibration compares: confidences, and whether each was right.

    Args:
        examples: What was read, with the same options.
        from_logits: Whether they are logits.
        multi_label: Whether they are sigmoids: then the confidence is the probability p of the
            label 1, and "right" is a label of 1 (of soft ones: above 1/2).

    Returns:
        float32 and Boolean tensors `(...)`; of sigmoids `(..., K)`.
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
    # Summed on the device first: one number an example reaches the host, not K.
    if not sums.size:
        return
    counts = np.True_ if counts is None else counts != 0
    # −inf is a logit (a forbidden class); NaN is none, nor is +inf, whose softmax is NaN.
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
