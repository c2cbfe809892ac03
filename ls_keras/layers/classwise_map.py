"""A monotone curve for each class, as isotonic regression and histogram binning fit it."""

import math

from keras import ops

from ls_base.errors import InputError
from ls_keras.inputs.registry import LAYERS
from ls_keras.inputs.validation import as_choice, as_count, as_flag, as_number
from ls_keras.layers.calibration_layers import CalibrationLayer


@LAYERS.register("classwise_map")
class ClasswiseMap(CalibrationLayer):
    """Maps the probability of each class by a curve of its own: q_k = f_k(p_k) / Σ_l f_l(p_l).

    Returns log((1 − ε) q + ε/K). A class whose logit is −inf keeps it. The knots of the curves are
    weights that training does not change, `x` and `y` `(K, knots)` each, x ascending in each row.

    Args:
        knots: Number of knots of each class; rows with fewer repeat their last.
        kind: `"linear"`: f_k is linear between its knots and constant beyond them. `"step"`: f_k(p)
            is y of the first knot with x ≥ p, or of the last knot beyond it.
        mixing: ε, from 0 to 1.
        first_is_rest: Whether the model has two classes and the first is the complement of the
            second, q_0 = 1 − q_1, so that the knots of the first are not used.
        dtype: See `CalibrationLayer`. Default: `"float32"`.

    Call arguments:
        inputs: Logits `(..., K)`.

    Returns:
        Tensor `(..., K)`: log-probabilities.

    Example:
    >>> import numpy as np
    >>> from ls_keras.layers import ClasswiseMap
    >>> layer = ClasswiseMap(2)
    >>> layer.build((None, 2))
    >>> layer.set_weights([np.array([[0.0, 1.0]] * 2), np.array([[0.2, 0.6], [0.0, 1.0]])])
    >>> [round(float(p), 4) for p in np.exp(layer(np.log([0.5, 0.5])))]  # 0.4 and 0.5
    [0.4444, 0.5556]
    """

    def __init__(
        self,
        knots: int,
        kind: str = "linear",
        mixing: float = 0.0,
        *,
        first_is_rest: bool = False,
        **kwargs,
    ):
        super().__init__(**kwargs)
        self.knots = as_count(knots, "knots", 1, 2**24)
        self.kind = as_choice(kind, "kind", ("linear", "step"))
        self.mixing = as_number(mixing, "mixing", low=0, high=1)
        self.first_is_rest = as_flag(first_is_rest, "first_is_rest")
        self.x = None
        self.y = None

    def build(self, input_shape):
        """Creates the two weights."""
        if self.first_is_rest and input_shape[-1] != 2:
            raise InputError(
                "Expected two classes with first_is_rest=True. "
                f"Received: inputs of shape {tuple(input_shape)}"
            )
        shape = (input_shape[-1], self.knots)
        self.x = self.add_fixed_weight("x", shape, "zeros")
        self.y = self.add_fixed_weight("y", shape, "ones")

    def call(self, inputs):
        """Maps, normalizes and mixes."""
        p = ops.softmax(inputs, axis=-1)
        allowed = ops.cast(ops.not_equal(inputs, -math.inf), p.dtype)
        q = self._map(p)
        if self.first_is_rest:
            q = ops.concatenate([1 - q[..., 1:], q[..., 1:]], axis=-1)
        q = q * allowed
        uniform = allowed / ops.sum(allowed, axis=-1, keepdims=True)
        total = ops.sum(q, axis=-1, keepdims=True)
        positive = total > 0
        q = ops.where(positive, q / ops.where(positive, total, ops.ones_like(total)), uniform)
        return ops.log((1 - self.mixing) * q + self.mixing * uniform)

    def _map(self, p):
        """Returns f_k(p_k) `(..., K)`, by a binary search in the knots of all classes at once."""
        size = self.knots
        x, y = ops.reshape(self.x, (-1,)), ops.reshape(self.y, (-1,))
        first = ops.arange(p.shape[-1], dtype="int32") * size
        below = ops.zeros_like(p, dtype="int32")  # number of knots with x < p found so far
        step = 1 << (size.bit_length() - 1)
        while step:
            probe = below + step
            at = first + ops.minimum(probe, size) - 1
            more = ops.logical_and(probe <= size, ops.take(x, at) < p)
            below = ops.where(more, probe, below)
            step //= 2
        if self.kind == "step" or size == 1:
            return ops.take(y, first + ops.minimum(below, size - 1))
        high = first + ops.clip(below, 1, size - 1)
        x0, x1, y0, y1 = (ops.take(v, at) for v in (x, y) for at in (high - 1, high))
        apart = x1 > x0
        part = (p - x0) / ops.where(apart, x1 - x0, ops.ones_like(x0))
        part = ops.where(apart, ops.clip(part, 0.0, 1.0), ops.ones_like(part))
        return y0 + part * (y1 - y0)

    def get_config(self):
        """Returns the configuration."""
        return {
            **super().get_config(),
            "knots": self.knots,
            "kind": self.kind,
            "mixing": self.mixing,
            "first_is_rest": self.first_is_rest,
        }
