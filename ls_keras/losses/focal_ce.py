"""Focal cross-entropy, which weights examples by the probability that the target lacks."""

import numpy as np
from keras import ops

from ls_keras.errors import InputError, shown
from ls_keras.inputs.registry import LOSSES
from ls_keras.inputs.validation import as_number
from ls_keras.losses.classification_loss import ClassificationLoss, LossInputs
from ls_keras.losses.cross_entropy import cross_entropy, uniform_targets

FLSD_53 = "flsd53"
_THRESHOLD = 0.2  # the probability from which FLSD-53 uses γ = 3 instead of 5
_TINY = 1e-30


@LOSSES.register("focal_ce")
class FocalCE(ClassificationLoss):
    """Focal loss: cross-entropy times the probability that the target lacks, to the power γ.

    L = −(1 − p_y)^γ log p_y; with dense labels −Σ_k y_k (1 − p_k)^γ log p_k, as in Keras

    It lies between 0 and the cross-entropy, and for γ ≥ 1 above H(y, p) − γ H(p): like
    `ConfidencePenalty`, it preserves entropy of the predictions. It has no factor of 0.25, unlike
    Keras's.

    With integer labels, only one number per position is raised to a power, so it is as fast as
    cross-entropy. Its gradient at p_y = 1 is finite for every γ; that of the plain expression is
    not for γ < 1.

    Args:
        gamma: γ, at least 0, or `"flsd53"`: 5 where p_y < 0.2, else 3, as the authors found best
            for calibration; the loss jumps there. With 0 it is plain cross-entropy. Default: 3.
        name: Default: `"focal_ce"`.
        **options: `from_logits`, `ignore_class`, `axis`, `reduction` and `dtype`; see
            `ClassificationLoss`.

    Raises:
        InputError: If gamma is neither a number of at least 0 nor `"flsd53"`.

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

    def __init__(self, gamma: float | str = 3.0, *, name: str = "focal_ce", **options):
        super().__init__(name=name, **options)
        if isinstance(gamma, str) and gamma != FLSD_53:
            raise InputError(
                f"Expected gamma to be a number or {FLSD_53!r}. Received: {shown(gamma)}"
            )
        self.gamma = gamma if isinstance(gamma, str) else as_number(gamma, "gamma", low=0)

    def losses(self, inputs: LossInputs):
        """Computes −Σ_k y_k (1 − p_k)^γ log p_k; see `ClassificationLoss.losses`."""
        if not self.gamma or inputs.targets.labels is not None:
            return _focal(cross_entropy(inputs, uniform_targets(inputs)), self.gamma)
        dense = ops.cast(inputs.targets.dense, inputs.z.dtype)
        log_p = ops.log_softmax(inputs.z, axis=-1) if inputs.normalize else inputs.z
        # A target of 0 times a logit of −inf is 0, not NaN.
        absent = ops.logical_and(ops.equal(dense, 0), ops.equal(log_p, -np.inf))
        return ops.sum(dense * _focal(ops.where(absent, 0.0, -log_p), self.gamma), axis=-1)

    def get_config(self) -> dict:
        """Returns the arguments of the constructor, as JSON values."""
        return {**super().get_config(), "gamma": self.gamma}


def _focal(u, gamma: float | str):
    """Computes (1 − e^−u)^γ u for u = −log p ≥ 0 of any shape.

    Below _TINY the gradient is 0: at u = 0, the gradient of a power of γ < 1 is infinite, and 0
    times infinity NaN.
    """
    if not gamma:
        return u
    u = ops.maximum(u, _TINY)
    missing = -ops.expm1(-u)
    if gamma == FLSD_53:
        low = missing > 1 - _THRESHOLD
        return ops.where(low, missing**5, missing**3) * u
    return missing**gamma * u
