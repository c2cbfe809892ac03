"""The k largest of a teacher's logits, as they come from the disk and as a loss takes them."""

import math
from typing import Any, NamedTuple

import numpy as np
from keras import ops


class TopLogits(NamedTuple):
    """What is known of positions of which the k largest logits are kept.

    Attributes:
        logits: `(..., k)`: log-probabilities, largest first.
        classes: Integers `(..., k)`: whose they are, each class once.
        rest: `(...)`: the log-probability of each other class.
    """

    logits: Any
    classes: Any
    rest: Any


def rest_of_each(rest: np.ndarray, others: int) -> np.ndarray:
    """Returns the log-probability of each of the classes that share a mass.

    Args:
        rest: The logarithms of the masses.
        others: How many classes share each.

    Returns:
        float32, rounded once.
    """
    return (rest.astype(np.float64) - math.log(others)).astype(np.float32)


def expand(top: TopLogits, num_classes: int):
    """Returns logits of all classes, on the device that the k largest are on.

    So k numbers of a position go there, and not K; what is kept comes through as it is.

    Args:
        top: The k largest.
        num_classes: K.

    Returns:
        A float32 tensor `(..., K)`.

    Example:
    ```python
    >>> import numpy as np
    >>> from ls_keras.distillation.top_logits import TopLogits, expand
    >>> top = TopLogits(np.log([[0.75]], dtype="float32"), [[2]], np.log([0.125], dtype="float32"))
    >>> np.exp(np.asarray(expand(top, 3))).round(3).tolist()
    [[0.125, 0.125, 0.75]]

    ```
    """
    logits = ops.cast(top.logits, "float32")
    shape, k = ops.shape(logits)[:-1], logits.shape[-1]
    values = ops.reshape(logits, (-1,))
    classes = ops.reshape(ops.cast(top.classes, "int32"), (-1,))
    rest = ops.reshape(ops.cast(top.rest, "float32"), (-1, 1))
    rows = ops.shape(rest)[0]
    of_row = ops.repeat(ops.arange(rows, dtype="int32"), k)
    places = ops.stack([of_row, classes], axis=-1)
    size = (rows, num_classes)
    known = ops.scatter(places, ops.ones_like(values), size) > 0
    dense = ops.where(known, ops.scatter(places, values, size), rest)
    return ops.reshape(dense, (*shape, num_classes))
