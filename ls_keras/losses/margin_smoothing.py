"""Cross-entropy and a penalty on distances between logits beyond a margin."""

import math

from keras import ops

from ls_keras.inputs.registry import LOSSES
from ls_keras.inputs.validation import as_number
from ls_keras.losses.alpha import RateBounds
from ls_keras.losses.classification_loss import ClassificationLoss, LossInputs, logits_of_valid
from ls_keras.losses.cross_entropy import cross_entropy, is_zero, row_max, scale, uniform_targets


@LOSSES.register("margin_smoothing")
class MarginSmoothing(ClassificationLoss):
    """Margin-based label smoothing (MbLS): a penalty on logits far below the largest.

    L = H(y, p) + α mean_k max(0, max_j z_j − z_k − m)

    Smoothing pulls all logits together; here, distances within the margin are free. With a margin
    of 0 it is `MaxSup`; with a margin above all distances, plain cross-entropy. The paper writes a
    sum over the classes, the authors' code takes their mean, as this loss does: the sum corresponds
    to an alpha K times as large.

    Args:
        alpha: The weight of the penalty, at least 0. With 0 it is plain cross-entropy, and logits
            of −inf (masked classes) are harmless; above 0 they give a loss of inf. Per class, per
            example or by a schedule as in `SmoothedCE`. Default: 0.1.
        margin: m, at least 0, in nats (the unit of logits). The authors use 6 to 10. For
            probabilities, their logarithms are compared. Default: 10.
        name: Default: `"margin_smoothing"`.
        **options: `from_logits`, `ignore_class`, `axis`, `reduction` and `dtype`; see
            `ClassificationLoss`.

    Raises:
        InputError: If alpha or the margin is not a number of at least 0.

    Example:
    ```python
    >>> import ls_keras
    >>> loss = ls_keras.MarginSmoothing(alpha=0.1, margin=1.0, from_logits=True, reduction=None)
    >>> [round(float(x), 4) for x in loss([0, 0], [[2.0, 0.0], [1.0, 0.0]])]
    [0.1769, 0.3133]

    ```

    References:
        [Liu et al., 2022](https://arxiv.org/abs/2111.15430), The Devil is in the Margin.
    """

    rate_bounds = RateBounds("alpha", 0.0, math.inf)

    def __init__(
        self, alpha=0.1, margin: float = 10.0, *, name: str = "margin_smoothing", **options
    ):
        super().__init__(name=name, **options)
        self.alpha = self.rate_bounds.validate(alpha)
        self.margin = as_number(margin, "margin", low=0)

    def losses(self, inputs: LossInputs):
        """Computes H(y, p) + α mean_k max(0, max_j z_j − z_k − m)."""
        plain = cross_entropy(inputs, uniform_targets(inputs))
        alpha = self.rate_at_positions(inputs)
        if is_zero(alpha):
            return plain
        return plain + scale(alpha, excess_over_margin(logits_of_valid(inputs), self.margin))

    def get_config(self) -> dict:
        """Returns the arguments of the constructor, as JSON values."""
        return {**super().get_config(), "margin": self.margin}


def excess_over_margin(z, margin: float):
    """Computes mean_k max(0, max_j z_j − z_k − m).

    With A the classes beyond the margin, dR/dz_k = (|A| [k is the largest] − [k ∈ A]) / K; ties
    for the largest share it.

    Args:
        z: Logits or log-probabilities `(..., K)`.
        margin: m, at least 0.

    Returns:
        Tensor `(...)`.
    """
    # Distances first: logits near 1e4 keep their digits.
    return ops.mean(ops.relu(row_max(z) - z - margin), axis=-1)
