"""Custom gradients of the fused linear cross-entropy on each backend.

They are computed together with the loss, and scaled in the backward pass.
"""

import keras
from keras import ops

from ls_keras.losses.fused_linear.chunks import loss_and_gradients
from ls_keras.losses.fused_linear.problem import Fixed, Linear, Rows


def differentiable_loss(linear: Linear, rows: Rows, fixed: Fixed, *, ahead: bool = True):
    """Computes the loss, with custom gradients with respect to the parts of `linear`.

    Args:
        linear: See `loss_and_gradients`, also for the others.
        rows: The weights get no gradient.
        fixed: The options that are not tensors.
        ahead: Whether TensorFlow computes the gradients with the loss, since it can't know whether
            they will be needed. If not, the backward pass computes both.
    """
    backend = keras.config.backend()
    if backend == "tensorflow":
        return _tensorflow(linear, rows, fixed, ahead)
    if backend == "jax":
        return _jax(linear, rows, fixed)
    from ls_keras.losses.fused_linear.torch_chunks import torch_loss

    return torch_loss(linear, rows, fixed)


def _tensorflow(linear, rows, fixed, ahead):
    import tensorflow as tf

    @tf.custom_gradient
    def loss(*parts):
        parts = _linear(parts)
        value, gradients = loss_and_gradients(parts, rows, fixed, gradients=ahead)

        def gradient(upstream):
            found = gradients or loss_and_gradients(parts, rows, fixed)[1]
            return [
                _times(upstream, d, x) for d, x in zip(found, parts, strict=True) if d is not None
            ]

        return value, gradient

    return loss(*(part for part in linear if part is not None))


def _jax(linear, rows, fixed):
    import jax

    @jax.custom_vjp
    def loss(linear, rows):
        return loss_and_gradients(linear, rows, fixed, gradients=False)[0]

    def forward(linear, rows):
        value, gradients = loss_and_gradients(linear, rows, fixed)
        # Empty tensors, as only their dtypes are needed.
        return value, (gradients, jax.tree.map(lambda x: x[:0], linear))

    def backward(saved, upstream):
        return jax.tree.map(lambda d, x: _times(upstream, d, x), *saved), None

    loss.defvjp(forward, backward)
    return loss(linear, rows)


def _linear(parts) -> Linear:
    return Linear(*parts, *[None] * (3 - len(parts)))


def _times(upstream, gradient, part):
    return ops.cast(upstream * ops.cast(gradient, upstream.dtype), part.dtype)
