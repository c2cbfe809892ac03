"""Smoothed cross-entropy: the Keras loss, the function, and the smoothed targets themselves."""

import keras
import numpy as np
from keras import ops

from ls_keras.backend.autograph import no_autograph
from ls_keras.backend.tensors import as_tensor, to_numpy_or_none
from ls_keras.errors import InputError
from ls_keras.inputs.logits_check import warn_if_probabilities
from ls_keras.inputs.registry import LOSSES
from ls_keras.inputs.targets import IgnoreClass, read_targets
from ls_keras.inputs.validation import MAX_CLASSES, as_count, as_flag
from ls_keras.losses.alpha import ALPHA
from ls_keras.losses.classification_loss import (
    ClassificationLoss,
    LossInputs,
    mask_losses,
    read_inputs,
)
from ls_keras.losses.cross_entropy import (
    SmoothedTargets,
    cross_entropy,
    expand_class_axis,
    full_like,
    is_zero,
    known_classes,
)
from ls_keras.losses.smoothings import Smoothing, TargetDistribution, get_smoothing


@LOSSES.register("smoothed_ce")
class SmoothedCE(ClassificationLoss):
    """Cross-entropy with smoothed targets, from integer or dense labels.

    H(y^LS, p) = logsumexp(z) − (1 − α) z_y − α Σ_k q_k z_k

    It is `smoothed_cross_entropy` with Keras's masks, sample weights and reductions; see
    `ClassificationLoss` for those.

    Args:
        alpha: The mass to take off the target, in [0, 1]; or one per class, `(K,)`: the target's
            applies (Σ_k y_k α_k with dense targets); or `"per-example"`: packed with
            `y_true` by `ls_keras.losses.with_alpha`; or a `keras.Variable` of these shapes, which
            can change between steps, as by `ls_keras.callbacks.AlphaSchedule`. Default: 0.1.
        smoothing: `"uniform"`, `"neighborhood"`, or an object: `Uniform`, `Unigram`, `Prior`,
            `Neighborhood`. Default: `"uniform"`.
        **options: `from_logits`, `ignore_class`, `axis`, `reduction` and `dtype`; see
            `ClassificationLoss`.
        name: Default: `"smoothed_ce"`.

    Raises:
        InputError: If alpha is not a number, or numbers, in [0, 1], if the smoothing is unknown;
            when called, see `smoothed_cross_entropy`.

    Example:
    ```python
    >>> import ls_keras
    >>> loss = ls_keras.SmoothedCE(alpha=0.1, from_logits=True, ignore_class=-1)
    >>> round(float(loss([0, -1], [[2.0, 0.0], [2.0, 0.0]])), 4)
    0.2269

    ```

    References:
        [Müller et al., 2019](https://arxiv.org/abs/1906.02629), section 1.1.
    """

    rate_bounds = ALPHA

    def __init__(self, alpha=0.1, *, smoothing="uniform", name: str = "smoothed_ce", **options):
        super().__init__(name=name, **options)
        self.alpha = self.rate_bounds.validate(alpha)
        self.smoothing = get_smoothing(smoothing)

    def losses(self, inputs: LossInputs):
        """Returns the loss of each position; see `ClassificationLoss.losses`."""
        return smoothed_ce(inputs, self.rate_at_positions(inputs), self.smoothing)

    def get_config(self) -> dict:
        """Returns the arguments of the constructor, as JSON values."""
        smoothing = keras.saving.serialize_keras_object(self.smoothing)
        return {**super().get_config(), "smoothing": smoothing}


