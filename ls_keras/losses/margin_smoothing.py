"""A penalty on distances between logits beyond a margin, as a Keras loss."""

import keras

from ls_keras.inputs.targets import IgnoreClass
from ls_keras.inputs.validation import as_number
from ls_keras.losses.classification_loss import ClassificationLoss
from ls_keras.losses.closed_form import cross_entropy, uniform_mixture
from ls_keras.losses.loss_inputs import Reading, without_ignored
from ls_keras.losses.rate import is_zero, scaled
from ls_keras.losses.regularizers import excess_over_margin
from ls_keras.losses.scheduled_rate import Rate


@keras.saving.register_keras_serializable(package="ls_keras")
class MarginSmoothing(ClassificationLoss):
    """Cross-entropy, and α times how far logits lie more than a margin below the largest (MbLS).

    L = H(y, p) + α mean_k max(0, max_j z_j − z_k − m)

    Smoothing pulls all logits together, without end; here they are free within the margin. With a
    margin of 0 it is `MaxSup`, with one that no distance reaches plain cross-entropy.

    Integer or dense labels; masks, sample weights and 16 bits as in `SmoothedCE`. The paper writes
    a sum over the classes, the authors' code takes their mean, and so does this: a sum is an alpha
    K times as large.

    Args:
        alpha: The weight of the penalty, at least 0. With 0 it is plain cross-entropy, and logits
            of −inf (masked classes) do no harm; above 0 they give a loss of inf. By class, per
            example or by a schedule as in `SmoothedCE`. Default: 0.1.
        margin: m, at least 0, in nats (the unit of logits). The authors take 6 to 10. Default: 10.
        from_logits: Whether predictions are logits; what is asked of probabilities are their
            logarithms. Default: `False`, as in Keras.
        ignore_class: A label id, or several, whose positions do not count; integer labels only.
            Default: `None`.
        axis: The axis of the classes. Default: −1.
        reduction: As in Keras. Default: `"sum_over_batch_size"`.
        name: Default: `"margin_smoothing"`.
        dtype: Of the result; the arithmetic, sums included, is in float32 or better. Default:
            `keras.config.floatx()`.

    Raises:
        InputError: If alpha or the margin is no number of at least 0; as `SmoothedCE` otherwise.

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

    alpha = Rate()

    def __init__(
        self,
        alpha=0.1,
        margin: float = 10.0,
        *,
        from_logits: bool = False,
        ignore_class: IgnoreClass = None,
        axis: int = -1,
        reduction: str | None = "sum_over_batch_size",
        name: str = "margin_smoothing",
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
        self.alpha = alpha
        self.margin = as_number(margin, "margin", low=0)

    def losses(self, reading: Reading):
        """Returns the loss of each position, see `ClassificationLoss.losses`."""
        return margin_smoothed(reading, type(self).alpha.at(self, reading), self.margin)

    def get_config(self) -> dict:
        """Returns the arguments of the constructor, as JSON holds them."""
        return {
            **super().get_config(),
            "alpha": type(self).alpha.stored(self),
            "margin": self.margin,
        }


def margin_smoothed(reading: Reading, alpha, margin: float):
    """Computes H(y, p) + α mean_k max(0, max_j z_j − z_k − m): a tensor `(...)`."""
    plain = cross_entropy(reading, uniform_mixture(reading))
    if is_zero(alpha):
        return plain
    return plain + scaled(alpha, excess_over_margin(without_ignored(reading), margin))
