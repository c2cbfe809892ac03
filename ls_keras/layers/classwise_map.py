"""A monotone curve for each class, as isotonic regression and histogram binning fit it."""

import math

import keras
from keras import ops

from ls_base.errors import InputError
from ls_keras.inputs.registry import LAYERS
from ls_keras.inputs.validation import as_choice, as_count, as_flag, as_number
from ls_keras.layers.calibration_layers import CalibrationLayer


@LAYERS.register("classwise_map")
class ClasswiseMap(CalibrationLayer):
    """Maps the probability of each class by a curve of its own: q_k = f_k(p_k) / Σ_l f_l(p_l).

    Returns log((1 − ε) q + ε/K). A class whose logit is −inf keeps it. The knots of the curves are
    weights that training does not change, `(K, knots)` each: `x`, the log-odds log p − log(1 − p)
    of the knots, ascending in each row, and `y`, the values of the curves.

    Args:
        knots: Number of knots of each class; rows with fewer repeat their last.
        kind: `"linear"`: f_k is linear between its knots and constant beyond them. `"step"`: f_k(p)
            is y of the first knot at or above p, or of the last knot beyond it.
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
    >>> knots = np.array([[-np.inf, np.inf]] * 2)  # p = 0 and p = 1
    >>> layer.set_weights([knots, np.array([[0.2, 0.6], [0.0, 1.0]])])
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
        allowed = ops.cast(ops.not_equal(inputs, -math.inf), inputs.dtype)
        q = self._map(_log_odds(inputs))
        if self.first_is_rest:
            q = ops.concatenate([1 - q[..., 1:], q[..., 1:]], axis=-1)
        q = q * allowed
        uniform = allowed / ops.sum(allowed, axis=-1, keepdims=True)
        total = ops.sum(q, axis=-1, keepdims=True)
        positive = total > 0
        q = ops.where(positive, q / ops.where(positive, total, ops.ones_like(total)), uniform)
        return ops.log((1 - self.mixing) * q + self.mixing * uniform)

    def _map(self, t):
        """Returns f_k(p_k) `(..., K)`, by a binary search in the knots of all classes at once."""
        size = self.knots
        x, y = ops.reshape(self.x, (-1,)), ops.reshape(self.y, (-1,))
        first = ops.arange(t.shape[-1], dtype="int32") * size
        below = ops.zeros_like(t, dtype="int32")  # number of knots with x < t found so far
        step = 1 << (size.bit_length() - 1)
        while step:
            probe = below + step
            at = first + ops.minimum(probe, size) - 1
            more = ops.logical_and(probe <= size, _gather(x, at) < t)
            below = ops.where(more, probe, below)
            step //= 2
        if self.kind == "step" or size == 1:
            return _gather(y, first + ops.minimum(below, size - 1))
        high = first + ops.clip(below, 1, size - 1)
        t0, t1, y0, y1 = (_gather(v, at) for v in (x, y) for at in (high - 1, high))
        # Linear in p; above 1/2 in 1 − p, which keeps the digits of confident predictions.
        sign = ops.where(t0 > 0, -1.0, 1.0)
        p, p0, p1 = (_sigmoid(sign * v) for v in (t, t0, t1))
        apart = ops.not_equal(p1, p0)
        part = (p - p0) / ops.where(apart, p1 - p0, ops.ones_like(p0))
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


def _sigmoid(t):
    """Returns 1 / (1 + exp(−t)); ONNX Runtime's sigmoid has no correct digits near 0."""
    return 1 / (1 + ops.exp(-ops.maximum(t, -88.0)))  # float32's exp ends at 88.7


def _log_odds(z):
    """Returns log p − log(1 − p) of each class, p the softmax; exact for p near 1, too."""
    shifted = z - ops.max(z, axis=-1, keepdims=True)
    e = ops.exp(shifted)
    # Not `ops.argmax`, whose bitcast on TensorFlow ONNX has not.
    top = ops.equal(shifted, 0)
    tops = ops.sum(ops.cast(top, e.dtype), axis=-1, keepdims=True)
    rest = ops.sum(ops.where(top, ops.zeros_like(e), e), axis=-1, keepdims=True)
    return shifted - ops.log(rest + ops.where(top, tops - 1, tops - e))


def _gather(values, index):
    """Returns `values[index]`; `keras.ops.take` calls `ravel`, which ONNX has not, on PyTorch."""
    if keras.config.backend() == "torch":
        return values[ops.cast(index, "int64")]
    return ops.take(values, index)
