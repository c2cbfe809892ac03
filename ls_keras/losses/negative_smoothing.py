"""Uniform smoothing with a negative rate, for noisy labels."""

import math

from ls_keras.inputs.registry import LOSSES
from ls_keras.losses.alpha import RateBounds
from ls_keras.losses.classification_loss import ClassificationLoss, LossInputs
from ls_keras.losses.cross_entropy import cross_entropy, uniform_targets


@LOSSES.register("negative_smoothing")
class NegativeSmoothing(ClassificationLoss):
    """Negative label smoothing, for noisy labels: more than 1 on the target, less than 0 elsewhere.

    L = (1 − r) H(y, p) + r mean_k (−log p_k), with r < 0

    That is uniform smoothing with α = r, in the convention of `SmoothedCE` (each class gets r/K).
    With much label noise it is better than a positive rate; the authors train without smoothing
    first.

    **Unbounded below**: the loss keeps falling as the probabilities of other classes fall, so its
    value doesn't measure the fit, and logits grow unless something else limits them (weight decay,
    few epochs, early stopping). Without `from_logits`, where probabilities are clipped at ε as in
    Keras, it is at least r (1 − 1/K) log(1/ε).

    Args:
        rate: r, at most 0. With 0 it is plain cross-entropy, and logits of −inf (masked classes)
            are harmless; below 0 they give a loss of −inf. Per class, per example or by a schedule
            as in `SmoothedCE`. Default: −0.5.
        name: Default: `"negative_smoothing"`.
        **options: `from_logits`, `ignore_class`, `axis`, `reduction` and `dtype`; see
            `ClassificationLoss`.

    Raises:
        InputError: If the rate is not a number of at most 0.

    Example:
    ```python
    >>> import ls_keras
    >>> loss = ls_keras.NegativeSmoothing(rate=-0.5, from_logits=True, reduction=None)
    >>> [round(float(x), 4) for x in loss([0, 1], [[2.0, 0.0], [2.0, 0.0]])]
    [-0.3731, 2.6269]

    ```

    References:
        [Wei et al., 2022](https://arxiv.org/abs/2106.04149), To Smooth or Not?
    """

    rate_bounds = RateBounds("rate", -math.inf, 0.0)

    def __init__(self, rate=-0.5, *, name: str = "negative_smoothing", **options):
        super().__init__(name=name, **options)
        self.rate = self.rate_bounds.validate(rate)

    def losses(self, inputs: LossInputs):
        """Returns the loss of each position; see `ClassificationLoss.losses`."""
        return cross_entropy(inputs, uniform_targets(inputs, self.rate_at_positions(inputs)))
