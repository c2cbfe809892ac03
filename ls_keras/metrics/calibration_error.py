"""Calibration error from sums over bins."""

from typing import Any, Literal, NamedTuple

from ls_keras.backend.exact_sum import namespace

Norm = Literal["l1", "l2", "max"]


class Bins(NamedTuple):
    """Sums over bins: float32 tensors, or NumPy arrays, `(..., B)`.

    Attributes:
        weight: Σw, the examples of each bin.
        gap: Σw (correct − confidence).
        correct: Σw · correct.
        squares: Σw², for the debiased estimate; without weights equal to `weight`.
    """

    weight: Any
    gap: Any
    correct: Any
    squares: Any


def calibration_error(bins: Bins, *, norm: Norm = "l1", debias: bool = False):
    """Returns the calibration error `(...)`, NaN where there is no example.

    Args:
        bins: Sums over bins.
        norm: `"l1"`: Σ_b s_b |g_b|; `"l2"`: (Σ_b s_b g_b²)^½; `"max"`: max_b |g_b|, with s_b the
            bin's share of the examples and g_b its accuracy minus its confidence.
        debias: With `"l2"`, subtracts the variance of each bin's accuracy, acc_b (1 − acc_b) /
            (n_b − 1), from g_b²; bins of at most one example add nothing. A negative sum gives 0.

    Example:
    >>> from keras import ops
    >>> from ls_keras.metrics.calibration_error import Bins, calibration_error
    >>> count = ops.array([4.0, 0.0, 4.0])
    >>> bins = Bins(count, ops.array([1.0, 0.0, -2.0]), ops.array([2.0, 0.0, 2.0]), count)
    >>> [float(calibration_error(bins, norm=norm)) for norm in ("l1", "max")]
    [0.375, 0.5]
    """
    xp = namespace(bins.weight)
    some = bins.weight > 0
    count = xp.where(some, bins.weight, xp.ones_like(bins.weight))
    gap = xp.where(some, bins.gap / count, xp.zeros_like(count))
    if norm == "max":
        error = xp.max(xp.abs(gap), axis=-1)
        return xp.where(xp.any(some, axis=-1), error, xp.full_like(error, float("nan")))
    total = xp.sum(bins.weight, axis=-1, keepdims=True)
    if norm == "l1":
        return xp.sum(bins.weight / total * xp.abs(gap), axis=-1)
    square = xp.square(gap)
    if debias:
        accuracy = bins.correct / count
        effective = xp.square(count) / xp.where(some, bins.squares, xp.ones_like(count))
        enough = effective > 1
        freedom = xp.where(enough, effective - 1, xp.ones_like(count))
        square = square - accuracy * (1 - accuracy) / freedom
        square = xp.where(enough, square, xp.zeros_like(square))
    # NaN (no example) must survive the maximum, which XLA and TensorFlow treat differently.
    mean = xp.sum(bins.weight / total * square, axis=-1)
    return xp.sqrt(xp.where(mean < 0, xp.zeros_like(mean), mean))
