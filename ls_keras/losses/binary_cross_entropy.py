"""Cross-entropy of sigmoids, as functions of logits or probabilities and targets."""

import keras
from keras import ops

from ls_keras.losses.rate import is_zero


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
