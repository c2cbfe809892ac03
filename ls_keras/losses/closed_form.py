"""The closed form of smoothed cross-entropy, in the fastest way for where it runs.

In TensorFlow it brings its own gradient, so that beside the logits one tensor of their size is
held, the gradient itself (under XLA a fifth more), where Keras's one-hot loss holds three (two
under XLA) and autodiff of the closed form six. `benchmarks/losses.py` measures that.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import keras
import numpy as np
from keras import ops

from ls_keras.backend.tracing import compiled_by_xla
from ls_keras.losses.loss_inputs import Reading, known_classes
from ls_keras.losses.rate import by_class, filled, is_zero, scaled

# Classes from which on a tensor of their logits' size costs time, and rounding averages out.
_MANY = 256


class Mixture(NamedTuple):
    """Smoothed targets, unbuilt: y^LS = Σ_j weights_j · onehot(ids_j) + α · prior.

    Attributes:
        ids: int32 tensor `(..., J)`, or `None` for dense targets.
        weights: float32 tensor `(..., J)`, or `None` for dense targets.
        alpha: Float in [0, 1], or a tensor of such, a scalar or `(...)`, which gets no gradient;
            below 0 for negative smoothing.
        prior: float64 array `(K,)`, or `None`.
    """

    ids: Any
    weights: Any
    alpha: Any
    prior: np.ndarray | None


def cross_entropy(reading: Reading, mixture: Mixture):
    """Computes the cross-entropy of integer labels or of dense targets: a tensor `(...)`."""
    targets, z, normalize = reading
    if targets.dense is None:
        return label_cross_entropy(z, mixture, targets.valid, normalize=normalize)
    return dense_cross_entropy(z, ops.cast(targets.dense, z.dtype), mixture, normalize=normalize)


def uniform_mixture(reading: Reading, alpha: Any = 0.0) -> Mixture:
    """Returns the targets of uniform smoothing: of an alpha of 0 the unsmoothed ones."""
    num_classes = known_classes(reading.z)
    prior = None if is_zero(alpha) else np.full(num_classes, 1 / num_classes)
    if reading.targets.labels is None:
        return Mixture(None, None, alpha, prior)
    ids = reading.targets.labels[..., None]
    return Mixture(ids, filled(ids, 1 - alpha, reading.z.dtype), alpha, prior)


def label_cross_entropy(z, mixture: Mixture, valid, *, normalize: bool):
    """Computes logsumexp(z) − Σ_j w_j z_j − α Σ_k q_k z_k for integer labels.

    Args:
        z: Logits `(..., K)` in float32 or better, or log-probabilities.
        mixture: The smoothed targets.
        valid: Boolean tensor `(...)` or `None`. Positions that don't count may hold anything, NaN
            too, without a trace in the gradient; the caller zeroes their loss.
        normalize: Whether to compute the logsumexp: false for log-probabilities.

    Returns:
        Tensor `(...)`.
    """
    # The one place where the form is chosen. A custom gradient would take forward-mode derivatives
    # and `jax.checkpoint` from JAX, second derivatives and torch.compile from PyTorch.
    if normalize and keras.config.backend() == "tensorflow":
        return _with_gradient(z, mixture, valid, subtract_targets())
    if valid is not None:
        z = ops.where(valid[..., None], z, 1.0)
    if normalize:
        z = _shift(z)
    expected = _expected(z, mixture, gather=not compiled_by_xla())
    return ops.logsumexp(z, axis=-1) - expected if normalize else -expected


def dense_cross_entropy(z, targets, mixture: Mixture, *, normalize: bool):
    """Computes Σ_k y_k^LS · logsumexp(z) − (1 − α) Σ_k y_k z_k − α Σ_k q_k z_k.

    Args:
        z: Logits `(..., K)` in float32 or better, or log-probabilities.
        targets: `(..., K)`; need not sum to 1.
        mixture: alpha and the prior.
        normalize: Whether to compute the logsumexp: false for log-probabilities.

    Returns:
        Tensor `(...)`.
    """
    alpha = mixture.alpha
    if normalize:
        z = _shift(z)
    # A target of 0 and a logit of −inf: nothing, not NaN.
    absent = ops.logical_and(ops.equal(targets, 0), ops.equal(z, -np.inf))
    expected = (1 - alpha) * ops.sum(targets * ops.where(absent, 0.0, z), axis=-1)
    if mixture.prior is not None:
        expected = expected + scaled(alpha, _prior_mean(z, mixture.prior))
    if not normalize:
        return -expected
    total = (1 - alpha) * ops.sum(targets, axis=-1) + alpha
    return total * ops.logsumexp(z, axis=-1) - expected


def _expected(z, mixture: Mixture, *, gather: bool):
    """Computes Σ_k y_k^LS z_k without y^LS."""
    at = ops.take_along_axis(z, mixture.ids, axis=-1) if gather else _compare(z, mixture.ids)
    expected = weighted(at, mixture.weights)
    if mixture.prior is None:
        return expected
    return expected + scaled(mixture.alpha, _prior_mean(z, mixture.prior))


def weighted(at, weights):
    """Computes Σ_j weights_j · at_j: a weight of 0 and a logit of −inf give nothing, not NaN."""
    weights = ops.cast(weights, at.dtype)
    return ops.sum(weights * ops.where(ops.equal(weights, 0), 0.0, at), axis=-1)


def _compare(z, ids):
    """Finds the logits at `ids` by reductions, which XLA fuses with the others, unlike a gather."""
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
    # XLA fuses the sum where it would not a product; uncompiled, the product needs no copy.
    return ops.sum(z * q, axis=-1) if compiled_by_xla() else ops.matmul(z, q)


def _with_gradient(z, mixture: Mixture, valid, subtract: Callable):
    """Gives the closed form its gradient dz = (softmax(z) − y^LS) · upstream in one pass."""
    import tensorflow as tf

    prior: Any = mixture.prior
    uniform = prior is not None and prior.min() == prior.max()
    if prior is not None:  # One number costs less than a vector.
        prior = float(prior[0]) if uniform else ops.convert_to_tensor(prior, dtype=z.dtype)

    @ops.custom_gradient
    def loss(z):
        top = row_max(z)
        # Both of what is left after the shift: a mean of logits near 1e4 keeps three decimals.
        shifted = z - top
        at = ops.take_along_axis(z, mixture.ids, axis=-1) - top
        expected = weighted(at, mixture.weights)
        if uniform and z.shape[-1] >= _MANY and compiled_by_xla():
            expected = expected + scaled(mixture.alpha, _mean_below(top, z))
        elif mixture.prior is not None:
            mean = _prior_mean(shifted, mixture.prior)
            expected = expected + scaled(mixture.alpha, mean)
            if compiled_by_xla():
                # The mean is at most 0, so that this is the same shift, but XLA doesn't know that
                # and can't begin with the exponential, which then takes the memory of `shifted`.
                shifted = z - ops.maximum(top, top + mean[..., None])
        # For the same reason: the mean first.
        with tf.control_dependencies([expected]):
            exponential = ops.exp(shifted)
        total = ops.sum(exponential, axis=-1, keepdims=True)

        def gradient(upstream):
            if valid is not None:  # of what is made of an infinite loss, it may be NaN
                upstream = ops.where(valid, upstream, 0.0)
            dz = exponential / total
            if prior is not None:
                dz = dz - by_class(mixture.alpha) * prior
            dz = dz * upstream[..., None]
            if valid is not None:
                dz = ops.where(valid[..., None], dz, 0.0)
            weights = ops.cast(mixture.weights, dz.dtype) * upstream[..., None]
            return subtract(dz, mixture.ids, weights)

        return ops.log(total[..., 0]) - expected, gradient

    return loss(z)


def _mean_below(top, z):
    """Computes mean_k (z_k − top) without a tensor of differences, as XLA on a CPU would make one.

    Eighths of the classes are added up first, and top subtracted then. An eighth of a number is
    exact; what the three additions lose is about the spacing of numbers near top, and averages out
    over many classes: at 1e4, where logits lie 1e-3 apart, 1e-4 of 1,000 classes' mean.
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
    """Returns the largest of each row, `(..., 1)`; of no rows, none, which Keras's own refuses."""
    return z[..., :1] if 0 in tuple(z.shape) else ops.max(z, axis=-1, keepdims=True)


