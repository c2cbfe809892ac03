"""Running sums in float32 words that stay exact where a float32 counter would not.

A float32 counter stops at 2^24: adding 1 changes nothing any more. Integers wider than 32 bits
and float64 do not exist on every backend, and a metric's variables are *added up* over replicas
when they are read under `tf.distribute`. A running sum is therefore three float32 words,

    value = high · 2^20 + low + rest,        0 ≤ low < 2^20,

`high` a whole number of carries, `low` what is left of the sum, `rest` what the additions into
`low` rounded away (Neumaier). Whole numbers are exact up to 2^44, weighted sums to one float32
rounding, and the words of two replicas may be added one by one.
"""

import numpy as np
from keras import ops

WORDS = 3
_CARRY = 2.0**20


def added(words, increment):
    """Returns the words of a running sum after `increment`.

    Args:
        words: float32 tensor `(3, ...)`: high, low, rest. With a NumPy array all of it is
            done in NumPy, which for a few numbers takes a tenth of the time of eager operations.
        increment: Tensor `(...)` or, with an array, float32 array; whole numbers below 2^23 are
            added exactly. Infinite and NaN increments make the sum infinite or NaN.

    Returns:
        float32 tensor or array `(3, ...)`.

    Example:
    >>> from keras import ops
    >>> from ls_keras.backend import exact_sum
    >>> words = exact_sum.added(ops.array([15.0, 2.0**20 - 1, 0.0]), ops.array(2.0))  # 2^24 − 1
    >>> [float(word) for word in words]  # 2^24 + 1, which no float32 holds
    [16.0, 1.0, 0.0]
    """
    xp = namespace(words)
    if xp is ops:
        increment = ops.cast(increment, "float32")
    high, low, rest = words[0], words[1], words[2]
    total = low + increment
    # What `total` lost, exactly; branch-free, so that it holds whichever summand is larger.
    part = total - low
    lost = (low - (total - part)) + (increment - part)
    carries = xp.floor(total / _CARRY)
    finite = xp.isfinite(total)
    zero = xp.zeros_like(total)
    carries = xp.where(finite, carries, zero)
    return xp.stack([high + carries, total - carries * _CARRY, rest + xp.where(finite, lost, zero)])


def namespace(value):
    """Returns NumPy for its arrays and `keras.ops` for everything else."""
    return np if isinstance(value, np.ndarray) else ops


def value(words):
    """Returns the sum `(...)` that `words` `(3, ...)` hold, rounded once to float32."""
    return words[0] * _CARRY + (words[1] + words[2])


def difference(left, right):
    """Returns `value(left) − value(right)`, without the cancellation of two rounded sums."""
    return value(left - right)
