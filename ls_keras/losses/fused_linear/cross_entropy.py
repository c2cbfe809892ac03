"""Fused linear cross-entropy: the smoothed loss of a linear layer without its logits."""

import keras
from keras import ops

from ls_keras.backend.autograph import no_autograph
from ls_keras.backend.tensors import as_tensor, mask_of
from ls_keras.errors import InputError, shown
from ls_keras.inputs.registry import LOSSES
from ls_keras.inputs.targets import IgnoreClass, Targets, read_targets
from ls_keras.inputs.validation import as_choice, as_count, as_flag, as_number
from ls_keras.inputs.weights import position_weights, read_weights
from ls_keras.losses.alpha import refuse_alpha
from ls_keras.losses.classification_loss import LossInputs
from ls_keras.losses.fused_linear.gradient import differentiable_loss
from ls_keras.losses.fused_linear.problem import Fixed, Linear, Rows
from ls_keras.losses.smoothed_ce import smoothed_targets
from ls_keras.losses.smoothings import get_smoothing

REDUCTIONS = ("sum_over_batch_size", "mean", "mean_with_sample_weight", "sum")


@LOSSES.register("linear_smoothed_ce")
@no_autograph
def linear_smoothed_ce(
    y_true,
    hidden,
    kernel,
    bias=None,
    alpha: float = 0.1,
    smoothing="uniform",
    *,
    sample_weight=None,
    mask=None,
    ignore_class: IgnoreClass = None,
    reduction: str = "sum_over_batch_size",
    transposed: bool = False,
    chunk_size: int | None = None,
):
    """Computes the smoothed cross-entropy of `hidden @ kernel + bias`, reduced, without the logits.

    Σ_n w_n H(y_n^LS, softmax(z_n)) with z_n = h_n K + b

    It equals `SmoothedCE(alpha, smoothing=smoothing, from_logits=True)` of the logits, but holds
    only the logits of a chunk of tokens: with 32,000 classes, the logits of 4,096 tokens need
    500 MiB, and so does every tensor computed from them. The gradients for hidden, kernel and bias
    are computed in the same pass, so the loss is always reduced, and can't be differentiated twice.
    Weights get no gradient.

    With z = h K + b, p = softmax(z) and y^LS = m + α q, where m is the target's (and its
    neighbors') part:

    dK = Σ_n w_n h_n ⊗ (p_n − m_n) − α (Σ_n w_n h_n) ⊗ q

    Args:
        y_true: Integer labels `(...)` or `(..., 1)`.
        hidden: `(..., D)`: the input of the last layer.
        kernel: `(D, K)`: its kernel, K ≥ 2; see `transposed`.
        bias: `(K,)`, or `None`, the default.
        alpha: The mass to take off the target, in [0, 1]. Default: 0.1.
        smoothing: See `smoothed_cross_entropy`. Default: `"uniform"`.
        sample_weight: `(...)` as the labels, or of their leading axes; ≥ 0. Default: `None`.
        mask: Booleans `(...)`: which positions count. Default: the mask that Keras's layers
            attached to `hidden`, if any.
        ignore_class: A label id, or several, whose positions behave as masked ones; `hidden` may
            have any value there, even NaN. Default: `None`.
        reduction: `"sum_over_batch_size"`, `"mean"`, `"mean_with_sample_weight"` or `"sum"`, as in
            Keras's losses. Default: `"sum_over_batch_size"`.
        transposed: Whether the kernel is `(K, D)`, as an embedding's table. Default: `False`.
        chunk_size: Number of tokens computed at once, whose logits are held in memory. More are
            faster on a GPU. Default: 2²³ logits (32 MiB), at least 64 tokens.

    Returns:
        A scalar in nats, float32 or, for float64 arguments, float64. Products are accumulated in
        float32 or better. In a replica of `tf.distribute`, a mean is the replica's share of the
        mean over all, as in Keras's losses, so that replicas add up.

    Raises:
        InputError: If shapes don't fit, if labels are dense or, in eager use, out of range, if the
            reduction is `None`, or if an option is out of its range.

    Example:
    ```python
    >>> import numpy as np
    >>> import ls_keras
    >>> hidden, kernel = np.float32([[1, 0], [0, 1]]), np.float32([[2, 0, 0], [0, 2, 0]])
    >>> loss = ls_keras.linear_smoothed_ce([0, 2], hidden, kernel, alpha=0.1)
    >>> logits = ls_keras.SmoothedCE(0.1, from_logits=True)([0, 2], hidden @ kernel)
    >>> round(float(loss), 3), round(float(logits), 3)
    (1.273, 1.273)

    ```

    References:
        [Wijmans et al., 2024](https://arxiv.org/abs/2411.09009), without smoothing;
        [Hsu et al., 2024](https://arxiv.org/abs/2410.10989): gradients in the forward pass.
    """
    loss = fused_loss(
        y_true,
        Linear(hidden, kernel, bias),
        alpha=as_number(alpha, "alpha", low=0, high=1),
        smoothing=get_smoothing(smoothing),
        sample_weight=sample_weight,
        mask=mask,
        ignore_class=ignore_class,
        reduction=check_reduction(reduction),
        transposed=as_flag(transposed, "transposed"),
        chunk_size=check_chunk_size(chunk_size),
    )
    return loss if reduction == "sum" else loss / num_replicas()


