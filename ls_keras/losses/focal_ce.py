"""Cross-entropy that counts less where the prediction is sure and right, as a Keras loss."""

import keras
import numpy as np
from keras import ops

from ls_base.errors import InputError
from ls_keras.inputs.targets import IgnoreClass
from ls_keras.inputs.validation import as_number, shown
from ls_keras.losses.classification_loss import ClassificationLoss
from ls_keras.losses.closed_form import cross_entropy, uniform_mixture
from ls_keras.losses.loss_inputs import Reading
from ls_keras.losses.rate import refuse_alpha

FLSD_53 = "flsd53"
_SURE = 0.2  # the probability from which FLSD-53 takes 3 in place of 5
_TINY = 1e-30


@keras.saving.register_keras_serializable(package="ls_keras")
class FocalCE(ClassificationLoss):
    """Cross-entropy weighted by how much probability the target still lacks, to the power γ.

    L = −(1 − p_y)^γ log p_y; of dense labels −Σ_k y_k (1 − p_k)^γ log p_k, as in Keras

    It lies between 0 and the cross-entropy, and for γ ≥ 1 above H(y, p) − γ H(p): like
    `ConfidencePenalty` it leaves entropy to the predictions. Without Keras's factor of 0.25.

    Integer or dense labels; masks, sample weights and 16 bits as in `SmoothedCE`. Of integer
    labels, only numbers `(...)` are raised to a power, so it costs what cross-entropy does; its
    gradient is finite at p_y = 1 for every γ, where that of the plain expression is not for γ < 1.

    Args:
        gamma: γ, at least 0, or `"flsd53"`: 5 where p_y < 0.2, else 3, as the authors found best
            for calibration; the loss jumps there. With 0 it is plain cross-entropy. Default: 3.
        from_logits: Whether predictions are logits. Logits of −inf (masked classes) do no harm.
            Default: `False`, as in Keras.
        ignore_class: A label id, or several, whose positions do not count; integer labels only.
            Default: `None`.
        axis: The axis of the classes. Default: −1.
        reduction: As in Keras. Default: `"sum_over_batch_size"`.
        name: Default: `"focal_ce"`.
        dtype: Of the result; the arithmetic, sums included, is in float32 or better. Default:
            `keras.config.floatx()`.

    Raises:
        InputError: If gamma is no number of at least 0 and not `"flsd53"`; as `SmoothedCE`
            otherwise.

    Example:
    ```python
    >>> import ls_keras
    >>> loss = ls_keras.FocalCE(gamma=2, from_logits=True, reduction=None)
    >>> [round(float(x), 4) for x in loss([0, 1], [[2.0, 0.0], [2.0, 0.0]])]
    [0.0018, 1.6501]

    ```

    References:
        [Lin et al., 2017](https://arxiv.org/abs/1708.02002);
        [Mukhoti et al., 2020](https://arxiv.org/abs/2002.09437), for calibration.
    """

    def __init__(
        self,
        gamma: float | str = 3.0,
        *,
        from_logits: bool = False,
        ignore_class: IgnoreClass = None,
        axis: int = -1,
        reduction: str | None = "sum_over_batch_size",
        name: str = "focal_ce",
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
        if isinstance(gamma, str) and gamma != FLSD_53:
            raise InputError(
                f"Expected gamma to be a number or {FLSD_53!r}. Received: {shown(gamma)}"
            )
        self.gamma = gamma if isinstance(gamma, str) else as_number(gamma, "gamma", low=0)

    def losses(self, reading: Reading):
        """Returns the loss of each position, see `ClassificationLoss.losses`."""
        refuse_alpha(reading.targets, "a rate")
        return focal_cross_entropy(reading, self.gamma)

    def get_config(self) -> dict:
        """Returns the arguments of the constructor, as JSON holds them."""
        return {**super().get_config(), "gamma": self.gamma}


def focal_cross_entropy(reading: Reading, gamma: float | str):
    """Computes −Σ_k y_k (1 − p_k)^γ log p_k: a tensor `(...)`."""
    if not gamma or reading.targets.labels is not None:
        return _focal(cross_entropy(reading, uniform_mixture(reading)), gamma)
    dense = ops.cast(reading.targets.dense, reading.z.dtype)
    log_p = ops.log_softmax(reading.z, axis=-1) if reading.normalize else reading.z
    # A target of 0 and a logit of −inf: nothing, not NaN.
    absent = ops.logical_and(ops.equal(dense, 0), ops.equal(log_p, -np.inf))
    return ops.sum(dense * _focal(ops.where(absent, 0.0, -log_p), gamma), axis=-1)


def _focal(surprise, gamma: float | str):
    """Computes (1 − e^−u)^γ u of u = −log p ≥ 0, in any shape.

    Below the smallest u above 0, the gradient is 0: at 0 itself, that of a power of γ < 1 is
    infinite, and 0 times that NaN.
    """
    if not gamma:
        return surprise
    surprise = ops.maximum(surprise, _TINY)
    lacking = -ops.expm1(-surprise)
    if gamma == FLSD_53:
        unsure = lacking > 1 - _SURE
        return ops.where(unsure, lacking**5, lacking**3) * surprise
    return lacking**gamma * surprise
