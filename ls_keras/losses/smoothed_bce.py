"""Smoothed cross-entropy of sigmoids as a Keras loss: binary and multi-label models."""

from typing import Any

import keras
import numpy as np
from keras import ops

from ls_base.errors import InputError
from ls_keras.backend.tracing import concrete
from ls_keras.inputs.binary_targets import read_binary_targets
from ls_keras.inputs.logits_check import recovered_logits
from ls_keras.inputs.targets import IgnoreClass
from ls_keras.inputs.validation import as_array, as_tensor, shown
from ls_keras.losses.classification_loss import ClassificationLoss
from ls_keras.losses.loss_inputs import check_axis
from ls_keras.losses.rate import PER_EXAMPLE, is_zero
from ls_keras.losses.scheduled_rate import Rate


def smoothed_targets(y, alpha, prior):
    """Computes (1 − α) y + α π.

    Args:
        y: Tensor `(..., K)` in [0, 1].
        alpha: In [0, 1]: a float, or a tensor, a scalar or `(K,)`.
        prior: π: a float, or a tensor `(K,)`.
    """
    return y if is_zero(alpha) else (1 - alpha) * y + alpha * prior


def of_logits(z, targets):
    """Computes log(1 + e^z) − t z, entry by entry; its gradient is σ(z) − t.

    In a form that subtracts nothing: |z| (1 − t) above 0, |z| t below, plus log(1 + e^−|z|). So a
    logit of 1e4 costs (1 − t) · 1e4 to all digits, and the gradient at 0 is that of both sides.

    Args:
        z: Logits `(..., K)`.
        targets: t `(..., K)`, of the same dtype.
    """
    above = z >= 0
    size = ops.where(above, z, -z)
    return size * ops.where(above, 1 - targets, targets) + ops.log1p(ops.exp(-size))


def of_probabilities(p, targets):
    """Computes −t log p − (1 − t) log(1 − p), with p clipped to [ε, 1 − ε] as Keras does."""
    epsilon = keras.config.epsilon()
    p = ops.clip(p, epsilon, 1 - epsilon)
    return -(targets * ops.log(p) + (1 - targets) * ops.log(1 - p))


def mean_of_valid(losses, valid):
    """Returns the mean over the last axis of what counts, and whether anything does.

    Args:
        losses: Tensor `(..., K)`.
        valid: Boolean `(..., K)`, or `None` where all counts.

    Returns:
        `(...)`, 0 where nothing counts; and Booleans `(...)`, or `None`.
    """
    if valid is None:
        return ops.mean(losses, axis=-1), None
    number = ops.sum(ops.cast(valid, losses.dtype), axis=-1)
    total = ops.sum(ops.where(valid, losses, 0.0), axis=-1)
    return total / ops.maximum(number, 1.0), number > 0


_ROUNDING = 1e-3  # how far a probability may lie outside [0, 1]