def fused_loss(
    y_true,
    linear: Linear,
    *,
    alpha: float,
    smoothing,
    sample_weight=None,
    mask=None,
    ignore_class: IgnoreClass = None,
    reduction: str,
    transposed: bool,
    chunk_size: int | None,
    ahead: bool = True,
    soft_cap: float | None = None,
):
    """Computes `linear_smoothed_ce` with checked options, for it and for `FusedLogits`.

    Args:
        y_true: See `linear_smoothed_ce`, as the others.
        linear: Hidden states, kernel and bias.
        alpha: A float in [0, 1].
        smoothing: A `Smoothing`.
        sample_weight: See `linear_smoothed_ce`.
        mask: See `linear_smoothed_ce`.
        ignore_class: See `linear_smoothed_ce`.
        reduction: See `linear_smoothed_ce`.
        transposed: See `linear_smoothed_ce`.
        chunk_size: See `linear_smoothed_ce`.
        ahead: Whether gradients will be needed, see `differentiable_loss`.
        soft_cap: c, if the logits are c tanh(z / c) of the linear layer's output z.

    Returns:
        The loss of this replica's tokens.
    """
    mask = mask_of(linear.hidden) if mask is None else mask
    linear, num_classes = _checked(linear, transposed)
    logits = keras.KerasTensor((*linear.hidden.shape[:-1], num_classes))
    targets = read_targets(y_true, logits, ignore_class=ignore_class)
    refuse_alpha(targets, "alpha='per-example', which needs the logits")
    if targets.labels is None:
        raise InputError(
            "Expected integer labels, since dense targets are as large as the logits. "
            f"Received: y_true of shape {tuple(targets.dense.shape)}"
        )
    shape = tuple(targets.labels.shape)
    if mask is not None:
        mask = _positions(mask, targets.labels)
    if sample_weight is not None:
        sample_weight = read_weights(sample_weight, shape)
    dtypes = {keras.backend.standardize_dtype(x.dtype) for x in (linear.hidden, linear.kernel)}
    dtype = "float64" if "float64" in dtypes else "float32"
    weights = _weights(targets, mask, sample_weight, reduction, dtype)
    inputs = LossInputs(targets, logits, True, mask, sample_weight)
    smoothed = smoothed_targets(inputs, alpha, smoothing)
    each = smoothed.ids.shape[-1]
    loss = differentiable_loss(
        linear._replace(hidden=ops.reshape(linear.hidden, (-1, linear.hidden.shape[-1]))),
        Rows(
            ops.reshape(smoothed.ids, (-1, each)),
            ops.cast(ops.reshape(smoothed.weights, (-1, each)), dtype),
            ops.reshape(weights, (-1,)),
        ),
        Fixed(alpha, smoothed.prior, num_classes, transposed, chunk_size, dtype, soft_cap),
        ahead=ahead,
    )
    if targets.wrong is None:
        return loss
    return ops.where(ops.any(targets.wrong), float("nan"), loss)


