"""Loops and matrix products of TensorFlow and JAX, with less memory than those of `keras.ops`."""

import keras
from keras import ops


def scan(body, carry, rows: tuple, size: int, out_dtype: str | None):
    """Runs `body(carry, chunk) → (carry, out)` over chunks of rows in sequence.

    Args:
        body: A function of the carry, and of a tuple with a chunk of each tensor.
        carry: Tensors, in any structure, of constant shape and dtype.
        rows: Tensors `(N, ...)`, which are padded with zeros so that all chunks have one shape.
        size: The maximum number of rows in a chunk.
        out_dtype: The dtype of `out`, a tensor of a chunk's rows; `None` if `out` is `None`.

    Returns:
        The last carry, and all `out` as one tensor `(N, ...)`, or `None`.
    """
    run = _scan_tensorflow if keras.config.backend() == "tensorflow" else _scan_jax
    return run(body, carry, rows, size, out_dtype)


def product(a, b, dtype: str, *, transpose_a: bool = False, transpose_b: bool = False):
    """Computes the product of two matrices, accumulated in `dtype`.

    JAX accumulates products of bfloat16 in float32; TensorFlow would round them to bfloat16.
    """
    if keras.config.backend() == "tensorflow":
        import tensorflow as tf

        a, b = ops.cast(a, dtype), ops.cast(b, dtype)
        return tf.matmul(a, b, transpose_a=transpose_a, transpose_b=transpose_b)
    import jax

    contracted = ((0 if transpose_a else 1,), (1 if transpose_b else 0,))
    return jax.lax.dot_general(a, b, (contracted, ((), ())), preferred_element_type=dtype)


def _scan_tensorflow(body, carry, rows, size, out_dtype):
    import tensorflow as tf

    number, most = rows[0].shape[0], max
    if number is None:
        number, most = tf.shape(rows[0])[0], tf.maximum
    count = most(-(-number // size), 1)
    each = most(-(-number // count), 1)
    rows = [_pad_rows(x, count * each - number, tf.pad) for x in rows]

    def step(i, carry, outs):
        # XLA knows no size of x[i * each : (i + 1) * each], and would reserve all rows.
        chunk = (
            tf.slice(x, [i * each, *[0] * (len(x.shape) - 1)], [each, *x.shape[1:]]) for x in rows
        )
        carry, out = body(carry, tuple(chunk))
        return i + 1, carry, [array.write(i, out) for array in outs]

    outs = [] if out_dtype is None else [tf.TensorArray(out_dtype, size=count)]
    # In sequence: by default, TensorFlow runs up to ten iterations at once.
    _, carry, outs = tf.while_loop(
        lambda i, *_: i < count, step, (tf.constant(0), carry, outs), parallel_iterations=1
    )
    return carry, outs[0].concat()[:number] if outs else None


def _scan_jax(body, carry, rows, size, out_dtype):
    import jax

    number = rows[0].shape[0]
    count = max(-(-number // size), 1)
    each = max(-(-number // count), 1)
    rows = [_pad_rows(x, count * each - number, jax.numpy.pad) for x in rows]
    chunks = tuple(x.reshape(count, each, *x.shape[1:]) for x in rows)
    carry, out = jax.lax.scan(body, carry, chunks)
    return carry, None if out is None else out.reshape(-1, *out.shape[2:])[:number]


def _pad_rows(x, more, pad):
    if isinstance(more, int) and not more:
        return x
    return pad(x, [[0, more]] + [[0, 0]] * (len(x.shape) - 1))
