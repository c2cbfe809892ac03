"""Fused linear cross-entropy by chunks of tokens, in place, on PyTorch.

`chunks` does the same on TensorFlow and JAX.
"""

from collections.abc import Sequence

import torch

from ls_keras.losses.fused_linear.problem import Fixed, Linear, Rows


def torch_loss(linear: Linear, rows: Rows, fixed: Fixed):
    """Computes the loss, see `differentiable_loss`."""
    rows = Rows(rows.ids.long(), rows.masses.detach(), rows.weights.detach())
    return _LinearLoss.apply(*linear, rows, fixed, torch.is_grad_enabled())


class _LinearLoss(torch.autograd.Function):
    @staticmethod
    def forward(ctx, hidden, kernel, bias, rows, fixed, differentiated):
        linear = Linear(hidden, kernel, bias)
        wanted = [differentiated and needed for needed in ctx.needs_input_grad[:3]]
        loss, gradients = _loss_and_gradients(linear, rows, fixed, wanted)
        ctx.save_for_backward(*gradients)
        ctx.dtypes = [None if x is None else x.dtype for x in linear]
        return loss

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx, upstream):
        gradients = [
            None if gradient is None else (gradient * upstream).to(dtype)
            for gradient, dtype in zip(ctx.saved_tensors, ctx.dtypes, strict=True)
        ]
        return *gradients, None, None, None


def _loss_and_gradients(linear: Linear, rows: Rows, fixed: Fixed, wanted: Sequence[bool]):
    dtype, alpha = getattr(torch, fixed.dtype), fixed.alpha
    narrow = _product_dtype(linear, dtype)
    hidden, kernel = linear.hidden, linear.kernel.to(narrow)
    kernel = kernel.t() if fixed.transposed else kernel  # D × K, a view
    bias = None if linear.bias is None else linear.bias.to(dtype)
    prior = None if fixed.prior is None else torch.as_tensor(fixed.prior).to(hidden.device, dtype)
    # A soft cap is not linear: the mean logit under the prior then needs each logit.
    cap, linear_prior = fixed.soft_cap, None if fixed.soft_cap is not None else prior
    if linear_prior is not None:
        direction = kernel.to(dtype) @ linear_prior
        # Where the prior is 0, a bias may be −inf.
        shift = 0.0 if bias is None else (prior * bias.masked_fill(prior == 0, 0)).sum()

    def zeros_like(part, needed, dtype=dtype):
        return torch.zeros_like(part, dtype=dtype) if needed and part is not None else None

    dh = zeros_like(hidden, wanted[0], getattr(torch, fixed.stored(hidden.dtype)))
    dk, db = zeros_like(linear.kernel, wanted[1]), zeros_like(bias, wanted[2])
    dk_view = dk.t() if dk is not None and fixed.transposed else dk
    loss, along = torch.zeros((), dtype=dtype), torch.zeros(hidden.shape[1], dtype=dtype)
    loss, along = loss.to(hidden.device), along.to(hidden.device)
    size = max(min(fixed.most_tokens, len(hidden)), 1)
    buffer = hidden.new_empty((size, fixed.num_classes), dtype=dtype)
    for start in range(0, len(hidden), size):
        here = slice(start, start + size)
        ids, masses, w = (x[here] for x in rows)
        h = hidden[here].masked_fill(w[:, None] == 0, 0).to(narrow)
        z = _product(h, kernel, dtype, out=buffer[: len(w)])
        if bias is not None:
            z += bias
        if cap is not None:
            z.div_(cap).tanh_()
            slope = 1 - z.square()
            z.mul_(cap)
        top = z.amax(1)
        at = z.gather(1, ids) - top[:, None]
        expected = (masses * at.masked_fill(masses == 0, 0)).sum(1)
        if prior is not None:
            mean = z @ prior if linear_prior is None else h.to(dtype) @ direction + shift
            expected += alpha * (mean - top)
        p = z.sub_(top[:, None]).exp_()
        normalizer = p.sum(1)
        loss += (w * (normalizer.log() - expected)).masked_fill(w == 0, 0).sum()
        if not any(wanted):
            continue
        dz = p.mul_((w / normalizer)[:, None]).scatter_add_(1, ids, masses * -w[:, None])
        if cap is not None:
            if prior is not None:
                dz -= (alpha * w)[:, None] * prior
            dz *= slope
        if db is not None:
            db += dz.sum(0)
        along += w @ h.to(dtype)
        dz = dz.to(narrow)
        if dh is not None:
            dh[here] = _product(dz, kernel.t(), dtype)
            if linear_prior is not None:
                dh[here] -= (alpha * w)[:, None] * direction
        if dk is not None:
            _add_product(dk_view, h.t(), dz, fixed)
    if linear_prior is not None and dk is not None:
        dk_view.addr_(along, linear_prior, alpha=-alpha)
    if linear_prior is not None and db is not None:
        db -= alpha * rows.weights.sum() * linear_prior
    return loss, (dh, None if dk is None else dk.to(getattr(torch, fixed.stored(kernel.dtype))), db)


def _product_dtype(linear: Linear, dtype: torch.dtype) -> torch.dtype:
    """Returns the dtype of products: bfloat16 only where it is accumulated in float32."""
    as_it_is = linear.hidden.is_cuda and linear.hidden.dtype == linear.kernel.dtype
    return torch.bfloat16 if as_it_is and linear.kernel.dtype == torch.bfloat16 else dtype


def _product(a, b, dtype, out=None):
    return torch.mm(a, b, out=out) if a.dtype == dtype else torch.mm(a, b, dtype, out=out)


def _add_product(total, a, b, fixed: Fixed) -> None:
    """Adds `a @ b` to `total` without a second tensor of that size."""
    if a.dtype == total.dtype:
        total.addmm_(a, b)
        return
    for block in fixed.blocks(len(total)):
        total[:, block] += torch.mm(a, b[:, block], total.dtype)
