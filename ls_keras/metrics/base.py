"""The base of every metric here: how a batch is read, and what all are told."""

from typing import Any

import keras
from keras import ops

from ls_base.brief_repr import ConfigRepr
from ls_keras.backend.autograph import no_autograph
from ls_keras.inputs.probabilities import Examples, read_examples, warn_of_wrong
from ls_keras.inputs.targets import IgnoreClass, plain_ignore_class
from ls_keras.inputs.validation import as_flag


class CalibrationMetric(ConfigRepr, keras.metrics.Metric):
    """A metric of predictions; a subclass says what it adds up of them (`add`), and its result.

    Every position of `y_pred` but its last axis is an example. Positions that a Keras mask or
    `ignore_class` takes out don't count, whatever the predictions hold there.

    What the predictions mean never follows from their values: `from_logits` says it. That they can
    be what it says is checked: in eager use, what is wrong raises `InputError`; on PyTorch, whose
    steps are eager unless they are compiled, in `fit` and `evaluate` too. In a compiled step, where
    nothing can be raised, predictions that are no probabilities with `from_logits=False`, and
    labels out of range, make the result NaN; reading or resetting the metric in eager use, as Keras
    does at the end of an epoch, then warns, once.

    Args:
        from_logits: Whether `y_pred` are logits; `False`, as in Keras: probabilities.
        ignore_class: A label id, or several, whose positions do not count (integer targets).
        name: Name of the metric in logs.
        dtype: Dtype of the result; the arithmetic is float32. Defaults to Keras's float type.
        multi_label: Whether each entry of the last axis is a sigmoid, and an example of its own
            (`ls_keras.inputs.binary_targets`), for the metrics that take it.

    Raises:
        InputError: If `ignore_class` is no integer.
    """

    # Private in Keras: what `mode="auto"` of `EarlyStopping` and `ModelCheckpoint` reads.
    _direction = "down"

    def __init__(
        self,
        *,
        from_logits: bool = False,
        ignore_class: IgnoreClass = None,
        name=None,
        dtype=None,
        multi_label: bool = False,
    ):
        super().__init__(name=name, dtype=dtype)
        self.from_logits = as_flag(from_logits, "from_logits")
        self.ignore_class = plain_ignore_class(ignore_class)
        self.multi_label = as_flag(multi_label, "multi_label")
        self._told = False

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
            InputError: If the shapes don't belong together or, in eager use, if `y_pred` has
                NaN, or is no probability distribution with `from_logits=False`.
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
        """Adds a batch with NumPy and returns true, where that can be and is faster.

        Args:
            y_true: As `update_state` got it.
            y_pred: The same.
            **options: The other arguments of `read_examples`.
        """
        return False

    def add(self, examples: Examples) -> None:
        """Adds a batch that has been read."""
        raise NotImplementedError

    def tell_if_wrong(self, words) -> None:
        """Warns once, in eager use, if a compiled step has made the sums NaN."""
        self._told = self._told or warn_of_wrong(self.name, words)

    def __reduce__(self):
        """Pickles and copies what has been added up as well; Keras's metrics would forget it."""
        state = [ops.convert_to_numpy(variable) for variable in self.variables]
        return type(self).from_config, (self.get_config(),), state

    def __setstate__(self, state):
        """Takes up what `__reduce__` kept."""
        self.build_for(state)
        for variable, value in zip(self.variables, state, strict=True):
            variable.assign(value)

    def build_for(self, state) -> None:
        """Creates what variables there are not yet, before they get the arrays of `state`."""

    def get_config(self):
        """Returns the arguments of `__init__`."""
        config = {
            **super().get_config(),
            "from_logits": self.from_logits,
            "ignore_class": self.ignore_class,
        }
        # Not every metric takes it.
        return {**config, "multi_label": True} if self.multi_label else config
