"""Accuracy that counts what the other metrics count."""

from keras import ops

from ls_keras.backend.tensors import is_tracing
from ls_keras.inputs.probabilities import Examples, class_labels, first_largest
from ls_keras.inputs.registry import METRICS
from ls_keras.metrics.weighted_mean import WeightedMean


@METRICS.register("accuracy")
class Accuracy(WeightedMean):
    """Share of examples whose most probable class is the target's.

        accuracy = (1/N) Σ_i [argmax_k p_ik = argmax_k y_ik]

    As `keras.metrics.SparseCategoricalAccuracy` and `CategoricalAccuracy`, told apart by rank,
    with `ignore_class`. Of equal classes the first is predicted. With `multi_label`, the share of
    labels with [p > 1/2] = [y > 1/2], as `keras.metrics.BinaryAccuracy` (which has soft labels
    never right).

    See `ls_keras.metrics.weighted_mean.WeightedMean` for masks, weights, and the sums.

    Args:
        from_logits: Whether `y_pred` are logits; `False`, as in Keras: probabilities. The accuracy
            is the same; the check of what comes in asks.
        ignore_class: A label id, or several, whose positions do not count (integer targets).
        name: Name of the metric in logs.
        dtype: Dtype of the result. Defaults to Keras's float type.
        multi_label: Whether each entry of the last axis is a sigmoid, and an example of its own:
            `(batch, 1)` for a binary model. Default: `False`.

    Example:
    >>> import ls_keras
    >>> accuracy = ls_keras.Accuracy(ignore_class=0)
    >>> accuracy.update_state([[2, 1, 0, 0]], [[[0.1, 0.2, 0.7]] * 4])
    >>> float(accuracy.result())
    0.5
    """

    _direction = "up"

    def __init__(
        self,
        *,
        from_logits=False,
        ignore_class=None,
        name="accuracy",
        dtype=None,
        multi_label=False,
    ):
        super().__init__(
            from_logits=from_logits,
            ignore_class=ignore_class,
            name=name,
            dtype=dtype,
            multi_label=multi_label,
        )

    def values(self, examples: Examples):
        """Returns 1 for each example that is right, else 0; NaN where predictions have it."""
        right = ops.equal(first_largest(examples.y_pred), class_labels(examples.targets))
        right = ops.cast(right, "float32")
        if is_tracing(examples.y_pred):  # else it has been looked at
            right = ops.where(ops.isnan(ops.sum(examples.y_pred, axis=-1)), float("nan"), right)
        return right
