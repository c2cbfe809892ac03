"""Cross-entropy minus the predictions' entropy, as a Keras loss."""

import keras

from ls_keras.inputs.targets import IgnoreClass
from ls_keras.losses.classification_loss import ClassificationLoss
from ls_keras.losses.closed_form import cross_entropy, uniform_mixture
from ls_keras.losses.loss_inputs import Reading, without_ignored
from ls_keras.losses.rate import is_zero, scaled
from ls_keras.losses.regularizers import entropy
from ls_keras.losses.scheduled_rate import Rate


@keras.saving.register_keras_serializable(package="ls_keras")
class ConfidencePenalty(ClassificationLoss):
    """Cross-entropy, and β times how little entropy the predictions have.

    L = H(y, p) − β H(p), with H(p) = −Σ_k p_k log p_k

    That is H(y, p) + β KL(p ‖ u) − β log K with the uniform distribution u, where smoothing has
    α KL(u ‖ p): it asks for entropy, but not of every class for a share, so that a class without
    any probability costs nothing. At least −β log K.

    Integer or dense labels; masks, sample weights and 16 bits as in `SmoothedCE`.

    Args:
        beta: The weight of the entropy, at least 0; with 0 it is plain cross-entropy. By class, per
            example or by a schedule as in `SmoothedCE`. Default: 0.1.
        from_logits: Whether predictions are logits. Logits of −inf (masked classes) do no harm.
            Default: `False`, as in Keras.
        ignore_class: A label id, or several, whose positions do not count; integer labels only.
            Default: `None`.
        axis: The axis of the classes. Default: −1.
        reduction: As in Keras. Default: `"sum_over_batch_size"`.
        name: Default: `"confidence_penalty"`.
        dtype: Of the result; the arithmetic, sums included, is in float32 or better. Default:
            `keras.config.floatx()`.

    Raises:
        InputError: If beta is no number of at least 0; as `SmoothedCE` otherwise.

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

    beta = Rate()

    def __init__(
        self,
        beta=0.1,
        *,
        from_logits: bool = False,
        ignore_class: IgnoreClass = None,
        axis: int = -1,
        reduction: str | None = "sum_over_batch_size",
        name: str = "confidence_penalty",
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
        self.beta = beta

    def losses(self, reading: Reading):
        """Returns the loss of each position, see `ClassificationLoss.losses`."""
        return confidence_penalized(reading, type(self).beta.at(self, reading))

    def get_config(self) -> dict:
        """Returns the arguments of the constructor, as JSON holds them."""
        return {**super().get_config(), "beta": type(self).beta.stored(self)}


def confidence_penalized(reading: Reading, beta):
    """Computes H(y, p) − β H(p): a tensor `(...)`."""
    plain = cross_entropy(reading, uniform_mixture(reading))
    if is_zero(beta):
        return plain
    return plain - scaled(beta, entropy(without_ignored(reading)))