def _shift(z):
    """Subtracts the largest logit, which changes no loss, and keeps logits of ±1e4 exact."""
    return z - ops.stop_gradient(row_max(z))


def subtract_targets() -> Callable:
    """Returns what subtracts `weights` `(..., J)` at the classes `ids` from `dz` `(..., K)`.

    To be asked for where the loss is made: the graph of a gradient doesn't tell who compiles it.
    """
    return _subtract_by_comparison if compiled_by_xla() else _subtract_by_scatter


def _subtract_by_scatter(dz, ids, weights):
    """Uncompiled: J numbers a position are touched, in place."""
    import tensorflow as tf

    num_classes, num_ids = dz.shape[-1], ids.shape[-1]
    ids = ops.reshape(ids, (-1,))
    rows = ops.arange(ops.size(ids), dtype="int32") // num_ids
    # keras.ops.scatter_update copies; this reuses the buffer, where nobody else holds it.
    flat = tf.raw_ops.ScatterNdNonAliasingAdd(
        input=ops.reshape(dz, (-1, num_classes)),
        indices=ops.stack([rows, ids], axis=-1),
        updates=-ops.reshape(weights, (-1,)),
    )
    return ops.reshape(flat, ops.shape(dz))


def _subtract_by_comparison(dz, ids, weights):
    """Under XLA: fused into the pass that makes dz."""
    classes = ops.arange(dz.shape[-1], dtype="int32")
    for j in range(ids.shape[-1]):
        here = ops.equal(ids[..., j : j + 1], classes)
        dz = dz - ops.where(here, weights[..., j : j + 1], 0.0)
    return dz
