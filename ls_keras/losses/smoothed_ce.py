"""Smoothed cross-entropy as a Keras loss."""

import keras

from ls_keras.inputs.targets import IgnoreClass
from ls_keras.losses import smoothing_registry as smoothings
from ls_keras.losses.classification_loss import ClassificationLoss
from ls_keras.losses.cross_entropy import losses_and_valid
from ls_keras.losses.scheduled_rate import Rate


@keras.saving.register_keras_serializable(package="ls_keras")
class SmoothedCE(ClassificationLoss):
    """Cross-entropy with smoothed targets, from integer or dense labels.

    H(y^LS, p) = logsumexp(z) − (1 − α) z_y − α Σ_k q_k z_k

    See `smoothed_cross_entropy`, which it wires to Keras's masks, sample weights and reductions.
    Ignored positions behave as masked ones, as in Keras's sparse loss; a batch in which everything
    is ignored gives 0. Sample weights have the shape `(...)` of the losses, or of their leading
    axes. Labels keep their integer dtype, so that ids survive in 16-bit training.

    Args:
        alpha: The mass to take off the target, in [0, 1]; one a class, `(K,)`, of which that of the
            target's class counts (Σ_k y_k α_k of dense targets); or `"per-example"`: it comes with
            `y_true`, see `ls_keras.losses.with_alpha`. `ls_keras.callbacks.AlphaSchedule` lets it
            move while a model trains. Default: 0.1.
        smoothing: `"uniform"`, `"neighborhood"`, or an object: `Uniform`, `Unigram`, `Prior`,
            `Neighborhood`. Default: `"uniform"`.
        from_logits: Whether predictions are logits. Default: `False`, as in Keras.
        ignore_class: A label id, or several, whose positions do not count. Default: `None`.
        axis: The axis of the classes. Default: −1.
        reduction: As in Keras. Default: `"sum_over_batch_size"`.
        name: Default: `"smoothed_ce"`.
        dtype: Of the result; the arithmetic, sums included, is in float32 or better. Default:
            `keras.config.floatx()`.

    Raises:
        InputError: If alpha is no number, or numbers, in [0, 1], if the smoothing is unknown, or if
            `ignore_class` is no integer; when called, see `smoothed_cross_entropy`.

    Example:
    ```python
    >>> import ls_keras
    >>> loss = ls_keras.SmoothedCE(alpha=0.1, from_logits=True, ignore_class=-1)
    >>> round(float(loss([0, -1], [[2.0, 0.0], [2.0, 0.0]])), 4)
    0.2269

    ```

    References:
        [Müller et al., 2019](https://arxiv.org/abs/1906.02629), section 1.1.
    """

    alpha = Rate(0, 1)

    def __init__(
        self,
        alpha=0.1,
        *,
        smoothing="uniform",
        from_logits: bool = False,
        ignore_class: IgnoreClass = None,
        axis: int = -1,
        reduction: str | None = "sum_over_batch_size",
        name: str = "smoothed_ce",
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
        self.smoothing = smoothings.get(smoothing)

    def losses_and_valid(self, y_true, y_pred, mask=None, sample_weight=None):
        """Returns the losses `(...)` and which count; neighbors need masks and weights, too."""
        return losses_and_valid(
            y_true,
            y_pred,
            type(self).alpha.read(self, y_pred),
            self.smoothing,
            from_logits=self.from_logits,
            ignore_class=self.ignore_class,
            axis=self.axis,
            mask=mask,
            sample_weight=sample_weight,
            glances=self.glances,
        )

    def get_config(self) -> dict:
        """Returns the arguments of the constructor, as JSON holds them."""
        return {
            **super().get_config(),
            "alpha": type(self).alpha.stored(self),
            "smoothing": smoothings.serialize(self.smoothing),
        }
