"""The Brier score."""

from keras import ops

from ls_keras.inputs.probabilities import Examples, pick, probabilities
from ls_keras.inputs.registry import METRICS
from ls_keras.metrics.base import WeightedMean


@METRICS.register("brier")
class BrierScore(WeightedMean):
    """Mean squared distance between the predicted probabilities and the targets.

        Brier = (1/N) Σ_i Σ_k (p_ik − y_ik)²        in [0, 2]; 0 is perfect

    This is Brier's definition, over all classes. scikit-learn halves it with `scale_by_half` (its
    default for two classes); others divide by K. With `multi_label`, it is the mean over labels of
    (p − y)² in [0, 1], as in scikit-learn for binary labels: half of the score of the same model
    as a softmax over two classes.

    Args:
        **arguments: `from_logits`, `ignore_class`, `name`, `dtype` and `multi_label`, see
            `CalibrationMetric`.

    Example:
    >>> import ls_keras
    >>> brier = ls_keras.BrierScore()
    >>> brier.update_state([0, 1], [[0.75, 0.25], [0.5, 0.5]])
    >>> float(brier.result())  # (2 · 0.25² + 2 · 0.5²) / 2
    0.3125

    References:
        Brier, *Verification of forecasts expressed in terms of probability*, Monthly Weather
        Review 78 (1950).
    """

    default_name = "brier"

    def values(self, examples: Examples):
        """Returns Σ_k (p_k − y_k)² of each example."""
        p = probabilities(examples.y_pred, from_logits=self.from_logits)
        labels, dense = examples.targets.labels, examples.targets.dense
        if self.multi_label:
            return ops.square(p[..., 1] - ops.cast(dense[..., 1], p.dtype))
        if labels is None:
            return ops.sum(ops.square(p - ops.cast(dense, p.dtype)), axis=-1)
        # (1 − p_y)² + Σ_{k≠y} p_k², without a one-hot tensor of examples × classes.
        target = pick(p, labels)
        return ops.square(1.0 - target) + ops.sum(ops.square(p), axis=-1) - ops.square(target)
