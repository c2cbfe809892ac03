"""The base of the metrics that are a weighted mean of one value an example."""

from keras import ops

from ls_keras.backend import exact_sum
from ls_keras.backend.autograph import no_autograph
from ls_keras.inputs.probabilities import Examples
from ls_keras.metrics.base import CalibrationMetric


class WeightedMean(CalibrationMetric):
    """Mean over examples of what `values` returns, weighted, with sums that stay exact.

    See `CalibrationMetric` for its arguments and for what an example is. The state is two running
    sums of three float32 words (`ls_keras.backend.exact_sum`): counts are exact past 2^24
    examples, the result doesn't depend on how the data are cut into batches, and replicas under
    `tf.distribute` add up. Before the first example that counts, the result is NaN, not a perfect
    score. NaN predictions raise `InputError` in eager use; in a compiled graph they make the
    result NaN, with a warning.
    """

    def __init__(self, **arguments):
        super().__init__(**arguments)
        shape = (exact_sum.WORDS,)
        self._total = self.add_variable(shape, "zeros", dtype="float32", name="total")
        self._weight = self.add_variable(shape, "zeros", dtype="float32", name="weight")

    def values(self, examples: Examples):
        """Returns the value `(...)` of each example."""
        raise NotImplementedError

    def add(self, examples: Examples) -> None:
        """Adds a batch that has been read."""
        values = ops.cast(self.values(examples), "float32")
        weights = examples.weights
        if examples.wrong is not None:
            values = ops.where(examples.wrong, float("nan"), values)
        if weights is None:
            weights = ops.ones_like(values)
        else:
            # What is ignored may be anything, NaN too, and 0 · NaN is NaN.
            values = ops.where(weights == 0, ops.zeros_like(values), values * weights)
        self._total.assign(exact_sum.add(self._total, ops.sum(values)))
        self._weight.assign(exact_sum.add(self._weight, ops.sum(weights)))

    def mean(self):
        """Returns the weighted mean so far, a float32 scalar; NaN before the first example."""
        return exact_sum.value(self._total) / exact_sum.value(self._weight)

    def score(self, mean):
        """Returns the metric's value, of the mean; the mean itself unless a subclass says so."""
        return mean

    @no_autograph
    def result(self):
        """Returns the score of the mean so far, a scalar; NaN before the first example.

        Warns:
            UserWarning: In eager use, if a compiled step met what it should not have.
        """
        self.tell_if_wrong(self._total)
        # A score of a mean of 16 bits would lose its digits, and an exponential overflow.
        return ops.cast(self.score(self.mean()), self.dtype)

    def reset_state(self):
        """Forgets everything.

        Warns:
            UserWarning: As `result`.
        """
        self.tell_if_wrong(self._total)
        super().reset_state()
