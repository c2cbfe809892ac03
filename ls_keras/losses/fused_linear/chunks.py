"""Fused linear cross-entropy by chunks of tokens, on TensorFlow and JAX.

The logits of a chunk are computed once, for the loss and all gradients: three matrix products, as
without chunks. `torch_chunks` does the same in place on PyTorch.
"""

from typing import Any, NamedTuple

import keras
import numpy as np
from keras import ops

from ls_keras.backend.loops import product, scan
from ls_keras.losses.cross_entropy import subtract_targets, weighted_sum
from ls_keras.losses.fused_linear.problem import Fixed, Linear, Rows


class _Prior(NamedTuple):
    """The prior's term of the logits and gradients, which has rank one and needs no product.

    Attributes:
        q: `(K,)`, or one number.
        direction: K q, `(D,)`.
        shift: b · q.
    """

    q: Any
    direction: Any
    shift: Any


def loss_and_gradients(linear: Linear, rows: Rows, fixed: Fixed, *, gradients: bool = True):
    """Computes Σ_n w_n (logsumexp(z_n) − Σ_j m_nj z_nj − α q · z_n), where z = h K + b.

    Args:
        linear: h, K and b.
        rows: The classes j, m and w.
        fixed: α, q and sizes.
        gradients: Whether to compute gradients.

    Returns:
        The loss, and its gradients with respect to the parts of `linear`, or `None`. Gradients are
        in float32 or better, or in bfloat16 if the part is.
    """
    dtype = fixed.dtype
    narrow = _product_dtype(linear, fixed)
    hidden, kernel = ops.cast(linear.hidden, narrow), ops.cast(linear.kernel, narrow)
    bias = None if linear.bias is None else ops.cast(linear.bias, dtype)
    # A soft cap is not linear: the mean logit under the prior then needs each logit.
    capped, cap = fixed.soft_cap is not None, fixed.soft_cap
    prior = None if fixed.prior is None or capped else _prior(kernel, bias, fixed.prior, fixed)
    q = _prior_vector(fixed.prior, dtype) if fixed.prior is not None and capped else None
    blocks = fixed.blocks(hidden.shape[-1])

    def chunk(total, rows):
        h, ids, masses, w = rows
        h = ops.where(ops.equal(w, 0)[:, None], ops.cast(0, narrow), h)
        z = product(h, kernel, dtype, transpose_b=fixed.transposed)
        if bias is not None:
            z = z + bias
        if capped:
            z = ops.tanh(z / cap) * cap
            slope = 1 - ops.square(z / cap)
        top = ops.max(z, axis=-1)
        at = ops.take_along_axis(z, ids, axis=-1) - top[:, None]
        expected = weighted_sum(at, masses)
        if prior is not None:
            mean = ops.matmul(ops.cast(h, dtype), prior.direction) + prior.shift
            expected = expected + fixed.alpha * (mean - top)
        elif q is not None:
            expected = expected + fixed.alpha * (ops.sum(q * z, axis=-1) - top)
        p = ops.exp(z - top[:, None])
        normalizer = ops.sum(p, axis=-1)
        loss = w * (ops.log(normalizer) - expected)
        total = {**total, "loss": total["loss"] + ops.sum(ops.where(ops.equal(w, 0), 0.0, loss))}
        if not gradients:
            return total, None
        dz = subtract_targets()(p * (w / normalizer)[:, None], ids, masses * w[:, None])
        if q is not None:
            dz = dz - fixed.alpha * w[:, None] * q
        if capped:
            dz = dz * slope
        if bias is not None:
            total["bias"] = total["bias"] + ops.sum(dz, axis=0)
        if prior is not None:
            total["along"] = total["along"] + ops.matmul(w, ops.cast(h, dtype))
        dz = ops.cast(dz, narrow)
        total["kernel"] = [
            sofar + _kernel_block(h, dz[:, block], fixed)
            for sofar, block in zip(total["kernel"], blocks, strict=True)
        ]
        dh = product(dz, kernel, dtype, transpose_b=not fixed.transposed)
        if prior is not None:
            dh = dh - fixed.alpha * w[:, None] * prior.direction
        return total, ops.cast(dh, fixed.stored(linear.hidden.dtype))

    total = _zeros(hidden.shape[-1], blocks, bias, fixed) if gradients else {}
    total["loss"] = ops.zeros((), dtype)
    out_dtype = fixed.stored(linear.hidden.dtype) if gradients else None
    total, dh = scan(chunk, total, (hidden, *rows), fixed.most_tokens, out_dtype)
    if not gradients:
        return total["loss"], None
    dk, db = _subtract_prior(total, prior, rows.weights, blocks, fixed)
    parts = [ops.cast(block, fixed.stored(linear.kernel.dtype)) for block in dk]
    whole = parts[0] if len(parts) == 1 else ops.concatenate(parts, axis=fixed.axis_of_classes)
    return total["loss"], Linear(dh, whole, db)