def num_replicas() -> int:
    """Returns the number of replicas of TensorFlow that share a step; 1 outside of them."""
    if keras.config.backend() != "tensorflow":
        return 1
    import tensorflow as tf

    return tf.distribute.get_strategy().num_replicas_in_sync


def check_reduction(reduction) -> str:
    """Returns a reduction to a scalar, or raises an `InputError`."""
    return as_choice(reduction, "reduction", REDUCTIONS)


def check_chunk_size(chunk_size) -> int | None:
    """Returns a number of tokens or `None`, or raises an `InputError`."""
    return None if chunk_size is None else as_count(chunk_size, "chunk_size", 1)


def _checked(linear: Linear, transposed: bool) -> tuple[Linear, int]:
    """Returns hidden states, kernel and bias as tensors of floats, and K."""
    hidden, kernel = _floats(linear.hidden, "hidden"), _floats(linear.kernel, "kernel")
    form = "(K, D)" if transposed else "(D, K)"
    if len(kernel.shape) != 2 or None in kernel.shape or 0 in kernel.shape:
        raise InputError(
            f"Expected a kernel of shape {form}. Received: kernel of shape {tuple(kernel.shape)}"
        )
    num_features, num_classes = tuple(kernel.shape)[:: -1 if transposed else 1]
    if tuple(hidden.shape)[-1:] != (num_features,):
        raise InputError(
            f"Expected hidden states of shape (..., {num_features}) for a kernel {form} of shape "
            f"{tuple(kernel.shape)}. Received: hidden of shape {tuple(hidden.shape)}"
        )
    if linear.bias is None:
        return Linear(hidden, kernel, None), num_classes
    bias = _floats(linear.bias, "bias")
    if tuple(bias.shape) != (num_classes,):
        raise InputError(
            f"Expected a bias of shape ({num_classes},). "
            f"Received: bias of shape {tuple(bias.shape)}"
        )
    return Linear(hidden, kernel, bias), num_classes


def _floats(value, name: str):
    if isinstance(value, keras.KerasTensor):
        raise InputError(
            f"Expected a tensor with values for {name}; for a functional model, use the layer "
            f"ls_keras.layers.FusedLogits. Received: {shown(value)}"
        )
    tensor = as_tensor(value, name)
    if "float" in keras.backend.standardize_dtype(tensor.dtype):
        return tensor
    return ops.cast(tensor, keras.config.floatx())


def _positions(mask, labels):
    """Returns a mask as Booleans with the labels' shape."""
    counted = position_weights(ops.cast(labels, "float32"), mask=as_tensor(mask, "mask"))
    return ops.not_equal(counted, 0)


def _weights(targets: Targets, mask, sample_weight, reduction: str, dtype: str):
    """Returns the weight of each loss, such that their weighted sum is Keras's reduction."""
    like = ops.cast(targets.labels, dtype)
    ones = ops.ones_like(like)
    counted = position_weights(like, valid=targets.valid, mask=mask)
    counted = ones if counted is None else counted
    weights = position_weights(like, sample_weight=sample_weight)
    weights = counted if weights is None else weights * counted
    if reduction == "sum":
        return weights
    # Keras's mean is over the number of positions that count, not over their weights.
    over = weights if reduction == "mean_with_sample_weight" else counted
    return ops.divide_no_nan(weights, ops.sum(over))
