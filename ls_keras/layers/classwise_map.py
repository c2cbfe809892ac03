"""A curve for every class: what isotonic regression and histogram binning make of probabilities."""

import math

import keras
from keras import ops

from ls_base.errors import InputError
from ls_keras.inputs.registry import LAYERS
from ls_keras.inputs.validation import as_choice, as_count, as_flag, as_number


@LAYERS.register("classwise_map")
class ClasswiseMap(keras.layers.Layer):
    """Maps each class's probability by a curve of its own: q_k = f_k(p_k) / Σ_l f_l(p_l).

    Emits log((1 − ε) q + ε/K). A class whose logit is −inf keeps it. The knots are weights that
    training does not change, `x` and `y` `(K, knots)` each, x ascending in each row.

    Args:
        knots: Number of knots of each class; rows with fewer repeat their last.
        kind: `"linear"`: f_k is linear between its knots, and constant beyond. `"step"`: f_k is
            y of the first knot whose x is at least p, the last one's beyond.
        mixing: ε, from 0 to 1.
        first_is_rest: Whether, of two classes, the first is what the second leaves, q_0 = 1 − q_1,
            whatever its knots are.
        dtype: Of the arithmetic and the output, whatever the model's policy. Default: float32.

    Call arguments:
        inputs: Logits `(..., K)`.

    Returns:
        Tensor `(..., K)`, whose softmax is its exponential.

    Example:
    >>> import numpy as np
    >>> from ls_keras.layers import ClasswiseMap
    >>> layer = ClasswiseMap(2)
    >>> layer.build((None, 2))
    >>> layer.set_weights([np.array([[0.0, 1.0]] * 2), np.array([[0.2, 0.6], [0.0, 1.0]])])
    >>> [round(float(p), 4) for p in np.exp(layer(np.log([0.5, 0.5])))]  # 0.4 and 0.5
    [0.4444, 0.5556]
    """

    gives_logits = True

    def __init__(
        self,
        knots: int,
        kind: str = "linear",
        mixing: float = 0.0,
        *,
        first_is_rest: bool = False,
        dtype="float32",
        **kwargs,
    ):
        super().__init__(dtype=dtype, **kwargs)
        self.knots = as_count(knots, "knots", 1, 2**24)
        self.kind = as_choice(kind, "kind", ("linear", "step"))
        self.mixing = as_number(mixing, "mixing", low=0, high=1)
        self.first_is_rest = as_flag(first_is_rest, "first_is_rest")
        self.supports_masking = True
        self.x = None
        self.y = None

    def build(self, input_shape):
        """Makes the two weights."""
        if self.first_is_rest and input_shape[-1] != 2:
            raise InputError(
                "Expected two classes, as first_is_rest=True says. "
                f"Received: inputs of shape {tuple(input_shape)}"
            )
        shape = (input_shape[-1], self.knots)
        self.x = self.add_weight(shape=shape, initializer="zeros", trainable=False, name="x")
        self.y = self.add_weight(shape=shape, initializer="ones", trainable=False, name="y")

    def call(self, inputs):
        """Maps, normalizes and mixes."""
        p = ops.softmax(inputs, axis=-1)
        allowed = ops.cast(ops.not_equal(inputs, -math.inf), p.dtype)
        q = self._mapped(p)
        if self.first_is_rest:
            q = ops.concatenate([1 - q[..., 1:], q[..., 1:]], axis=-1)
        q = q * allowed
        uniform = allowed / ops.sum(allowed, axis=-1, keepdims=True)
        total = ops.sum(q, axis=-1, keepdims=True)
        some = total > 0
        q = ops.where(some, q / ops.where(some, total, ops.ones_like(total)), uniform)
        return ops.log((1 - self.mixing) * q + self.mixing * uniform)

    def _mapped(self, p):
        """Returns f_k(p_k) `(..., K)`: a binary search in every class's row at once."""
        size = self.knots
        x, y = ops.reshape(self.x, (-1,)), ops.reshape(self.y, (-1,))
        first = ops.arange(p.shape[-1], dtype="int32") * size
        below = ops.zeros_like(p, dtype="int32")  # knots whose x is below p, so far
        step = 1 << (size.bit_length() - 1)
        while step:
            probe = below + step
            at = first + ops.minimum(probe, size) - 1
            more = ops.logical_and(probe <= size, ops.take(x, at) < p)
            below = ops.where(more, probe, below)
            step //= 2
        high = first + ops.minimum(below, size - 1)
        if self.kind == "step" or size == 1:
            return ops.take(y, high)
        high = first + ops.clip(below, 1, size - 1)
        x0, x1, y0, y1 = (ops.take(v, at) for v in (x, y) for at in (high - 1, high))
        some = x1 > x0
        part = (p - x0) / ops.where(some, x1 - x0, ops.ones_like(x0))
        part = ops.where(some, ops.clip(part, 0.0, 1.0), ops.ones_like(part))
        return y0 + part * (y1 - y0)

    def compute_output_shape(self, input_shape):
        """Returns the input's shape."""
        return input_shape

    def get_config(self):
        """Returns the configuration."""
        return {
            **super().get_config(),
            "knots": self.knots,
            "kind": self.kind,
            "mixing": self.mixing,
            "first_is_rest": self.first_is_rest,
        }