@LOSSES.register("smoothed_cross_entropy")
@no_autograph
def smoothed_cross_entropy(
    y_true,
    y_pred,
    alpha=0.1,
    *,
    smoothing="uniform",
    from_logits: bool = False,
    ignore_class: IgnoreClass = None,
    axis: int = -1,
):
    """Computes the cross-entropy with smoothed targets, for each example.

    H(y^LS, p) = logsumexp(z) − (1 − α) z_y − α Σ_k q_k z_k

    with q_k = 1/K for uniform smoothing. For dense targets y the logsumexp is weighted by
    (1 − α) Σ_k y_k + α, so they need not sum to 1. No tensor of smoothed targets is built for
    integer labels.

    Args:
        y_true: Integer labels `(...)` or `(..., 1)`, or dense targets `(..., K)`.
        y_pred: `(..., K)` probabilities, or logits with `from_logits`. Computed in float32 or
            better, whatever their dtype.
        alpha: The mass to take off the target, in [0, 1]. With 0 it is plain cross-entropy, and
            logits of −inf (masked classes) do no harm; above 0, a class that has mass in q and a
            logit of −inf gives a loss of inf. Or a tensor, which gets no gradient: a scalar;
            `(K,)`, one per class, where the target's applies (Σ_k y_k α_k with dense targets); or
            `(..., 1)`, one per position. Or `"per-example"`: packed with `y_true` by
            `ls_keras.losses.with_alpha`. Default: 0.1.
        smoothing: `"uniform"`, `"neighborhood"`, or an object: `Uniform`, `Unigram`, `Prior`,
            `Neighborhood`. Default: `"uniform"`.
        from_logits: Whether `y_pred` holds logits. Where Keras kept the logits of a softmax
            over the last axis, they are used, as in Keras's losses; otherwise probabilities are
            normalized and clipped to [ε, 1 − ε] as in Keras. Default: `False`.
        ignore_class: A label id, or several, whose positions give 0; integer labels only.
            Default: `None`.
        axis: The axis of the classes. Default: −1.

    Returns:
        Tensor `(...)` of float32, or float64 for such predictions: nats.

    Raises:
        InputError: If alpha is no number in [0, 1], nor such numbers of one of these shapes, if
            shapes don't belong together, or if labels are out of range (in eager use).

    Example:
    ```python
    >>> import ls_keras
    >>> losses = ls_keras.smoothed_cross_entropy(
    ...     [0, 1], [[2.0, 0.0], [2.0, 0.0]], alpha=0.1, from_logits=True
    ... )
    >>> [round(float(loss), 4) for loss in losses]
    [0.2269, 2.0269]

    ```

    References:
        [Müller et al., 2019](https://arxiv.org/abs/1906.02629), section 1.1.
    """
    alpha, smoothing = ALPHA.validate_tensor(alpha), get_smoothing(smoothing)
    y_pred = as_tensor(y_pred, "y_pred")
    inputs = read_inputs(
        y_true,
        y_pred,
        from_logits=as_flag(from_logits, "from_logits"),
        ignore_class=ignore_class,
        axis=axis,
    )
    if from_logits:
        warn_if_probabilities(y_pred, axis)
    alpha = ALPHA.at_positions(alpha, inputs.targets, inputs.z)
    return mask_losses(smoothed_ce(inputs, alpha, smoothing), inputs.targets)


