"""Temperature with a share of the uniform distribution, and a matrix on top of it."""

import math

import keras
from keras import ops

from ls_keras.inputs.registry import LAYERS
from ls_keras.inputs.validation import as_number


@LAYERS.register("mixed_temperature")
class MixedTemperature(keras.layers.Layer):
    """Logarithms of probabilities that are nowhere 0: log((1 − ε) softmax(z/T) + ε/K).

    A class whose logit is −inf keeps it; ε is shared by the others. Temperature and ε are part of
    the configuration, not weights.

    Args:
        temperature: T > 0.
        mixing: ε, from 0 to 1.
        dtype: Of the arithmetic and the output, whatever the model's policy. Default: float32.

    Call arguments:
        inputs: Logits `(..., K)`.

    Returns:
        Tensor `(..., K)`, whose softmax is its exponential.

    Example:
    >>> import numpy as np
    >>> from ls_keras.layers import MixedTemperature
    >>> z = MixedTemperature(1.0, 0.5)(np.array([0.0, 0.0, -np.inf]))
    >>> [round(float(p), 4) for p in np.exp(z)]
    [0.5, 0.5, 0.0]
    """

    gives_logits = True

    def __init__(self, temperature: float = 1.0, mixing: float = 0.0, *, dtype="float32", **kwargs):
        super().__init__(dtype=dtype, **kwargs)
        self.temperature = as_number(temperature, "temperature", low=0, above=True)
        self.mixing = as_number(mixing, "mixing", low=0, high=1)
        self.supports_masking = True

    def call(self, inputs):
        """Scales and mixes."""
        # The largest first: what is far below it may be anything after a division by a small T.
        z = (inputs - ops.max(inputs, axis=-1, keepdims=True)) / self.temperature
        log_p = z - ops.log(ops.sum(ops.exp(z), axis=-1, keepdims=True))
        if not self.mixing:
            return log_p
        allowed = ops.cast(ops.not_equal(inputs, -math.inf), log_p.dtype)
        share = self.mixing / ops.sum(allowed, axis=-1, keepdims=True)
        return ops.log((1 - self.mixing) * ops.exp(log_p) + share * allowed)

    def compute_output_shape(self, input_shape):
        """Returns the input's shape."""
        return input_shape

    def get_config(self):
        """Returns the configuration."""
        return {
            **super().get_config(),
            "temperature": self.temperature,
            "mixing": self.mixing,
        }


@LAYERS.register("matrix_scaling")
class MatrixScaling(MixedTemperature):
    """Multiplies what `MixedTemperature` makes by a matrix, and adds a bias: W log p + b.

    `matrix` `(K, K)` and `bias` `(K,)` are weights that training does not change; they start as the
    identity, and are saved with the model.

    Args:
        temperature: T > 0.
        mixing: ε, above 0: the logarithm of a probability of 0 can't be multiplied.
        dtype: Of the arithmetic and the output, whatever the model's policy. Default: float32.

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
        """Makes the two weights."""
        size = input_shape[-1]
        self.matrix = self.add_weight(
            shape=(size, size), initializer="identity", trainable=False, name="matrix"
        )
        self.bias = self.add_weight(
            shape=(size,), initializer="zeros", trainable=False, name="bias"
        )

    def call(self, inputs):
        """Scales, mixes and multiplies."""
        forbidden = ops.equal(inputs, -math.inf)
        x = super().call(inputs)
        x = ops.where(forbidden, ops.zeros_like(x), x)
        z = ops.matmul(x, ops.transpose(self.matrix)) + self.bias
        return ops.where(forbidden, ops.full_like(z, -math.inf), z)
