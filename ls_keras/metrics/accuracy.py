"""Accuracy with masks, ignored classes, sigmoids and top-k."""

from keras import ops

from ls_base.errors import InputError
from ls_keras.backend.tensors import is_tracing
from ls_keras.inputs.probabilities import Examples, class_labels, first_largest, pick
from ls_keras.inputs.registry import METRICS
from ls_keras.inputs.validation import as_count
from ls_keras.metrics.base import WeightedMean


@METRICS.register("accuracy")
class Accuracy(WeightedMean):
    """Share of examples whose target class is the most probable, or among the k most probable.

        accuracy = (1/N) Σ_i [argmax_k p_ik = argmax_k y_ik]

    Equal to `keras.metrics.SparseCategoricalAccuracy` or `CategoricalAccuracy`, whichever fits the
    targets, with masks and `ignore_class`. Of classes with equal probability, the first is
    predicted. With `multi_label`, the share of labels with [p > 1/2] = [y > 1/2], as
    `keras.metrics.BinaryAccuracy` (in which soft labels are never right).

    Args:
        k: Number of most probable classes that count as predicted. Default: 1. Classes with equal
            probability count for the target, as in `keras.metrics.TopKCategoricalAccuracy`.
        **arguments: `from_logits` (accuracy does not depend on it, but input validation does),
            `ignore_class`, `name`, `dtype` and `multi_label`, see `CalibrationMetric`.

    Raises:
        InputError: If k is not an integer of at least 1, or is above 1 with `multi_label`.

    Example:
    >>> import ls_keras
    >>> accuracy = ls_keras.Accuracy(ignore_class=0)
    >>> accuracy.update_state([[2, 1, 0, 0]], [[[0.1, 0.2, 0.7]] * 4])
    >>> float(accuracy.result())
    0.5
    """

    default_name = "accuracy"
    _direction = "up"

    def __init__(self, k: int = 1, **arguments):
        super().__init__(**arguments)
        self.k = as_count(k, "k", 1)
        if self.k > 1 and self.multi_label:
            raise InputError(f"Expected k=1 with multi_label=True. Received: k={k}")

    def values(self, examples: Examples):
        """Returns 1 for each example that is right, else 0; NaN if its predictions have NaN."""
        y_pred, labels = examples.y_pred, class_labels(examples.targets)
        if self.k == 1:
            right = ops.equal(first_largest(y_pred), labels)
        else:
            above = y_pred > ops.expand_dims(pick(y_pred, labels), axis=-1)
            right = ops.sum(ops.cast(above, "int32"), axis=-1) < self.k
        right = ops.cast(right, "float32")
        if is_tracing(y_pred):  # else NaN has been refused
            right = ops.where(ops.isnan(ops.sum(y_pred, axis=-1)), float("nan"), right)
        return right

    def get_config(self):
        """Returns the arguments of `__init__`."""
        return {**super().get_config(), "k": self.k}
