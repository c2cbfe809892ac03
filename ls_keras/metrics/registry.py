"""Finding metrics by name or configuration."""

import keras

from ls_keras.inputs.registry import METRICS


def get(identifier, **options) -> keras.metrics.Metric:
    """Returns a metric by name, configuration or object.

    Keras's `get`, and strings in `compile`, accept Keras's own names only. A metric is found by its
    default name: `"accuracy"`, `"brier"`, `"ece"`, `"nll"`, `"perplexity"`.

    Args:
        identifier: One of these names; a configuration from `keras.metrics.serialize`; or a metric,
            which is returned unchanged.
        **options: Arguments of the class with this name.

    Raises:
        InputError: If the name is unknown (the message has near matches), if the class doesn't
            take the options, or if the identifier is something else.

    Example:
    ```python
    >>> import ls_keras
    >>> metrics = [ls_keras.metrics.get(name, from_logits=True) for name in ("nll", "ece")]
    >>> [type(metric).__name__ for metric in metrics]
    ['NegativeLogLikelihood', 'ExpectedCalibrationError']

    ```
    """
    return METRICS.get(identifier, options)