@keras.saving.register_keras_serializable(package="ls_keras")
class SmoothedBCE(ClassificationLoss):
    """Cross-entropy of sigmoids with smoothed targets: one for a binary model, K for K labels.

    L = mean_k [log(1 + e^(z_k)) − t_k z_k],    t_k = (1 − α) y_k + α π_k

    with the gradient (σ(z_k) − t_k) / K. With π = 1/2 it is Keras's
    `BinaryCrossentropy(label_smoothing=α)`, t = y (1 − α) + α/2; a prior π_k of how often label k
    occurs keeps the model's mean from drifting to 1/2, as smoothing rare labels towards 1/2 does.

    The mean is over the labels of a position that count: those that are not ignored. Positions
    weigh the same, however many of their labels count; one without any behaves as masked. Where
    labels shall weigh the same instead, weight each position by their number
    (`reduction="sum"`, `sample_weight`).

    Args:
        alpha: α, the mass to take off the label, in [0, 1]; or one for each label, `(K,)`.
            `ls_keras.callbacks.AlphaSchedule` lets it move while a model trains. Default: 0.1.
        prior: π, where it goes: a probability, or one for each label, `(K,)`. Default: `None`, 1/2.
        from_logits: Whether predictions are logits. Default: `False`, as in Keras: probabilities,
            clipped to [ε, 1 − ε] as Keras does; where Keras or the backend kept the logits of a
            sigmoid, they are used.
        ignore_class: A label, or several, that do not count, each entry for itself: −1 for labels
            that nobody has given. Default: `None`.
        axis: The axis of the labels, whose mean is taken. Default: −1.
        reduction: As in Keras. Default: `"sum_over_batch_size"`.
        name: Default: `"smoothed_bce"`.
        dtype: Of the result; the arithmetic, sums included, is in float32 or better. Default:
            `keras.config.floatx()`.

    Call arguments:
        y_true: Labels of the shape of the predictions, `(..., K)`, or `(...)` for `(..., 1)`:
            integers, Booleans or floats in [0, 1].
        y_pred: `(..., K)`.
        sample_weight: Of the shape `(...)` of the losses, or of their leading axes.

    Raises:
        InputError: If alpha or a prior is no number, or numbers, in [0, 1] or, when called, if
            shapes don't belong together, there are more or fewer labels than rates or priors or, in
            eager use, labels or probabilities are outside [0, 1]; in a compiled step the loss is
            NaN then.

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

    alpha = Rate(0, 1)

    def __init__(
        self,
        alpha=0.1,
        *,
        prior=None,
        from_logits: bool = False,
        ignore_class: IgnoreClass = None,
        axis: int = -1,
        reduction: str | None = "sum_over_batch_size",
        name: str = "smoothed_bce",
        dtype=None,
    ):
        super().__init__(
            from_logits=from_logits,
            ignore_class=ignore_class,
            axis=axis,
            reduction=reduction,
            name=name,
            dtype=dtype,
        )
        self.alpha = _not_per_example(alpha)
        self.prior = None if prior is None else _as_prior(prior)

    def losses_and_valid(self, y_true, y_pred, mask=None, sample_weight=None):
        """Returns the losses `(...)` and which count; labels, of which there are several in one."""
        y_pred = as_tensor(y_pred, "y_pred")
        check_axis(self.axis, len(y_pred.shape))
        z, from_logits = recovered_logits(
            y_pred, self.from_logits, multi_label=True, glances=self.glances
        )
        z = ops.cast(z, keras.backend.result_type(z.dtype, "float32"))
        y, valid, wrong = read_binary_targets(y_true, z, ignore_class=self.ignore_class)
        if valid is not None:  # NaN times a gradient of 0 is NaN
            z = ops.where(valid, z, 0.5)
        if not from_logits:
            z = _checked(z, mask)
        targets = self._targets(y, _not_per_example(type(self).alpha.read(self, y_pred)))
        losses = of_logits(z, targets) if from_logits else of_probabilities(z, targets)
        if wrong is not None:
            losses = ops.where(wrong, float("nan"), losses)
        if self.axis % len(z.shape) != len(z.shape) - 1:
            losses = ops.moveaxis(losses, self.axis, -1)
            valid = None if valid is None else ops.moveaxis(valid, self.axis, -1)
        return mean_of_valid(losses, valid)

    def _targets(self, y, alpha):
        prior: Any = 0.5 if self.prior is None else self.prior
        return smoothed_targets(
            y, self._by_label(alpha, "alpha", y), self._by_label(prior, "prior", y)
        )

    def _by_label(self, value, name: str, y):
        """Returns a float, or a tensor to multiply labels with: a scalar, or one for each label."""
        if isinstance(value, float):
            return value
        value = ops.stop_gradient(ops.cast(ops.convert_to_tensor(value), y.dtype))
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
        """Returns the arguments of the constructor, as JSON holds them."""
        return {
            **super().get_config(),
            "alpha": type(self).alpha.stored(self),
            "prior": self.prior,
        }


def _not_per_example(alpha):
    if isinstance(alpha, str) and alpha == PER_EXAMPLE:
        raise InputError(
            "Expected alpha to be a number, or one for each label: sigmoids take no other for each "
            f"example. Received: alpha={PER_EXAMPLE!r}"
        )
    return alpha


def _as_prior(prior) -> float | list[float]:
    found = as_array(prior, "prior").astype(np.float64)
    if found.ndim > 1 or not found.size or not ((found >= 0) & (found <= 1)).all():
        raise InputError(
            f"Expected prior to be a probability, or one for each label. Received: {shown(prior)}"
        )
    return found.tolist()


def _checked(p, mask):
    """Returns what can be probabilities: told in eager use, in a graph NaN where it can't."""
    wrong = ops.logical_or(p < -_ROUNDING, p > 1 + _ROUNDING)
    if mask is not None:
        keep = ops.cast(mask, "bool")
        while len(keep.shape) < len(p.shape):
            keep = ops.expand_dims(keep, axis=-1)
        wrong = ops.logical_and(wrong, keep)
    known = concrete(wrong)
    if known is None:
        return ops.where(wrong, float("nan"), p)
    if known.any():
        raise InputError(
            "Expected probabilities in [0, 1]; for logits pass from_logits=True. "
            f"Received: y_pred with {int(known.sum())} of {known.size} entries outside"
        )
    return p
