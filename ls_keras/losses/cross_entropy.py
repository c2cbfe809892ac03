"""Smoothed cross-entropy in closed form, without a tensor of smoothed targets.

    logsumexp(z) − Σ_j w_j z_j − α Σ_k q_k z_k

On TensorFlow it has its own gradient. Besides the logits, one tensor of their size is held, the
gradient itself (a fifth more under XLA); Keras's one-hot loss holds three (two under XLA), and
automatic differentiation of the closed form six. `benchmarks/losses.py` measures that.
"""

import numbers
from collections.abc import Callable
from typing import Any, NamedTuple

import keras
import numpy as np
from keras import ops

from ls_keras.backend.tensors import compiled_by_xla
from ls_keras.errors import InputError
from ls_keras.losses.classification_loss import LossInputs

# Number of classes from which a tensor of the logits' size costs time, and rounding averages out.
_MANY_CLASSES = 256


class SmoothedTargets(NamedTuple):
    """Smoothed targets in sparse form: y^LS = Σ_j weights_j · onehot(ids_j) + α · prior.

    Attributes:
        ids: int32 tensor `(..., J)`, or `None` for dense targets.
        weights: float32 tensor `(..., J)`, or `None` for dense targets.
        alpha: A float in [0, 1], or a tensor, a scalar or `(...)`, which gets no gradient; below 0
            for negative smoothing.
        prior: float64 array `(K,)`, or `None`.
    """

    ids: Any
    weights: Any
    alpha: Any
    prior: np.ndarray | None


def cross_entropy(inputs: LossInputs, smoothed: SmoothedTargets):
    """Computes the cross-entropy with smoothed targets: a tensor `(...)`."""
    targets, z, normalize, *_ = inputs
    if targets.dense is None:
        return label_cross_entropy(z, smoothed, targets.valid, normalize=normalize)
    return dense_cross_entropy(z, ops.cast(targets.dense, z.dtype), smoothed, normalize=normalize)


def uniform_targets(inputs: LossInputs, alpha: Any = 0.0) -> SmoothedTargets:
    """Returns uniformly smoothed targets; the targets themselves for an alpha of 0."""
    num_classes = known_classes(inputs.z)
    prior = None if is_zero(alpha) else np.full(num_classes, 1 / num_classes)
    if inputs.targets.labels is None:
        return SmoothedTargets(None, None, alpha, prior)
    ids = inputs.targets.labels[..., None]
    return SmoothedTargets(ids, full_like(ids, 1 - alpha, inputs.z.dtype), alpha, prior)


def label_cross_entropy(z, smoothed: SmoothedTargets, valid, *, normalize: bool):
    """Computes logsumexp(z) − Σ_j w_j z_j − α Σ_k q_k z_k for integer labels.

    Args:
        z: Logits `(..., K)` in float32 or better, or log-probabilities.
        smoothed: The smoothed targets.
        valid: Boolean tensor `(...)` or `None`. Other positions may hold any value, even NaN,
            without effect on the gradient; the caller sets their loss to 0.
        normalize: Whether to compute the logsumexp; false for log-probabilities.

    Returns:
        Tensor `(...)`.
    """
    # Only on TensorFlow: a custom gradient would break forward-mode derivatives and
    # `jax.checkpoint` on JAX, second derivatives and `torch.compile` on PyTorch.
    if normalize and keras.config.backend() == "tensorflow":
        return _with_gradient(z, smoothed, valid, subtract_targets())
    if valid is not None:
        z = ops.where(valid[..., None], z, 1.0)
    if normalize:
        z = _shift(z)
    expected = _expected(z, smoothed, gather=not compiled_by_xla())
    return ops.logsumexp(z, axis=-1) - expected if normalize else -expected


