"""Taking rows by indices that are known to be in range.

`keras.ops.take` has answers to negative and too large indices: six more operations in TensorFlow's
graph, and in XLA a pass over all that was taken. A search takes rows of every cache at each step.
"""

import keras
from keras import ops


def take_rows(values, rows):
    """Returns the rows `rows` of `values`.

    Args:
        values: Tensor `(n, ...)`.
        rows: int32 tensor `(m,)`, all in [0, n).
    """
    backend = keras.config.backend()
    if backend == "tensorflow":
        import tensorflow as tf

        return tf.gather(values, rows)
    if backend == "jax":
        import jax.numpy as jnp

        return jnp.take(values, rows, axis=0, mode="clip")
    import torch

    return torch.index_select(values, 0, rows)


def take_places(values, places):
    """Returns, of each sample, the places `places` along axis 1.

    Args:
        values: Tensor `(batch, n, ...)`.
        places: int32 tensor `(batch, k)`, all in [0, n).

    Returns:
        A tensor `(batch, k, ...)`.
    """
    if keras.config.backend() == "tensorflow":
        import tensorflow as tf

        return tf.gather(values, places, axis=1, batch_dims=1)
    size, rest = values.shape[1], tuple(values.shape[2:])
    taken = take_rows(ops.reshape(values, (-1, *rest)), flat_rows(places, size))
    return ops.reshape(taken, (-1, places.shape[1], *rest))


def flat_rows(places, size: int):
    """Returns `places` (batch × k), of `size` a sample, as rows (batch·k,) of all samples."""
    samples = ops.arange(ops.shape(places)[0], dtype="int32")
    return ops.reshape(ops.expand_dims(samples * size, -1) + places, (-1,))
