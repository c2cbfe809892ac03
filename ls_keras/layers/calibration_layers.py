"""Layers that turn probabilities into logits and rescale logits, appended by `calibrated`."""

import math

import keras
import numpy as np
from keras import ops

from ls_keras.inputs.registry import LAYERS
from ls_keras.inputs.validation import as_number

# How far probabilities may lie outside [0, 1], and their sum from 1, because of rounding.
_TOLERANCE = 5e-2
_SMALLEST = float(np.finfo(np.float32).tiny)


class CalibrationLayer(keras.layers.Layer):
    """Base of layers that map `(..., K)` to logits `(..., K)` and pass masks on.

    Args:
        dtype: Dtype policy of the arithmetic and of the output, independent of the model's policy.
            Default: `"float32"`.
        **kwargs: Other arguments of `keras.layers.Layer`, such as `name`.
    """

    gives_logits = True  # read by `ls_keras.inputs.output_activation`

    def __init__(self, *, dtype="float32", **kwargs):
        super().__init__(dtype=dtype, **kwargs)
        self.supports_masking = True

    def compute_output_shape(self, input_shape):
        """Returns the shape of the inputs."""
        return input_shape

    def add_fixed_weight(self, name: str, shape, initializer: str):
        """Adds a weight that is saved with the model but not changed by training."""
        return self.add_weight(shape=shape, initializer=initializer, trainable=False, name=name)