def dense_cross_entropy(z, targets, smoothed: SmoothedTargets, *, normalize: bool):
    """Computes Σ_k y_k^LS · logsumexp(z) − (1 − α) Σ_k y_k z_k − α Σ_k q_k z_k.

    Args:
        z: Logits `(..., K)` in float32 or better, or log-probabilities.
        targets: `(..., K)`; need not sum to 1.
        smoothed: Alpha and the prior.
        normalize: Whether to compute the logsumexp; false for log-probabilities.

    Returns:
        Tensor `(...)`.
    """
    alpha = smoothed.alpha
    if normalize:
        z = _shift(z)
    # A target of 0 times a logit of −inf is 0, not NaN.
    absent = ops.logical_and(ops.equal(targets, 0), ops.equal(z, -np.inf))
    expected = (1 - alpha) * ops.sum(targets * ops.where(absent, 0.0, z), axis=-1)
    if smoothed.prior is not None:
        expected = expected + scale(alpha, _prior_mean(z, smoothed.prior))
    if not normalize:
        return -expected
    total = (1 - alpha) * ops.sum(targets, axis=-1) + alpha
    return total * ops.logsumexp(z, axis=-1) - expected


def _expected(z, smoothed: SmoothedTargets, *, gather: bool):
    """Computes Σ_k y_k^LS z_k without y^LS."""
    at = ops.take_along_axis(z, smoothed.ids, axis=-1) if gather else _compare(z, smoothed.ids)
    expected = weighted_sum(at, smoothed.weights)
    if smoothed.prior is None:
        return expected
    return expected + scale(smoothed.alpha, _prior_mean(z, smoothed.prior))


def weighted_sum(at, weights):
    """Computes Σ_j weights_j · at_j, where a weight of 0 times a logit of −inf is 0, not NaN."""
    weights = ops.cast(weights, at.dtype)
    return ops.sum(weights * ops.where(ops.equal(weights, 0), 0.0, at), axis=-1)


def _compare(z, ids):
    """Selects the logits at `ids` by reductions, which XLA fuses, unlike a gather."""
    classes = ops.arange(z.shape[-1], dtype="int32")
    at = [
        ops.sum(ops.where(ops.equal(ids[..., j : j + 1], classes), z, 0.0), axis=-1)
        for j in range(ids.shape[-1])
    ]
    return ops.stack(at, axis=-1)


def _prior_mean(z, prior: np.ndarray):
    """Computes Σ_k q_k z_k; logits where q is 0 may be −inf."""
    if prior.min() == prior.max():
        return ops.mean(z, axis=-1)
    q = ops.convert_to_tensor(prior, dtype=z.dtype)
    if not prior.all():
        z = ops.where(q > 0, z, 0.0)
    # XLA fuses a sum, but not a matrix product; uncompiled, the product needs no copy.
    return ops.sum(z * q, axis=-1) if compiled_by_xla() else ops.matmul(z, q)


def _with_gradient(z, smoothed: SmoothedTargets, valid, subtract: Callable):
    """Computes the closed form with the gradient dz = (softmax(z) − y^LS) · upstream."""
    import tensorflow as tf

    prior: Any = smoothed.prior
    uniform = prior is not None and prior.min() == prior.max()
    if prior is not None:  # one number costs less than a vector
        prior = float(prior[0]) if uniform else ops.convert_to_tensor(prior, dtype=z.dtype)

    @ops.custom_gradient
    def loss(z):
        top = row_max(z)
        # Shifted before they are averaged: the mean of logits near 1e4 keeps three decimals only.
        shifted = z - top
        at = ops.take_along_axis(z, smoothed.ids, axis=-1) - top
        expected = weighted_sum(at, smoothed.weights)
        if uniform and z.shape[-1] >= _MANY_CLASSES and compiled_by_xla():
            expected = expected + scale(smoothed.alpha, _mean_below(top, z))
        elif smoothed.prior is not None:
            mean = _prior_mean(shifted, smoothed.prior)
            expected = expected + scale(smoothed.alpha, mean)
            if compiled_by_xla():
                # The mean is at most 0, so this shift is the same. XLA doesn't know that, and can't
                # compute the exponential first, which would then need the memory of `shifted`.
                shifted = z - ops.maximum(top, top + mean[..., None])
        # For the same reason, the mean comes first.
        with tf.control_dependencies([expected]):
            exponential = ops.exp(shifted)
        total = ops.sum(exponential, axis=-1, keepdims=True)

        def gradient(upstream):
            if valid is not None:  # the gradient of an infinite loss may be NaN
                upstream = ops.where(valid, upstream, 0.0)
            dz = exponential / total
            if prior is not None:
                dz = dz - expand_class_axis(smoothed.alpha) * prior
            dz = dz * upstream[..., None]
            if valid is not None:
                dz = ops.where(valid[..., None], dz, 0.0)
            weights = ops.cast(smoothed.weights, dz.dtype) * upstream[..., None]
            return subtract(dz, smoothed.ids, weights)

        return ops.log(total[..., 0]) - expected, gradient

    return loss(z)


