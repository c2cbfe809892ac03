"""The distance between confidence and accuracy, from sums over bins."""

from typing import Any, Literal, NamedTuple

from keras import ops

Norm = Literal["l1", "l2", "max"]


class Bins(NamedTuple):
    """Sums over bins: float32 tensors `(..., B)`.

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
        debias: With `"l2"`, takes the variance of each bin's accuracy, acc_b (1 − acc_b) /
            (n_b − 1), off g_b²; bins of no more than one example add nothing. A sum below 0
            gives 0.

    Example:
    >>> from keras import ops
    >>> from ls_keras.calibration.calibration_error import Bins, calibration_error
    >>> count = ops.array([4.0, 0.0, 4.0])
    >>> bins = Bins(count, ops.array([1.0, 0.0, -2.0]), ops.array([2.0, 0.0, 2.0]), count)
    >>> [float(calibration_error(bins, norm=norm)) for norm in ("l1", "max")]
    [0.375, 0.5]
    """
    some = bins.weight > 0
    count = ops.where(some, bins.weight, ops.ones_like(bins.weight))
    gap = ops.where(some, bins.gap / count, ops.zeros_like(count))
    if norm == "max":
        error = ops.max(ops.abs(gap), axis=-1)
        return ops.where(ops.any(some, axis=-1), error, ops.full_like(error, float("nan")))
    total = ops.sum(bins.weight, axis=-1, keepdims=True)
    if norm == "l1":
        return ops.sum(bins.weight / total * ops.abs(gap), axis=-1)
    square = ops.square(gap)
    if debias:
        accuracy = bins.correct / count
        effective = ops.square(count) / ops.where(some, bins.squares, ops.ones_like(count))
        enough = effective > 1
        freedom = ops.where(enough, effective - 1, ops.ones_like(count))
        square = square - accuracy * (1 - accuracy) / freedom
        square = ops.where(enough, square, ops.zeros_like(square))
    # NaN (no example) must survive the maximum, which XLA and TensorFlow treat differently.
    mean = ops.sum(bins.weight / total * square, axis=-1)
    return ops.sqrt(ops.where(mean < 0, ops.zeros_like(mean), mean))