@LAYERS.register("log_probabilities")
class LogProbabilities(CalibrationLayer):
    """Converts probabilities to logits, `log p`.

    Probabilities that underflowed to 0 become the logarithm of the smallest normal float32. Rows
    that are not a distribution (negative entries, or a sum other than 1) become NaN.

    Args:
        dtype: See `CalibrationLayer`. Default: `"float32"`.

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

    def call(self, inputs):
        """Computes the logarithms."""
        total = ops.sum(inputs, axis=-1, keepdims=True)
        lowest = ops.min(inputs, axis=-1, keepdims=True)
        valid = ops.logical_and(ops.abs(total - 1) <= _TOLERANCE, lowest >= -_TOLERANCE)
        return ops.where(valid, ops.log(ops.maximum(inputs, _SMALLEST)), float("nan"))


@LAYERS.register("log_odds")
class LogOdds(CalibrationLayer):
    """Converts the probabilities of sigmoids to logits, `log p − log(1 − p)`.

    A p or 1 − p that underflowed is replaced by the smallest normal float32. Entries outside [0, 1]
    become NaN.

    Args:
        dtype: See `CalibrationLayer`. Default: `"float32"`.

    Call arguments:
        inputs: Probabilities `(..., K)`, independent of each other.

    Returns:
        Tensor `(..., K)`.

    Example:
    >>> import numpy as np
    >>> from ls_keras.layers import LogOdds
    >>> [round(float(z), 4) for z in LogOdds()(np.array([0.5, 0.9]))]
    [0.0, 2.1972]
    """

    def call(self, inputs):
        """Computes the logarithms."""
        valid = ops.logical_and(inputs >= -_TOLERANCE, inputs <= 1 + _TOLERANCE)
        log_p, log_rest = (ops.log(ops.maximum(x, _SMALLEST)) for x in (inputs, 1 - inputs))
        return ops.where(valid, log_p - log_rest, float("nan"))


@LAYERS.register("temperature")
class Temperature(CalibrationLayer):
    """Divides logits by a temperature: `z / T`.

    The temperature is part of the configuration, not a weight: copies of the model keep it, and
    `load_weights` does not change it.

    Args:
        temperature: T > 0. Values above 1 lower confidence, values below 1 raise it.
        dtype: See `CalibrationLayer`. Default: `"float32"`.

    Call arguments:
        inputs: Logits `(..., K)`.

    Returns:
        Tensor `(..., K)`.

    Example:
    >>> import numpy as np
    >>> from ls_keras.layers import Temperature
    >>> [float(z) for z in Temperature(2.0)(np.array([3.0, -1.0]))]
    [1.5, -0.5]
    """

    def __init__(self, temperature: float = 1.0, **kwargs):
        super().__init__(**kwargs)
        self.temperature = as_number(temperature, "temperature", low=0, above=True)

    def call(self, inputs):
        """Divides the logits."""
        return inputs / self.temperature

    def get_config(self):
        """Returns the configuration."""
        return {**super().get_config(), "temperature": self.temperature}


@LAYERS.register("vector_scaling")
class VectorScaling(CalibrationLayer):
    """Scales and shifts the logit of each class: `a ⊙ z + b`.

    `scale` a and `bias` b, `(K,)` each, start as the identity. They are saved with the model, and
    training does not change them.

    Args:
        dtype: See `CalibrationLayer`. Default: `"float32"`.

    Call arguments:
        inputs: Logits `(..., K)`.

    Returns:
        Tensor `(..., K)`.

    Example:
    >>> import numpy as np
    >>> from ls_keras.layers import VectorScaling
    >>> layer = VectorScaling()
    >>> layer.build((None, 2))
    >>> layer.set_weights([np.array([2.0, 1.0]), np.array([0.0, 0.5])])
    >>> [float(z) for z in layer(np.array([3.0, -1.0]))]
    [6.0, -0.5]
    """

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.scale = None
        self.bias = None

    def build(self, input_shape):
        """Creates the two weights."""
        self.scale = self.add_fixed_weight("scale", (input_shape[-1],), "ones")
        self.bias = self.add_fixed_weight("bias", (input_shape[-1],), "zeros")

    def call(self, inputs):
        """Scales and shifts the logits."""
        # A class masked with −inf stays masked for any sign of its scale.
        scaled = ops.where(ops.equal(inputs, -math.inf), inputs, inputs * self.scale)
        return scaled + self.bias


@LAYERS.register("mixed_temperature")
class MixedTemperature(CalibrationLayer):
    """Applies a temperature and mixes in the uniform distribution: log((1 − ε) softmax(z/T) + ε/K).

    No probability is then 0, except of classes masked with a logit of −inf: ε is shared by the
    other classes. Temperature and ε are part of the configuration, not weights.

    Args:
        temperature: T > 0.
        mixing: ε, from 0 to 1.
        dtype: See `CalibrationLayer`. Default: `"float32"`.

    Call arguments:
        inputs: Logits `(..., K)`.

    Returns:
        Tensor `(..., K)`: log-probabilities.

    Example:
    >>> import numpy as np
    >>> from ls_keras.layers import MixedTemperature
    >>> z = MixedTemperature(1.0, 0.5)(np.array([0.0, 0.0, -np.inf]))
    >>> [round(float(p), 4) for p in np.exp(z)]
    [0.5, 0.5, 0.0]
    """

    def __init__(self, temperature: float = 1.0, mixing: float = 0.0, **kwargs):
        super().__init__(**kwargs)
        self.temperature = as_number(temperature, "temperature", low=0, above=True)
        self.mixing = as_number(mixing, "mixing", low=0, high=1)

    def call(self, inputs):
        """Scales and mixes."""
        # The maximum is subtracted first: dividing by a small T could overflow otherwise.
        z = (inputs - ops.max(inputs, axis=-1, keepdims=True)) / self.temperature
        log_p = z - ops.log(ops.sum(ops.exp(z), axis=-1, keepdims=True))
        if not self.mixing:
            return log_p
        allowed = ops.cast(ops.not_equal(inputs, -math.inf), log_p.dtype)
        share = self.mixing / ops.sum(allowed, axis=-1, keepdims=True)
        return ops.log((1 - self.mixing) * ops.exp(log_p) + share * allowed)

    def get_config(self):
        """Returns the configuration."""
        config = {"temperature": self.temperature, "mixing": self.mixing}
        return {**super().get_config(), **config}


@LAYERS.register("matrix_scaling")
class MatrixScaling(MixedTemperature):
    """Multiplies the log-probabilities of `MixedTemperature` by a matrix: W log p + b.

    `matrix` W `(K, K)` and `bias` b `(K,)` start as the identity. They are saved with the model,
    and training does not change them.

    Args:
        temperature: T > 0.
        mixing: ε > 0, which keeps log p finite. Default: 1e-6.
        dtype: See `CalibrationLayer`. Default: `"float32"`.

    Call arguments:
        inputs: Logits `(..., K)`.

    Returns:
        Tensor `(..., K)`: logits.

    Example:
    >>> import numpy as np
    >>> from ls_keras.layers import MatrixScaling
    >>> layer = MatrixScaling(1.0, 1e-6)
    >>> layer.build((None, 2))
    >>> layer.set_weights([np.array([[1.0, -1.0], [0.0, 1.0]]), np.zeros(2)])
    >>> [round(float(z), 3) for z in layer(np.log([0.25, 0.75]))]
    [-1.099, -0.288]
    """

    def __init__(self, temperature: float = 1.0, mixing: float = 1e-6, **kwargs):
        super().__init__(temperature, as_number(mixing, "mixing", low=0, above=True), **kwargs)
        self.matrix = None
        self.bias = None

    def build(self, input_shape):
        """Creates the two weights."""
        size = input_shape[-1]
        self.matrix = self.add_fixed_weight("matrix", (size, size), "identity")
        self.bias = self.add_fixed_weight("bias", (size,), "zeros")

    def call(self, inputs):
        """Scales, mixes and multiplies."""
        forbidden = ops.equal(inputs, -math.inf)
        log_p = super().call(inputs)
        log_p = ops.where(forbidden, ops.zeros_like(log_p), log_p)
        z = ops.matmul(log_p, ops.transpose(self.matrix)) + self.bias
        return ops.where(forbidden, -math.inf, z)