def _mean_below(top, z):
    """Computes mean_k (z_k − top) without the tensor of differences that XLA makes on a CPU.

    Eight groups of classes are averaged before top is subtracted. Dividing by 8 is exact; the three
    additions lose about the spacing of numbers near top, which averages out over many classes: at
    1e4, where numbers are 1e-3 apart, the mean over 1,000 classes is off by 1e-4.
    """
    width, end = divmod(z.shape[-1], 8)
    parts = [0.125 * z[..., i * width : (i + 1) * width] for i in range(8)]
    while len(parts) > 1:
        parts = [a + b for a, b in zip(parts[::2], parts[1::2], strict=True)]
    below = 8 * ops.sum(parts[0] - top, axis=-1)
    if end:
        below = below + ops.sum(z[..., -end:] - top, axis=-1)
    return below / z.shape[-1]


def row_max(z):
    """Returns the largest entry of each row, `(..., 1)`; accepts empty tensors, unlike Keras's."""
    return z[..., :1] if 0 in tuple(z.shape) else ops.max(z, axis=-1, keepdims=True)


def _shift(z):
    """Subtracts the largest logit, which leaves the loss unchanged and logits of ±1e4 exact."""
    return z - ops.stop_gradient(row_max(z))


def subtract_targets() -> Callable:
    """Returns a function that subtracts `weights` `(..., J)` at classes `ids` from `dz` `(..., K)`.

    Call this while the loss is traced: within a gradient, XLA can't be detected.
    """
    return _subtract_by_comparison if compiled_by_xla() else _subtract_by_scatter


def _subtract_by_scatter(dz, ids, weights):
    """Subtracts in place, J numbers per position; fast without XLA."""
    import tensorflow as tf

    num_classes, num_ids = dz.shape[-1], ids.shape[-1]
    ids = ops.reshape(ids, (-1,))
    rows = ops.arange(ops.size(ids), dtype="int32") // num_ids
    # keras.ops.scatter_update copies; this reuses the buffer if nothing else refers to it.
    flat = tf.raw_ops.ScatterNdNonAliasingAdd(
        input=ops.reshape(dz, (-1, num_classes)),
        indices=ops.stack([rows, ids], axis=-1),
        updates=-ops.reshape(weights, (-1,)),
    )
    return ops.reshape(flat, ops.shape(dz))


def _subtract_by_comparison(dz, ids, weights):
    """Subtracts by comparison with all classes, which XLA fuses into the pass that computes dz."""
    classes = ops.arange(dz.shape[-1], dtype="int32")
    for j in range(ids.shape[-1]):
        here = ops.equal(ids[..., j : j + 1], classes)
        dz = dz - ops.where(here, weights[..., j : j + 1], 0.0)
    return dz


def known_classes(z) -> int:
    """Returns K, or raises an `InputError` if the last axis has no known size."""
    if z.shape[-1] is None:
        raise InputError(
            "Expected a known number of classes. Received: y_pred of shape (..., None)"
        )
    return z.shape[-1]


def is_zero(rate) -> bool:
    """Returns whether a rate is the number 0; a tensor may have another value later."""
    return isinstance(rate, numbers.Real) and not rate


def scale(rate, values):
    """Computes rate · values `(...)`, where a rate of 0 gives 0 also for infinite values."""
    if isinstance(rate, numbers.Real):
        return rate * values
    return ops.where(ops.equal(rate, 0), 0.0, rate * values)


def expand_class_axis(rate) -> Any:
    """Returns a rate that can be multiplied with tensors `(..., K)`."""
    return rate if isinstance(rate, numbers.Real) or not len(rate.shape) else rate[..., None]


def full_like(like, rate, dtype):
    """Returns weights of the shape `(..., J)` of `like`, all equal to the rate."""
    if isinstance(rate, numbers.Real):
        return ops.full(ops.shape(like), rate, dtype=dtype)
    return ops.broadcast_to(ops.cast(expand_class_axis(rate), dtype), ops.shape(like))
