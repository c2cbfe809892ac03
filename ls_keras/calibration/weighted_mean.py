"""The base of the metrics that are a weighted mean of one value an example."""

import keras
from keras import ops

from ls_keras.calibration import exact_sum
from ls_keras.calibration.probabilities import Examples, read_examples
from ls_keras.targets import IgnoreClass, ignored_ids


class WeightedMean(keras.metrics.Metric):
    """Mean over examples of what `values` returns, weighted, with sums that stay exact.

    Every position of `y_pred` but its last axis is an example. Positions that a Keras mask or
    `ignore_class` takes out don't count, whatever the predictions hold there. The state is two
    running sums of three float32 words (`ls_keras.calibration.exact_sum`): counts are exact past
    2^24 examples, the result doesn't depend on how the data are cut into batches, and replicas
    under `tf.distribute` add up. Before the first example that counts, the result is NaN, not a
    perfect score. NaN predictions raise `InputError` in eager use; in a compiled graph they make
    the result NaN.

    Args:
        from_logits: Whether `y_pred` are logits; `False`, as in Keras: probabilities.
        ignore_class: A label id, or several, whose positions do not count (integer targets).
        name: Name of the metric in logs.
        dtype: Dtype of the result; the arithmetic is float32. Defaults to Keras's float type.
    """

    def __init__(
        self, *, from_logits: bool = False, ignore_class: IgnoreClass = None, name=None, dtype=None
    ):
        super().__init__(name=name, dtype=dtype)
        ignored_ids(ignore_class)
        self.from_logits = from_logits
        self.ignore_class = ignore_class
        self._total = self.add_variable((exact_sum.WORDS,), "zeros", dtype="float32", name="total")
        self._weight = self.add_variable(
            (exact_sum.WORDS,), "zeros", dtype="float32", name="weight"
        )

    def values(self, examples: Examples):
        """Returns the value `(...)` of each example."""
        raise NotImplementedError

    def update_state(self, y_true, y_pred, sample_weight=None):
        """Adds a batch.

        Args:
            y_true: Integers `(...)` or `(..., 1)`, or dense targets `(..., K)`.
            y_pred: Tensor `(..., K)`, K ≥ 2.
            sample_weight: Tensor of shape `(...)` or of its leading axes, or `None`.

        Raises:
            InputError: If the shapes don't belong together or, in eager use, if `y_pred` has
                NaN, or is no probability distribution with `from_logits=False`.
        """
        examples = read_examples(
            y_true,
            y_pred,
            sample_weight=sample_weight,
            from_logits=self.from_logits,
            ignore_class=self.ignore_class,
        )
        values = ops.cast(self.values(examples), "float32")
        weights = examples.weights
        if weights is None:
            weights = ops.ones_like(values)
        else:
            # What is ignored may be anything, NaN too, and 0 · NaN is NaN.
            values = ops.where(weights == 0, ops.zeros_like(values), values * weights)
        self._total.assign(exact_sum.added(self._total, ops.sum(values)))
        self._weight.assign(exact_sum.added(self._weight, ops.sum(weights)))

    def result(self):
        """Returns the weighted mean so far, a scalar; NaN before the first example."""
        mean = exact_sum.value(self._total) / exact_sum.value(self._weight)
        return ops.cast(mean, self.dtype)

    def get_config(self):
        """Returns the arguments of `__init__`."""
        return {
            **super().get_config(),
            "from_logits": self.from_logits,
            "ignore_class": self.ignore_class,
        }
