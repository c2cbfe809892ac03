"""Smoothed cross-entropy of sigmoids, for binary and multi-label models."""

from typing import Any

import keras
import numpy as np
from keras import ops

from ls_keras.backend.tensors import (
    as_array,
    as_tensor,
    recover_logits,
    tensor_of,
    to_numpy_or_none,
)
from ls_keras.backend.warnings import warn_in_graph
from ls_keras.errors import InputError, shown
from ls_keras.inputs.binary_targets import read_binary_targets
from ls_keras.inputs.registry import LOSSES
from ls_keras.losses.alpha import ALPHA, PER_EXAMPLE
from ls_keras.losses.classification_loss import ClassificationLoss, check_axis
from ls_keras.losses.cross_entropy import is_zero

_TOLERANCE = 1e-3  # by which rounding may move a probability outside [0, 1]


def smooth_binary_targets(y, alpha, prior):
    """Computes (1 − α) y + α π.

    Args:
        y: Tensor `(..., K)` in [0, 1].
        alpha: In [0, 1]: a float, or a tensor, a scalar or `(K,)`.
        prior: π: a float, or a tensor `(K,)`.
    """
    return y if is_zero(alpha) else (1 - alpha) * y + alpha * prior


def bce_of_logits(z, targets):
    """Computes log(1 + e^z) − t z for each entry; its gradient is σ(z) − t.

    Computed without cancellation, as |z| (1 − t) for z ≥ 0 and |z| t below, plus log(1 + e^−|z|):
    a logit of 1e4 has a loss of (1 − t) · 1e4 to all digits, and the gradient is right at 0.

    Args:
        z: Logits `(..., K)`.
        targets: t `(..., K)`, of the same dtype.
    """
    above = z >= 0
    size = ops.where(above, z, -z)
    return size * ops.where(above, 1 - targets, targets) + ops.log1p(ops.exp(-size))


def bce_of_probabilities(p, targets):
    """Computes −t log p − (1 − t) log(1 − p), with p clipped to [ε, 1 − ε] as in Keras."""
    epsilon = keras.config.epsilon()
    p = ops.clip(p, epsilon, 1 - epsilon)
    return -(targets * ops.log(p) + (1 - targets) * ops.log(1 - p))


def mean_of_valid(losses, valid):
    """Computes the mean of the valid losses over the last axis.

    Args:
        losses: Tensor `(..., K)`.
        valid: Boolean tensor `(..., K)`, or `None` if all are valid.

    Returns:
        Means `(...)`, 0 without a valid loss, and Booleans `(...)`, whether one exists, or `None`.
    """
    if valid is None:
        return ops.mean(losses, axis=-1), None
    number = ops.sum(ops.cast(valid, losses.dtype), axis=-1)
    total = ops.sum(ops.where(valid, losses, 0.0), axis=-1)
    return total / ops.maximum(number, 1.0), number > 0


