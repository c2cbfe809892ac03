"""Layers that rescale logits: what a calibrated model ends in."""

import math

import keras
from keras import ops

from ls_keras.inputs.registry import LAYERS
from ls_keras.inputs.validation import as_number


@LAYERS.register("temperature")
class Temperature(keras.layers.Layer):
    """Divides logits by a temperature, in float32: `z / T`.

    The temperature is part of the configuration, not a weight: a copy of the model has it, and
    `load_weights` cannot change it.

    Args:
        temperature: T > 0. Above 1 it lowers confidence, below 1 it raises it.
        dtype: Of the division and the output, whatever the model's policy. Default: float32.

    Call arguments:
        inputs: Logits `(..., K)`.

    Returns:
        Tensor `(..., K)`.

    Example:
    >>> import numpy as np
    >>> from ls_keras.layers.temperature import Temperature
    >>> [float(z) for z in Temperature(2.0)(np.array([3.0, -1.0]))]
    [1.5, -0.5]
    """

    gives_logits = True

    def __init__(self, temperature: float = 1.0, *, dtype="float32", **kwargs):
        super().__init__(dtype=dtype, **kwargs)
        self.temperature = as_number(temperature, "temperature", low=0, above=True)
        self.supports_masking = True

    def call(self, inputs):
        """Divides."""
        return inputs / self.temperature

    def compute_output_shape(self, input_shape):
        """Returns the input's shape."""
        return input_shape

    def get_config(self):
        """Returns the configuration."""
        return {**super().get_config(), "temperature": self.temperature}


@LAYERS.register("vector_scaling")
class VectorScaling(keras.layers.Layer):
    """Scales and shifts each class's logit, in float32: `a ⊙ z + b`.

    `scale` and `bias`, `(K,)` each, are weights that training does not change; they start as the
    identity, and are saved with the model.

    Args:
        dtype: Of the arithmetic and the output, whatever the model's policy. Default: float32.

    Call arguments:
        inputs: Logits `(..., K)`.

    Returns:
        Tensor `(..., K)`.

    Example:
    >>> import numpy as np
    >>> from ls_keras.layers.temperature import VectorScaling
    >>> layer = VectorScaling()
    >>> layer.build((None, 2))
    >>> layer.set_weights([np.array([2.0, 1.0]), np.array([0.0, 0.5])])
    >>> [float(z) for z in layer(np.array([3.0, -1.0]))]
    [6.0, -0.5]
    """

    gives_logits = True

    def __init__(self, *, dtype="float32", **kwargs):
        super().__init__(dtype=dtype, **kwargs)
        self.supports_masking = True
        self.scale = None
        self.bias = None

    def build(self, input_shape):
        """Makes the two weights."""
        shape = (input_shape[-1],)
        self.scale = self.add_weight(shape=shape, initializer="ones", trainable=False, name="scale")
        self.bias = self.add_weight(shape=shape, initializer="zeros", trainable=False, name="bias")

    def call(self, inputs):
        """Scales and shifts."""
        scaled = inputs * self.scale
        # A class masked by −inf stays so, whatever the sign of its scale.
        return ops.where(ops.equal(inputs, -math.inf), inputs, scaled) + self.bias

    def compute_output_shape(self, input_shape):
        """Returns the input's shape."""
        return input_shape
