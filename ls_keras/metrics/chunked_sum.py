"""Sums over examples × classes, computed on a few rows at a time to save memory."""

from collections.abc import Callable, Sequence

from keras import ops

from ls_keras.backend.tensors import to_numpy_or_none

# Elements: 2 MiB of float32; a dozen such arrays are needed at a time.
_CHUNK = 1 << 19


def sum_over_rows(function: Callable, arrays: Sequence, row_size: int):
    """Sums the results of a function over chunks of rows.

    Args:
        function: Takes the same rows of each array, and returns tensors whose shapes do not depend
            on the number of rows. Rows with weight 0 must add nothing.
        arrays: Tensors `(N, ...)`. The first holds the weights `(N, 1)`.
        row_size: Elements of a row, K.

    Returns:
        A tuple of tensors.
    """
    weights, *others = arrays
    total = ops.shape(weights)[0]
    size = max(1, _CHUNK // row_size)
    if isinstance(total, int) and total <= size:
        return tuple(function(*arrays))
    if to_numpy_or_none(weights[:0]) is not None:
        sums = None
        for start in range(0, total, size):
            parts = function(*(array[start : start + size] for array in arrays))
            sums = parts if sums is None else [a + b for a, b in zip(sums, parts, strict=True)]
        return tuple(sums or ())
    return _in_a_graph(function, weights, others, total, size)


def _in_a_graph(function: Callable, weights, others: Sequence, total, size: int):
    """Loops in the graph; the last chunk overlaps the one before, whose rows get weight 0."""
    size = min(size, total) if isinstance(total, int) else ops.minimum(size, total)
    count = (total + size - 1) // ops.maximum(size, 1)

    def part(array, start):
        at = [start, *[0] * (len(array.shape) - 1)]
        return ops.slice(array, at, [size, *array.shape[1:]])

    def body(i, sums):
        start = ops.maximum(ops.minimum(i * size, total - size), 0)
        seen = ops.expand_dims(ops.arange(size, dtype="int32") + start < i * size, axis=-1)
        fresh = ops.where(seen, 0.0, part(weights, start))
        parts = function(fresh, *(part(array, start) for array in others))
        return tuple(a + b for a, b in zip(sums, parts, strict=True))

    of_none = tuple(function(*(array[:0] for array in (weights, *others))))
    return ops.fori_loop(0, count, body, of_none)
