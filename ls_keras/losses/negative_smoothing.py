"""Smoothing by a negative rate, for noisy labels, as a Keras loss."""

import math

import keras

from ls_keras.inputs.targets import IgnoreClass
from ls_keras.losses.classification_loss import ClassificationLoss
from ls_keras.losses.closed_form import cross_entropy, uniform_mixture
from ls_keras.losses.loss_inputs import Reading
from ls_keras.losses.scheduled_rate import Rate


@keras.saving.register_keras_serializable(package="ls_keras")
class NegativeSmoothing(ClassificationLoss):
    """Cross-entropy with more than 1 on the target and less than 0 elsewhere, for noisy labels.

    L = (1 − r) H(y, p) + r mean_k (−log p_k), with r < 0

    That is uniform smoothing whose α is r, in the convention of `SmoothedCE` (each class gets r/K).
    Against much label noise it is better than a positive rate; the authors train without any
    smoothing first.

    **Unbounded below**: every class but the target lowers the loss without end as its probability
    falls, so the loss's value says nothing about the fit, and logits grow unless something else
    holds them (weight decay, few epochs, early stopping). Without `from_logits`, where
    probabilities are clipped at ε as in Keras, it ends at r (1 − 1/K) log(1/ε).

    Integer or dense labels; masks, sample weights and 16 bits as in `SmoothedCE`.

    Args:
        rate: r, at most 0; with 0 it is plain cross-entropy, and logits of −inf (masked classes)
            do no harm; below 0 they give a loss of −inf. By class, per
            example or by a schedule as in `SmoothedCE`. Default: −0.5.
        from_logits: Whether predictions are logits. Default: `False`, as in Keras.
        ignore_class: A label id, or several, whose positions do not count; integer labels only.
            Default: `None`.
        axis: The axis of the classes. Default: −1.
        reduction: As in Keras. Default: `"sum_over_batch_size"`.
        name: Default: `"negative_smoothing"`.
        dtype: Of the result; the arithmetic, sums included, is in float32 or better. Default:
            `keras.config.floatx()`.

    Raises:
        InputError: If the rate is no number of at most 0; as `SmoothedCE` otherwise.

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

    rate = Rate(-math.inf, 0)

    def __init__(
        self,
        rate=-0.5,
        *,
        from_logits: bool = False,
        ignore_class: IgnoreClass = None,
        axis: int = -1,
        reduction: str | None = "sum_over_batch_size",
        name: str = "negative_smoothing",
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
        self.rate = rate

    def losses(self, reading: Reading):
        """Returns the loss of each position, see `ClassificationLoss.losses`."""
        return cross_entropy(reading, uniform_mixture(reading, type(self).rate.at(self, reading)))

    def get_config(self) -> dict:
        """Returns the arguments of the constructor, as JSON holds them."""
        return {**super().get_config(), "rate": type(self).rate.stored(self)}