@LOSSES.register("smoothed_bce")
class SmoothedBCE(ClassificationLoss):
    """Binary cross-entropy with smoothed targets, for one sigmoid or K labels.

    L = mean_k [log(1 + e^(z_k)) − t_k z_k],    t_k = (1 − α) y_k + α π_k

    with the gradient (σ(z_k) − t_k) / K. With π = 1/2 it is Keras's
    `BinaryCrossentropy(label_smoothing=α)`, t = y (1 − α) + α/2; a prior π_k of how often label k
    occurs keeps the model's mean from drifting to 1/2, as smoothing rare labels towards 1/2 does.

    The mean is over the labels of a position that are not ignored. Positions have equal weight,
    however many of their labels are ignored; one without labels behaves as masked. To give labels
    equal weight instead, weight each position by their number (`reduction="sum"`,
    `sample_weight`).

    Probabilities are clipped to [ε, 1 − ε] as in Keras; where Keras or the backend kept the logits
    of a sigmoid, those are used.

    Args:
        alpha: α, the mass to take off the label, in [0, 1]; or one per label, `(K,)`; or a
            `keras.Variable`, as `ls_keras.callbacks.AlphaSchedule` sets it. Default: 0.1.
        prior: π, the target of the smoothing: a probability, or one per label, `(K,)`. Default:
            `None`, 1/2.
        name: Default: `"smoothed_bce"`.
        **options: `from_logits`, `ignore_class`, `axis`, `reduction` and `dtype`; see
            `ClassificationLoss`. `ignore_class` applies to each entry, such as −1 for a label that
            is not known; the losses are averaged over `axis`.

    Call arguments:
        y_true: Labels of the shape of the predictions, `(..., K)`, or `(...)` for `(..., 1)`:
            integers, Booleans or floats in [0, 1].
        y_pred: `(..., K)`.
        sample_weight: Of the shape `(...)` of the losses, or of their leading axes.

    Raises:
        InputError: If alpha or a prior is not a number, or numbers, in [0, 1] or, when called, if
            shapes don't fit, if the number of labels differs from that of rates or priors or, in
            eager use, if labels or probabilities are outside [0, 1]; in a compiled step the loss
            is NaN then.

    Example:
    ```python
    >>> import ls_keras
    >>> loss = ls_keras.SmoothedBCE(alpha=0.1, from_logits=True, ignore_class=-1)
    >>> round(float(loss([[1], [0]], [[2.0], [0.0]])), 4)
    0.46
    >>> round(float(loss([[1, -1], [-1, 0]], [[2.0, 9.0], [9.0, 0.0]])), 4)  # one label each
    0.46

    ```

    References:
        [Müller et al., 2019](https://arxiv.org/abs/1906.02629), section 1.1, for classes.
    """

    rate_bounds = ALPHA

    def __init__(self, alpha=0.1, *, prior=None, name: str = "smoothed_bce", **options):
        super().__init__(name=name, **options)
        self.alpha = _refuse_per_example(self.rate_bounds.validate(alpha))
        self.prior = None if prior is None else _as_prior(prior)

    def losses_and_valid(self, y_true, y_pred, mask=None, sample_weight=None):
        """Returns the losses `(...)` and which of them count; see `ClassificationLoss`."""
        y_pred = as_tensor(y_pred, "y_pred")
        check_axis(self.axis, len(y_pred.shape))
        self.check_logits(y_pred, multi_label=True)
        z, from_logits = recover_logits(y_pred, self.from_logits, multi_label=True)
        z = ops.cast(z, keras.backend.result_type(z.dtype, "float32"))
        y, valid, wrong = read_binary_targets(y_true, z, ignore_class=self.ignore_class, warn=True)
        if valid is not None:  # NaN times a gradient of 0 is NaN
            z = ops.where(valid, z, 0.5)
        if not from_logits:
            z = _check_probabilities(z, mask)
        targets = self._targets(y)
        losses = bce_of_logits(z, targets) if from_logits else bce_of_probabilities(z, targets)
        if wrong is not None:
            losses = ops.where(wrong, float("nan"), losses)
        if self.axis % len(z.shape) != len(z.shape) - 1:
            losses = ops.moveaxis(losses, self.axis, -1)
            valid = None if valid is None else ops.moveaxis(valid, self.axis, -1)
        return mean_of_valid(losses, valid)

    def _targets(self, y):
        alpha, prior = _refuse_per_example(self.alpha), 0.5 if self.prior is None else self.prior
        if isinstance(alpha, keras.Variable):
            ALPHA.refuse_constant(alpha, y)
        return smooth_binary_targets(
            y, self._by_label(alpha, "alpha", y), self._by_label(prior, "prior", y)
        )

    def _by_label(self, value, name: str, y):
        """Returns a float, or a tensor that broadcasts to the labels y."""
        if isinstance(value, float):
            return value
        value = ops.stop_gradient(ops.cast(tensor_of(value), y.dtype))
        if not len(value.shape):
            return value
        size, number = y.shape[self.axis], value.shape[0]
        if size is not None and size != number:
            raise InputError(
                f"Expected {name} for each of the {size} labels, or one for all. Received: {number}"
            )
        shape = [1] * len(y.shape)
        shape[self.axis] = number
        return ops.reshape(value, shape)

    def get_config(self) -> dict:
        """Returns the arguments of the constructor, as JSON values."""
        return {**super().get_config(), "prior": self.prior}


def _refuse_per_example(alpha) -> Any:
    if isinstance(alpha, str):
        raise InputError(
            "Expected alpha to be a number, or one per label; SmoothedBCE has no alpha per "
            f"example. Received: alpha={PER_EXAMPLE!r}"
        )
    return alpha


def _as_prior(prior) -> float | list[float]:
    found = as_array(prior, "prior").astype(np.float64)
    if found.ndim > 1 or not found.size or not ((found >= 0) & (found <= 1)).all():
        raise InputError(
            f"Expected prior to be a probability, or one per label. Received: {shown(prior)}"
        )
    return found.tolist()


def _check_probabilities(p, mask):
    """Raises an `InputError` if p are no probabilities; in a graph, returns NaN there."""
    wrong = ops.logical_or(p < -_TOLERANCE, p > 1 + _TOLERANCE)
    if mask is not None:
        keep = ops.cast(mask, "bool")
        while len(keep.shape) < len(p.shape):
            keep = ops.expand_dims(keep, axis=-1)
        wrong = ops.logical_and(wrong, keep)
    known = to_numpy_or_none(wrong)
    if known is None:
        warn_in_graph(wrong, _not_probabilities)
        return ops.where(wrong, float("nan"), p)
    if known.any():
        raise InputError(_not_probabilities(known))
    return p


def _not_probabilities(wrong) -> str:
    return (
        "Expected probabilities in [0, 1]; for logits pass from_logits=True. "
        f"Received: y_pred with {int(wrong.sum())} of {wrong.size} entries outside"
    )
