"""Smoothing's regularizer on the largest logit: max suppression, as a Keras loss."""

import keras
from keras import ops

from ls_keras.backend.tracing import compiled_by_xla
from ls_keras.inputs.targets import IgnoreClass
from ls_keras.losses.classification_loss import ClassificationLoss
from ls_keras.losses.closed_form import cross_entropy, row_max, uniform_mixture
from ls_keras.losses.loss_inputs import Reading
from ls_keras.losses.rate import filled, is_zero, scaled
from ls_keras.losses.regularizers import excess_over_margin
from ls_keras.losses.scheduled_rate import Rate


@keras.saving.register_keras_serializable(package="ls_keras")
class MaxSup(ClassificationLoss):
    """Cross-entropy, and α times how far the largest logit lies above their mean.

    L = H(y, p) + α (max_k z_k − mean_k z_k)

    Uniform smoothing is H(y, p) + α (z_y − mean_k z_k): it lowers the target's logit, so that in
    a wrong prediction it widens the error. Here the largest logit is lowered, whichever it is;
    where the prediction is right, both are the same.

    Integer or dense labels; masks, sample weights and 16 bits as in `SmoothedCE`. Of several
    largest logits the first gets the gradient, with dense labels each a share.

    Args:
        alpha: The weight of the regularizer, at least 0. With 0 it is plain cross-entropy, and
            logits of −inf (masked classes) do no harm; above 0 they give a loss of inf. The
            authors raise it from 0.1 to 0.2 while the network trains: see
            `ls_keras.callbacks.AlphaSchedule`. By class or per example as in `SmoothedCE`.
            Default: 0.1.
        from_logits: Whether predictions are logits; what is asked of probabilities are their
            logarithms. Default: `False`, as in Keras.
        ignore_class: A label id, or several, whose positions do not count; integer labels only.
            Default: `None`.
        axis: The axis of the classes. Default: −1.
        reduction: As in Keras. Default: `"sum_over_batch_size"`.
        name: Default: `"max_sup"`.
        dtype: Of the result; the arithmetic, sums included, is in float32 or better. Default:
            `keras.config.floatx()`.

    Raises:
        InputError: If alpha is no number of at least 0; as `SmoothedCE` otherwise.

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

    alpha = Rate()

    def __init__(
        self,
        alpha=0.1,
        *,
        from_logits: bool = False,
        ignore_class: IgnoreClass = None,
        axis: int = -1,
        reduction: str | None = "sum_over_batch_size",
        name: str = "max_sup",
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

    def losses(self, reading: Reading):
        """Returns the loss of each position, see `ClassificationLoss.losses`."""
        return max_suppressed(reading, type(self).alpha.at(self, reading))

    def get_config(self) -> dict:
        """Returns the arguments of the constructor, as JSON holds them."""
        return {**super().get_config(), "alpha": type(self).alpha.stored(self)}


def max_suppressed(reading: Reading, alpha):
    """Computes H(y, p) + α (max_k z_k − mean_k z_k): a tensor `(...)`.

    Of integer labels it is the closed form of smoothing, whose target has 1 in place of 1 − α, and
    the class of the largest logit −α: so it costs no more.
    """
    if is_zero(alpha):
        return cross_entropy(reading, uniform_mixture(reading))
    if reading.targets.labels is None:
        plain = cross_entropy(reading, uniform_mixture(reading))
        return plain + scaled(alpha, excess_over_margin(reading.z, 0.0))
    mixture = uniform_mixture(reading, alpha)
    top = _first_largest(reading.z)
    weights = [filled(top, weight, reading.z.dtype) for weight in (1.0, -alpha)]
    ids = ops.concatenate([mixture.ids, top], axis=-1)
    return cross_entropy(
        reading, mixture._replace(ids=ids, weights=ops.concatenate(weights, axis=-1))
    )


def _first_largest(z):
    """Finds the class of the largest logit, `(..., 1)`.

    On the CPU, Keras's argmax of floats copies them first, to tell −0 from 0.
    """
    largest = ops.equal(z, row_max(z))
    if not compiled_by_xla():
        return ops.cast(ops.argmax(ops.cast(largest, "int8"), axis=-1, keepdims=True), "int32")
    # Two reductions that XLA fuses with others, where its argmax takes as long as the loss.
    classes = ops.arange(z.shape[-1], dtype="int32")
    return ops.min(ops.where(largest, classes, z.shape[-1] - 1), axis=-1, keepdims=True)
