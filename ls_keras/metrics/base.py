"""Base classes of the metrics: reading a batch, shared arguments, and weighted means."""

from typing import Any

import keras
from keras import ops

from ls_base.brief_repr import SharedArguments
from ls_keras.backend import exact_sum
from ls_keras.backend.autograph import no_autograph
from ls_keras.inputs.probabilities import Examples, read_examples, warn_of_wrong
from ls_keras.inputs.targets import IgnoreClass, plain_ignore_class
from ls_keras.inputs.validation import as_flag


class CalibrationMetric(SharedArguments, keras.metrics.Metric):
    """Base of all metrics; a subclass defines what a batch adds (`add`), and `result`.

    Every position of `y_pred` except its last axis is an example. Positions excluded by a Keras
    mask or `ignore_class` do not count, whatever the predictions hold there.

    The meaning of predictions is never guessed from their values: `from_logits` states it. In eager
    use (on PyTorch also in `fit`), wrong values raise `InputError`. In a compiled step, predictions
    that are not probabilities with `from_logits=False`, and labels out of range, make the result
    NaN; reading or resetting the metric eagerly, as Keras does between epochs, then warns once.

    Args:
        from_logits: Whether `y_pred` are logits. Default: `False`, as in Keras: probabilities.
        ignore_class: Label id, or several, whose positions do not count (integer targets).
        name: Name of the metric in logs. Default: its name in `ls_keras.metrics.get`.
        dtype: Dtype of the result; the arithmetic is float32. Default: Keras's float type.
        multi_label: Whether each entry of the last axis is a sigmoid, and an example of its own:
            `(batch, 1)` for a binary model. Default: `False`.

    Raises:
        InputError: If an argument is not one of these values.
    """

    default_name: str | None = None
    # Private in Keras: read by `EarlyStopping` and `ModelCheckpoint` with `mode="auto"`.
    _direction = "down"

    def __init__(
        self,
        *,
        from_logits: bool = False,
        ignore_class: IgnoreClass = None,
        name: str | None = None,
        dtype=None,
        multi_label: bool = False,
    ):
        super().__init__(name=name or self.default_name, dtype=dtype)
        self.from_logits = as_flag(from_logits, "from_logits")
        self.ignore_class = plain_ignore_class(ignore_class)
        self.multi_label = as_flag(multi_label, "multi_label")
        self._warned = False

    @no_autograph
    def update_state(self, y_true, y_pred, sample_weight=None):
        """Adds a batch.

        Args:
            y_true: Integers `(...)` or `(..., 1)`, or dense targets `(..., K)`. With `multi_label`,
                labels in [0, 1] of the shape of `y_pred`, or `(...)` for `(..., 1)`.
            y_pred: Tensor `(..., K)`, K ≥ 2; with `multi_label`, K ≥ 1.
            sample_weight: Tensor of shape `(...)` or of its leading axes, or `None`. With
                `multi_label`, `(..., K)` or its leading axes.

        Raises:
            InputError: If the shapes do not fit or, in eager use, if `y_pred` has NaN, or is not a
                probability distribution with `from_logits=False`.
        """
        options: dict[str, Any] = {
            "sample_weight": sample_weight,
            "from_logits": self.from_logits,
            "ignore_class": self.ignore_class,
        }
        if self.multi_label or not self.add_on_host(y_true, y_pred, **options):
            options["multi_label"] = self.multi_label
            self.add(read_examples(y_true, y_pred, **options))

    def add_on_host(self, y_true, y_pred, **options) -> bool:
        """Adds a batch with NumPy and returns true, if that is possible and faster.

        Args:
            y_true: Argument of `update_state`.
            y_pred: Argument of `update_state`.
            **options: Other arguments of `read_examples`.
        """
        return False

    def add(self, examples: Examples) -> None:
        """Adds a batch that has been read."""
        raise NotImplementedError

    def warn_if_nan(self, words) -> None:
        """Warns once, in eager use, if a compiled step has made the sums NaN."""
        self._warned = self._warned or warn_of_wrong(self.name, words)

    def __reduce__(self):
        """Pickles and copies the state too, which Keras's metrics lose."""
        state = [ops.convert_to_numpy(variable) for variable in self.variables]
        return type(self).from_config, (self.get_config(),), state

    def __setstate__(self, state):
        """Restores the state that `__reduce__` stored."""
        self.build_for(state)
        for variable, value in zip(self.variables, state, strict=True):
            variable.assign(value)

    def build_for(self, state) -> None:
        """Creates missing variables for the arrays of a stored state."""

    def get_config(self):
        """Returns the arguments of `__init__`."""
        return {
            **super().get_config(),
            "from_logits": self.from_logits,
            "ignore_class": self.ignore_class,
            "multi_label": self.multi_label,
        }


class WeightedMean(CalibrationMetric):
    """Base of metrics that are a weighted mean of one value per example.

    The state is two running sums of three float32 words (`ls_keras.backend.exact_sum`): counts are
    exact past 2^24 examples, the result does not depend on batches, and replicas under
    `tf.distribute` add up. Before the first example that counts, the result is NaN.

    Args:
        **arguments: Arguments of `CalibrationMetric`.
    """

    def __init__(
        self,
        *,
        from_logits: bool = False,
        ignore_class: IgnoreClass = None,
        name: str | None = None,
        dtype=None,
        multi_label: bool = False,
    ):
        super().__init__(
            from_logits=from_logits,
            ignore_class=ignore_class,
            name=name,
            dtype=dtype,
            multi_label=multi_label,
        )
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
            # Ignored values may be NaN, and 0 · NaN is NaN.
            values = ops.where(weights == 0, ops.zeros_like(values), values * weights)
        self._total.assign(exact_sum.add(self._total, ops.sum(values)))
        self._weight.assign(exact_sum.add(self._weight, ops.sum(weights)))

    def mean(self):
        """Returns the weighted mean so far, a float32 scalar; NaN before the first example."""
        return exact_sum.value(self._total) / exact_sum.value(self._weight)

    def score(self, mean):
        """Returns the value of the metric for a mean; by default the mean."""
        return mean

    @no_autograph
    def result(self):
        """Returns the score of the mean so far, a scalar; NaN before the first example.

        Warns:
            UserWarning: In eager use, if a compiled step met wrong values.
        """
        self.warn_if_nan(self._total)
        # Cast last: a 16-bit mean loses digits, and an exponential of it may overflow.
        return ops.cast(self.score(self.mean()), self.dtype)

    def reset_state(self):
        """Resets the sums.

        Warns:
            UserWarning: As `result`.
        """
        self.warn_if_nan(self._total)
        super().reset_state()
