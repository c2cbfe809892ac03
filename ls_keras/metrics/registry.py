"""THE table of the metrics' names, and what finds a metric by its name."""

from collections.abc import Callable, Mapping
from types import MappingProxyType

import keras

from ls_base.errors import InputError
from ls_keras.inputs.registry import named
from ls_keras.inputs.validation import shown
from ls_keras.metrics.accuracy import Accuracy
from ls_keras.metrics.brier_score import BrierScore
from ls_keras.metrics.expected_calibration_error import ExpectedCalibrationError
from ls_keras.metrics.negative_log_likelihood import NegativeLogLikelihood, Perplexity

_KIND = "a metric"

# A metric has its own `name` by default.
NAMES: Mapping[str, Callable] = MappingProxyType(
    {
        "accuracy": Accuracy,
        "brier": BrierScore,
        "ece": ExpectedCalibrationError,
        "nll": NegativeLogLikelihood,
        "perplexity": Perplexity,
    }
)


def get(identifier, **options) -> keras.metrics.Metric:
    """Returns a metric by name, configuration or object.

    Keras's `get`, and strings in `compile`, know Keras's own names only.

    - Metrics: `"accuracy"`, `"brier"`, `"ece"`, `"nll"`, `"perplexity"`

    Args:
        identifier: One of these names; what `keras.metrics.serialize` returned; or a metric, which
            is returned as it is.
        **options: Arguments of the class that the name stands for.

    Raises:
        InputError: If there is no such name (with near matches), if the class doesn't take the
            options, or if the identifier is something else.

    Example:
    ```python
    >>> import ls_keras
    >>> metrics = [ls_keras.metrics.get(name, from_logits=True) for name in ("nll", "ece")]
    >>> [type(metric).__name__ for metric in metrics]
    ['NegativeLogLikelihood', 'ExpectedCalibrationError']

    ```
    """
    found = named(identifier, options, NAMES, _KIND)
    if isinstance(found, keras.metrics.Metric):
        return found
    raise InputError(
        f"Expected {_KIND}: its name, configuration or object. Received: {shown(identifier)}"
    )