@no_autograph
def smooth_labels(
    y_true,
    alpha=0.1,
    num_classes: int | None = None,
    smoothing="uniform",
    *,
    ignore_class: IgnoreClass = None,
    dtype=None,
):
    """Makes dense smoothed targets, for losses that take nothing else.

    y_k^LS = (1 − α) y_k + α q_k

    Args:
        y_true: With `num_classes`, labels `(...)` of any dtype; without, dense targets `(..., K)`
            of any dtype. Of a floating dtype and K entries in the last axis, they are dense with
            `num_classes` too. (The losses decide by the rank of the predictions.)
        alpha: The mass to take off the target, in [0, 1]: a number, a scalar, `(K,)` by class or
            `(..., 1)` by position, as in `smoothed_cross_entropy`. Default: 0.1.
        num_classes: K, at least 2; needed for labels.
        smoothing: See `smoothed_cross_entropy`. Default: `"uniform"`.
        ignore_class: A label id, or several, whose positions become rows of zeros. Default:
            `None`.
        dtype: Of the result. Default: `keras.config.floatx()`.

    Returns:
        Tensor `(..., K)`.

    Raises:
        InputError: If alpha is no number in [0, 1], if K is missing or below 2, or if labels are
            out of range (in eager use).

    Example:
    ```python
    >>> import ls_keras
    >>> [round(float(y), 3) for y in ls_keras.smooth_labels(1, 0.3, num_classes=3)]
    [0.1, 0.8, 0.1]

    ```

    References:
        [Müller et al., 2019](https://arxiv.org/abs/1906.02629), section 1.1.
    """
    alpha, smoothing = ALPHA.validate_tensor(alpha), get_smoothing(smoothing)
    dtype = keras.backend.standardize_dtype(dtype or keras.config.floatx())
    tensor = as_tensor(y_true, "y_true")
    y_true = y_true if isinstance(y_true, np.ndarray) else tensor
    shape = tuple(tensor.shape)
    if num_classes is not None:
        num_classes = as_count(num_classes, "num_classes", 2, MAX_CLASSES)
    whole = "int" in keras.backend.standardize_dtype(tensor.dtype)
    if num_classes is None:
        if shape[-1:] in ((), (0,), (1,)) or (whole and not _may_be_dense(tensor)):
            raise InputError(
                "Expected num_classes for labels, or dense targets that sum to 1 over the last "
                f"axis. Received: num_classes=None, y_true of shape {shape}"
            )
    elif whole or shape[-1:] != (num_classes,):
        shape = (*shape, num_classes)
    targets = read_targets(
        y_true, keras.KerasTensor(shape), ignore_class=ignore_class, one_example=True
    )
    z = keras.KerasTensor(shape, dtype="float32")
    alpha = ALPHA.at_positions(alpha, targets, z)
    sparse = smoothed_targets(LossInputs(targets, z, True), alpha, smoothing)
    if targets.dense is not None:
        smoothed = ops.cast(targets.dense, "float32") * expand_class_axis(1 - alpha)
    else:
        one_hot = ops.one_hot(sparse.ids, shape[-1], dtype="float32")  # ... × J × K
        smoothed = ops.sum(one_hot * sparse.weights[..., None], axis=-2)
    if sparse.prior is not None:
        prior = ops.convert_to_tensor(sparse.prior, dtype="float32")
        smoothed = smoothed + expand_class_axis(alpha) * prior
    if targets.wrong is not None:
        smoothed = ops.where(targets.wrong[..., None], float("nan"), smoothed)
    if targets.valid is not None:
        smoothed = ops.where(targets.valid[..., None], smoothed, 0.0)
    return ops.cast(smoothed, dtype)


def _may_be_dense(whole) -> bool:
    """Returns whether integers `(..., K)` are rows of probabilities, as one-hot targets are."""
    known = to_numpy_or_none(whole)
    return known is not None and bool((known >= 0).all() and (known.sum(-1) == 1).all())


def smoothed_ce(inputs: LossInputs, alpha, smoothing: Smoothing):
    """Computes H(y^LS, p) for targets that give α to a smoothing: a tensor `(...)`."""
    return cross_entropy(inputs, smoothed_targets(inputs, alpha, smoothing))


def smoothed_targets(inputs: LossInputs, alpha, smoothing: Smoothing) -> SmoothedTargets:
    """Computes y^LS = (1 − α) y + α q in sparse form.

    Args:
        inputs: Targets; masked and weightless positions are no neighbors of others.
        alpha: A number, or a tensor, a scalar or `(...)`.
        smoothing: Defines q.
    """
    targets, z, _, mask, sample_weight = inputs
    if is_zero(alpha):
        distribution = TargetDistribution()
    else:
        valid = targets.valid
        if targets.labels is not None:
            for keep in (mask, sample_weight):
                if keep is not None:
                    keep = _expand_to(ops.not_equal(keep, 0), targets.labels)
                    valid = keep if valid is None else ops.logical_and(valid, keep)
        distribution = smoothing.distribution(targets.labels, valid, known_classes(z))
    if targets.labels is None:
        return SmoothedTargets(None, None, alpha, distribution.prior)
    ids = targets.labels[..., None]
    dtype = keras.backend.result_type(z.dtype, "float32")
    weights = full_like(ids, 1 - alpha, dtype)
    if distribution.ids is not None:
        ids = ops.concatenate([ids, distribution.ids], axis=-1)
        mass = alpha if isinstance(alpha, float) else full_like(distribution.ids, alpha, dtype)
        weights = ops.concatenate([weights, mass * ops.cast(distribution.weights, dtype)], axis=-1)
    return SmoothedTargets(ids, weights, alpha, distribution.prior)


def _expand_to(keep, labels):
    """Expands Booleans `(...)`, of leading axes or with a last axis of 1, to the labels' shape."""
    rank = len(labels.shape)
    if len(keep.shape) == rank + 1 and keep.shape[-1] == 1:
        keep = ops.squeeze(keep, axis=-1)
    while len(keep.shape) < rank:
        keep = ops.expand_dims(keep, axis=-1)
    return ops.broadcast_to(keep, ops.shape(labels))