def _product_dtype(linear: Linear, fixed: Fixed) -> str:
    """Returns the dtype of products: bfloat16 only where it is accumulated in float32."""
    dtypes = {keras.backend.standardize_dtype(x.dtype) for x in (linear.hidden, linear.kernel)}
    as_it_is = dtypes == {"bfloat16"} and keras.config.backend() == "jax"
    return "bfloat16" if as_it_is else fixed.dtype


def _prior_vector(prior: np.ndarray, dtype: str):
    """Returns the prior as a tensor `(K,)`, or as one number if it is uniform."""
    if prior.min() == prior.max():
        return float(prior[0])
    return ops.convert_to_tensor(prior, dtype=dtype)


def _prior(kernel, bias, prior: np.ndarray, fixed: Fixed) -> _Prior:
    dtype, axis = fixed.dtype, fixed.axis_of_classes
    q = _prior_vector(prior, dtype)
    if isinstance(q, float):  # one number costs less than a vector
        mean = ops.mean(ops.cast(kernel, dtype), axis=axis)
        shift = 0.0 if bias is None else ops.mean(bias)
        return _Prior(q, mean, shift)
    # The bias may be −inf where q is 0.
    shift = 0.0 if bias is None else ops.sum(q * ops.where(q > 0, bias, 0.0))
    direction = product(q[None], ops.cast(kernel, dtype), dtype, transpose_b=axis == 1)
    return _Prior(q, direction[0], shift)


def _zeros(num_features: int, blocks: list[slice], bias, fixed: Fixed) -> dict:
    """Returns the initial values of the gradients that are summed over chunks."""
    sizes = [block.stop - block.start for block in blocks]
    shapes = [(n, num_features) if fixed.transposed else (num_features, n) for n in sizes]
    total: dict = {"kernel": [ops.zeros(shape, fixed.dtype) for shape in shapes]}
    if bias is not None:
        total["bias"] = ops.zeros((fixed.num_classes,), fixed.dtype)
    if fixed.prior is not None and fixed.soft_cap is None:
        total["along"] = ops.zeros((num_features,), fixed.dtype)
    return total


def _kernel_block(h, dz, fixed: Fixed):
    left, right = (dz, h) if fixed.transposed else (h, dz)
    return product(left, right, fixed.dtype, transpose_a=True)


def _subtract_prior(total: dict, prior: _Prior | None, weights, blocks: list[slice], fixed: Fixed):
    """Subtracts the prior's term: α (Σ_n w_n h_n) ⊗ q, and α q Σ_n w_n for the bias."""
    dk, db = total["kernel"], total.get("bias")
    if prior is None:
        return dk, db
    along = fixed.alpha * total["along"]
    along = along[None] if fixed.transposed else along[:, None]

    def share(block):
        if isinstance(prior.q, float):
            return prior.q
        return prior.q[block][:, None] if fixed.transposed else prior.q[block]

    dk = [sofar - along * share(block) for sofar, block in zip(dk, blocks, strict=True)]
    return dk, None if db is None else db - fixed.alpha * ops.sum(weights) * prior.q
