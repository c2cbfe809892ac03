"""The closed form of smoothed cross-entropy, in the fastest way for where it runs.

Time for forward + backward of 4,096 × 32,000 float32 logits on two cores, and the memory it takes
beside the logits, in tensors of their size (`benchmarks/losses.py`):
"""

from typing import NamedTuple

import keras
import numpy as np
from keras import ops

from ls_keras.losses.xla import compiled_by_xla


class Mixture(NamedTuple):
    """Smoothed targets, unbuilt: y^LS = Σ_j weights_j · onehot(ids_j) + α · prior.

    Attributes:
        ids: int32 tensor `(..., J)`, or `None` for dense targets.
        weights: float32 tensor `(..., J)`, or `None` for dense targets.
        alpha: Float in [0, 1].
        prior: float64 array `(K,)`, or `None`.
    """

    ids: object | None
    weights: object | None
    alpha: float
    prior: np.ndarray | None


def label_cross_entropy(z, mixture: Mixture, *, normalize: bool):
    """Computes logsumexp(z) − Σ_j w_j z_j − α Σ_k q_k z_k for integer labels.

    Args:
        z: Logits `(..., K)` in float32 or better, or log-probabilities.
        mixture: The smoothed targets.
        normalize: Whether to compute the logsumexp: false for log-probabilities.

    Returns:
        Tensor `(...)`.
    """
    if not normalize:
        return -_expected(z, mixture)
    # The one place where the form is chosen. A custom gradient would take forward-mode derivatives
    # and `jax.checkpoint` from JAX, second derivatives and torch.compile from PyTorch.
    if keras.config.backend() != "tensorflow":
        return ops.logsumexp(z, axis=-1) - _expected(z, mixture, gather=not compiled_by_xla())
    return _with_gradient(z, mixture, _subtract_by_comparison if compiled_by_xla() else _scatter)


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
    # A target of 0 and a logit of −inf: nothing, not NaN.
    absent = ops.logical_and(ops.equal(targets, 0), ops.equal(z, -np.inf))
    expected = (1 - alpha) * ops.sum(targets * ops.where(absent, 0.0, z), axis=-1)
    if mixture.prior is not None:
        expected = expected + alpha * _prior_mean(z, mixture.prior)
    if not normalize:
        return -expected
    total = (1 - alpha) * ops.sum(targets, axis=-1) + alpha
    return total * ops.logsumexp(z, axis=-1) - expected


def _expected(z, mixture: Mixture, *, gather: bool = True):
    """Computes Σ_k y_k^LS z_k without y^LS."""
    at = ops.take_along_axis(z, mixture.ids, axis=-1) if gather else _compare(z, mixture.ids)
    weights = ops.cast(mixture.weights, z.dtype)
    # A weight of 0 and a logit of −inf: nothing, not NaN.
    expected = ops.sum(weights * ops.where(ops.equal(weights, 0), 0.0, at), axis=-1)
    if mixture.prior is None:
        return expected
    return expected + mixture.alpha * _prior_mean(z, mixture.prior)


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


def _with_gradient(z, mixture: Mixture, subtract_target):
    """Gives the closed form its gradient dz = (softmax(z) − y^LS) · upstream in one pass."""

    @ops.custom_gradient
    def loss(z):
        lse = ops.logsumexp(z, axis=-1)

        def gradient(*args, upstream=None):
            upstream = args[0] if upstream is None else upstream
            dz = ops.exp(z - lse[..., None])
            if mixture.prior is not None:
                prior = mixture.prior
                constant = prior.min() == prior.max()
                q = float(prior[0]) if constant else ops.convert_to_tensor(prior, dtype=z.dtype)
                dz = dz - mixture.alpha * q
            return subtract_target(dz, mixture, upstream)

        return lse - _expected(z, mixture), gradient

    return loss(z)


def _scatter(dz, mixture: Mixture, upstream):
    """Uncompiled: J numbers a position are touched, in place where TensorFlow can."""
    dz = dz * upstream[..., None]
    num_classes, num_ids = dz.shape[-1], mixture.ids.shape[-1]
    weights = ops.cast(mixture.weights, dz.dtype) * upstream[..., None]
    ids = ops.reshape(mixture.ids, (-1,))
    rows = ops.arange(ops.size(ids), dtype="int32") // num_ids
    flat = ops.scatter_update(
        ops.reshape(dz, (-1, num_classes)),
        ops.stack([rows, ids], axis=-1),
        -ops.reshape(weights, (-1,)),
        reduction="add",
    )
    return ops.reshape(flat, ops.shape(dz))


def _subtract_by_comparison(dz, mixture: Mixture, upstream):
    """Under XLA: fused into the pass that makes dz."""
    classes = ops.arange(dz.shape[-1], dtype="int32")
    for j in range(mixture.ids.shape[-1]):
        here = ops.equal(mixture.ids[..., j : j + 1], classes)
        dz = dz - ops.where(here, ops.cast(mixture.weights[..., j : j + 1], dz.dtype), 0.0)
    return dz * upstream[..., None]
