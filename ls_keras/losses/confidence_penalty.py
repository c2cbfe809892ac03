"""Cross-entropy minus the entropy of the predictions."""

import math

import keras
from keras import ops

from ls_keras.inputs.registry import LOSSES
from ls_keras.losses.alpha import RateBounds
from ls_keras.losses.classification_loss import ClassificationLoss, LossInputs, logits_of_valid
from ls_keras.losses.cross_entropy import cross_entropy, is_zero, row_max, scale, uniform_targets

# exp(−200) is 0 in float32, and negligible beside 1 in float64: so 0 · log 0 is 0.
_LOWEST = -200.0


@LOSSES.register("confidence_penalty")
class ConfidencePenalty(ClassificationLoss):
    """Confidence penalty: cross-entropy minus β times the entropy of the predictions.

    L = H(y, p) − β H(p), with H(p) = −Σ_k p_k log p_k

    That is H(y, p) + β KL(p ‖ u) − β log K with the uniform distribution u, where smoothing has
    α KL(u ‖ p): it favors entropy, but a class without probability costs nothing. The loss is at
    least −β log K.

    Args:
        beta: The weight of the entropy, at least 0; with 0 it is plain cross-entropy. Per class,
            per example or by a schedule as in `SmoothedCE`. Default: 0.1.
        name: Default: `"confidence_penalty"`.
        **options: `from_logits`, `ignore_class`, `axis`, `reduction` and `dtype`; see
            `ClassificationLoss`.

    Raises:
        InputError: If beta is not a number of at least 0.

    Example:
    ```python
    >>> import ls_keras
    >>> loss = ls_keras.ConfidencePenalty(beta=0.1, from_logits=True, reduction=None)
    >>> [round(float(x), 4) for x in loss([0, 1], [[2.0, 0.0], [2.0, 0.0]])]
    [0.0904, 2.0904]

    ```

    References:
        [Pereyra et al., 2017](https://arxiv.org/abs/1701.06548).
    """

    rate_bounds = RateBounds("beta", 0.0, math.inf)

    def __init__(self, beta=0.1, *, name: str = "confidence_penalty", **options):
        super().__init__(name=name, **options)
        self.beta = self.rate_bounds.validate(beta)

    def losses(self, inputs: LossInputs):
        """Computes H(y, p) − β H(p); see `ClassificationLoss.losses`."""
        plain = cross_entropy(inputs, uniform_targets(inputs))
        beta = self.rate_at_positions(inputs)
        return plain if is_zero(beta) else plain - scale(beta, entropy(logits_of_valid(inputs)))


def entropy(z):
    """Computes H(p) = −Σ_k p_k log p_k with p = softmax(z).

    dH/dz_k = −p_k (log p_k + H)

    On TensorFlow, that gradient is computed from z alone, where automatic differentiation would
    hold several tensors of z's size; `label_cross_entropy` explains why only there.

    Args:
        z: Logits or log-probabilities `(..., K)`; some may be −inf.

    Returns:
        Tensor `(...)`.
    """
    if keras.config.backend() != "tensorflow":
        return _entropy(z)

    @ops.custom_gradient
    def with_gradient(z):
        def gradient(upstream):
            shifted, exponential, total, mean = _moments(z)
            return exponential * (mean - shifted) * (upstream[..., None] / total)

        return _entropy(z), gradient

    return with_gradient(z)


def _entropy(z):
    _, _, total, mean = _moments(z)
    return (ops.log(total) - mean)[..., 0]


def _moments(z):
    """Returns s = z − max z, e^s, Σ_k e^s_k and the mean Σ_k p_k s_k."""
    top = ops.stop_gradient(row_max(z))
    shifted = ops.maximum(z - top, _LOWEST)
    exponential = ops.exp(shifted)
    total = ops.sum(exponential, axis=-1, keepdims=True)
    mean = ops.sum(exponential * shifted, axis=-1, keepdims=True) / total
    return shifted, exponential, total, mean
