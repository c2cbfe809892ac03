"""Running sums of three float32 words, which are exact beyond the range of a float32 counter.

A float32 counter stops at 2^24, where adding 1 changes nothing. Not every backend has int64 and
float64, and `tf.distribute` sums a metric's variables over replicas. A running sum is therefore
three float32 words,

    value = high · 2^20 + low + rest,        0 ≤ low < 2^20,

where `high` counts carries, `low` is the remainder, and `rest` the rounding error of the additions
to `low` (Neumaier). Integers are exact up to 2^44, weighted sums to one float32 rounding, and the
words of two replicas can be added.
"""

import numpy as np
from keras import ops

WORDS = 3
_CARRY = 2.0**20


def add(words, increment):
    """Returns the words of a running sum after `increment`.

    Args:
        words: float32 tensor `(3, ...)`: high, low, rest. A NumPy array is computed with NumPy,
            in a tenth of the time of eager operations for a few numbers.
        increment: Tensor `(...)` or float32 array. Integers below 2^23 are added exactly; infinite
            and NaN increments make the sum infinite or NaN.

    Returns:
        float32 tensor or array `(3, ...)`.

    Example:
    >>> from keras import ops
    >>> from ls_keras.backend import exact_sum
    >>> words = exact_sum.add(ops.array([15.0, 2.0**20 - 1, 0.0]), ops.array(2.0))  # 2^24 − 1
    >>> [float(word) for word in words]  # 2^24 + 1, which no float32 holds
    [16.0, 1.0, 0.0]
    """
    xp = namespace(words)
    if xp is ops:
        increment = ops.cast(increment, "float32")
    high, low, rest = words[0], words[1], words[2]
    total = low + increment
    # The rounding error of `total`, exactly, whichever summand is larger.
    part = total - low
    lost = (low - (total - part)) + (increment - part)
    carries = xp.floor(total / _CARRY)
    finite = xp.isfinite(total)
    zero = xp.zeros_like(total)
    carries = xp.where(finite, carries, zero)
    return xp.stack([high + carries, total - carries * _CARRY, rest + xp.where(finite, lost, zero)])


def namespace(value):
    """Returns NumPy for NumPy arrays, and `keras.ops` otherwise."""
    return np if isinstance(value, np.ndarray) else ops


def value(words):
    """Returns the sum `(...)` of `words` `(3, ...)`, rounded once to float32."""
    return words[0] * _CARRY + (words[1] + words[2])


def difference(left, right):
    """Returns `value(left) − value(right)` without the cancellation of two rounded sums."""
    return value(left - right)
