"""Max suppression: cross-entropy and a penalty on the largest logit."""

import math

from keras import ops

from ls_keras.backend.tensors import compiled_by_xla
from ls_keras.inputs.registry import LOSSES
from ls_keras.losses.alpha import RateBounds
from ls_keras.losses.classification_loss import ClassificationLoss, LossInputs
from ls_keras.losses.cross_entropy import (
    cross_entropy,
    full_like,
    is_zero,
    row_max,
    scale,
    uniform_targets,
)
from ls_keras.losses.margin_smoothing import excess_over_margin


@LOSSES.register("max_sup")
class MaxSup(ClassificationLoss):
    """Max suppression: cross-entropy plus α times the largest logit's distance to the mean.

    L = H(y, p) + α (max_k z_k − mean_k z_k)

    Uniform smoothing is H(y, p) + α (z_y − mean_k z_k): it lowers the target's logit, which
    increases the error of a wrong prediction. Max suppression lowers the largest logit instead; for
    correct predictions both are the same. If several logits are the largest, the first gets the
    gradient; with dense labels, they share it.

    Args:
        alpha: The weight of the regularizer, at least 0. With 0 it is plain cross-entropy, and
            logits of −inf (masked classes) are harmless; above 0 they give a loss of inf. The
            authors raise it from 0.1 to 0.2 during training; see
            `ls_keras.callbacks.AlphaSchedule`. Per class or per example as in `SmoothedCE`. For
            probabilities, their logarithms are penalized. Default: 0.1.
        name: Default: `"max_sup"`.
        **options: `from_logits`, `ignore_class`, `axis`, `reduction` and `dtype`; see
            `ClassificationLoss`.

    Raises:
        InputError: If alpha is not a number of at least 0.

    Example:
    ```python
    >>> import ls_keras
    >>> loss = ls_keras.MaxSup(alpha=0.1, from_logits=True, reduction=None)
    >>> [round(float(x), 4) for x in loss([0, 1], [[2.0, 0.0], [2.0, 0.0]])]
    [0.2269, 2.2269]

    ```

    References:
        [Zhou et al., 2025](https://arxiv.org/abs/2502.15798), MaxSup.
    """

    rate_bounds = RateBounds("alpha", 0.0, math.inf)

    def __init__(self, alpha=0.1, *, name: str = "max_sup", **options):
        super().__init__(name=name, **options)
        self.alpha = self.rate_bounds.validate(alpha)

    def losses(self, inputs: LossInputs):
        """Computes H(y, p) + α (max_k z_k − mean_k z_k).

        With integer labels, it is the closed form of smoothing with 1 instead of 1 − α at the
        target and −α at the class of the largest logit, so it is as fast.
        """
        alpha = self.rate_at_positions(inputs)
        if is_zero(alpha):
            return cross_entropy(inputs, uniform_targets(inputs))
        if inputs.targets.labels is None:
            plain = cross_entropy(inputs, uniform_targets(inputs))
            return plain + scale(alpha, excess_over_margin(inputs.z, 0.0))
        smoothed = uniform_targets(inputs, alpha)
        top = _first_largest(inputs.z)
        weights = [full_like(top, weight, inputs.z.dtype) for weight in (1.0, -alpha)]
        ids = ops.concatenate([smoothed.ids, top], axis=-1)
        return cross_entropy(
            inputs, smoothed._replace(ids=ids, weights=ops.concatenate(weights, axis=-1))
        )


def _first_largest(z):
    """Returns the class of the largest logit, `(..., 1)`, the first if there are several.

    On a CPU, Keras's argmax of floats copies them first, to distinguish −0 from 0.
    """
    largest = ops.equal(z, row_max(z))
    if not compiled_by_xla():
        return ops.cast(ops.argmax(ops.cast(largest, "int8"), axis=-1, keepdims=True), "int32")
    # XLA fuses these two reductions with others; its argmax takes as long as the loss.
    classes = ops.arange(z.shape[-1], dtype="int32")
    return ops.min(ops.where(largest, classes, z.shape[-1] - 1), axis=-1, keepdims=True)
