"""From probabilities to logits: what stands between a model that emits the one and a scaling."""

import keras
import numpy as np
from keras import ops

from ls_keras.inputs.registry import LAYERS

# How far a sum of probabilities may stray from 1, and how far one may lie below 0: rounding.
_TOLERANCE = 5e-2


@LAYERS.register("log_probabilities")
class LogProbabilities(keras.layers.Layer):
    """Logits of probabilities, in float32: `log p`.

    Where p underflowed, `log p` is that of the smallest normal float32. Where p is no
    distribution (below 0, or of another sum than 1), the logits are NaN.

    Args:
        dtype: Of the arithmetic and the output, whatever the model's policy. Default: float32.

    Call arguments:
        inputs: Probabilities `(..., K)`.

    Returns:
        Tensor `(..., K)`.

    Example:
    >>> import numpy as np
    >>> from ls_keras.layers import LogProbabilities
    >>> [round(float(z), 4) for z in LogProbabilities()(np.array([0.5, 0.5]))]
    [-0.6931, -0.6931]
    """

    gives_logits = True

    def __init__(self, *, dtype="float32", **kwargs):
        super().__init__(dtype=dtype, **kwargs)
        self.supports_masking = True

    def call(self, inputs):
        """Takes the logarithm."""
        total = ops.sum(inputs, axis=-1, keepdims=True)
        lowest = ops.min(inputs, axis=-1, keepdims=True)
        fits = ops.logical_and(ops.abs(total - 1) <= _TOLERANCE, lowest >= -_TOLERANCE)
        logits = ops.log(ops.maximum(inputs, float(np.finfo(np.float32).tiny)))
        return ops.where(fits, logits, float("nan"))

    def compute_output_shape(self, input_shape):
        """Returns the input's shape."""
        return input_shape


@LAYERS.register("log_odds")
class LogOdds(keras.layers.Layer):
    """Logits of sigmoids' probabilities, in float32: `log p − log(1 − p)`.

    Where p or 1 − p underflowed, its logarithm is that of the smallest normal float32. Where p is
    no probability (outside [0, 1]), the logit is NaN.

    Args:
        dtype: Of the arithmetic and the output, whatever the model's policy. Default: float32.

    Call arguments:
        inputs: Probabilities `(..., K)`, each for itself.

    Returns:
        Tensor `(..., K)`.

    Example:
    >>> import numpy as np
    >>> from ls_keras.layers import LogOdds
    >>> [round(float(z), 4) for z in LogOdds()(np.array([0.5, 0.9]))]
    [0.0, 2.1972]
    """

    gives_logits = True

    def __init__(self, *, dtype="float32", **kwargs):
        super().__init__(dtype=dtype, **kwargs)
        self.supports_masking = True

    def call(self, inputs):
        """Takes the logarithms."""
        fits = ops.logical_and(inputs >= -_TOLERANCE, inputs <= 1 + _TOLERANCE)
        least = float(np.finfo(np.float32).tiny)
        logits = ops.log(ops.maximum(inputs, least)) - ops.log(ops.maximum(1 - inputs, least))
        return ops.where(fits, logits, float("nan"))

    def compute_output_shape(self, input_shape):
        """Returns the input's shape."""
        return input_shape
