"""Smoothed cross-entropy and smoothed targets, as functions."""

import keras
import numpy as np
from keras import ops

from ls_base.errors import InputError
from ls_keras.backend.autograph import no_autograph
from ls_keras.backend.tracing import concrete
from ls_keras.inputs.targets import IgnoreClass, Targets, read_targets, read_weights
from ls_keras.inputs.validation import MAX_CLASSES, as_count, as_tensor
from ls_keras.losses import smoothing_registry as smoothings
from ls_keras.losses.closed_form import Mixture, cross_entropy
from ls_keras.losses.loss_inputs import finished, known_classes, read
from ls_keras.losses.rate import ALPHA, by_class, filled, is_zero
from ls_keras.losses.smoothing import Spread


@keras.saving.register_keras_serializable(package="ls_keras")
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
            `(K,)`, of which α is that of the target's class (Σ_k y_k α_k of dense targets); or
            `(..., 1)`, one for each position. Or `"per-example"`: it comes with `y_true`, see
            `ls_keras.losses.with_alpha`. Default: 0.1.
        smoothing: `"uniform"`, `"neighborhood"`, or an object: `Uniform`, `Unigram`, `Prior`,
            `Neighborhood`. Default: `"uniform"`.
        from_logits: Whether `y_pred` holds logits. Where Keras kept the logits of a softmax
            output, they are used, as in Keras's own losses; else probabilities are normalized and
            clipped to [ε, 1 − ε] as Keras does. Default: `False`.
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
    losses, _ = losses_and_valid(
        y_true,
        y_pred,
        ALPHA.tensor(alpha),
        smoothings.get(smoothing),
        from_logits=from_logits,
        ignore_class=ignore_class,
        axis=axis,
    )
    return losses


def losses_and_valid(
    y_true,
    y_pred,
    alpha,
    smoothing,
    *,
    from_logits,
    ignore_class,
    axis,
    mask=None,
    sample_weight=None,
    glances=None,
):
    """Returns the losses `(...)` and which of them count, for `SmoothedCE`.

    Args:
        y_true: See `smoothed_cross_entropy`.
        y_pred: See `smoothed_cross_entropy`.
        alpha: As `Bounds.at_positions` takes it.
        smoothing: A `Smoothing`.
        from_logits: See `smoothed_cross_entropy`.
        ignore_class: See `smoothed_cross_entropy`.
        axis: See `smoothed_cross_entropy`.
        mask: Boolean tensor `(...)` or `None`; a masked position is nobody's neighbor, but still
            has a loss, as in Keras.
        sample_weight: Tensor of the shape of the losses, or of its leading axes, or `None`; a
            position of weight 0 is nobody's neighbor either.
        glances: See `ls_keras.losses.loss_inputs.read`.

    Returns:
        Losses, and a Boolean tensor `(...)` or `None`.
    """
    reading = read(
        y_true,
        y_pred,
        from_logits=from_logits,
        ignore_class=ignore_class,
        axis=axis,
        mask=mask,
        glances=glances,
    )
    targets, z, _ = reading
    alpha = ALPHA.at_positions(alpha, targets, z)
    if sample_weight is not None:
        sample_weight = read_weights(sample_weight, tuple(z.shape[:-1]))
    mixture = mixture_of(targets, alpha, smoothing, z, mask, sample_weight)
    return finished(cross_entropy(reading, mixture), targets), targets.valid


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
            `num_classes` too. (The losses tell by the rank of the predictions.)
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
    alpha, smoothing = ALPHA.tensor(alpha), smoothings.get(smoothing)
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
    mixture = mixture_of(targets, alpha, smoothing, z)
    if targets.dense is not None:
        smoothed = ops.cast(targets.dense, "float32") * by_class(1 - alpha)
    else:
        one_hot = ops.one_hot(mixture.ids, shape[-1], dtype="float32")  # ... × J × K
        smoothed = ops.sum(one_hot * mixture.weights[..., None], axis=-2)
    if mixture.prior is not None:
        prior = ops.convert_to_tensor(mixture.prior, dtype="float32")
        smoothed = smoothed + by_class(alpha) * prior
    if targets.wrong is not None:
        smoothed = ops.where(targets.wrong[..., None], float("nan"), smoothed)
    if targets.valid is not None:
        smoothed = ops.where(targets.valid[..., None], smoothed, 0.0)
    return ops.cast(smoothed, dtype)


def _may_be_dense(whole) -> bool:
    """Returns whether integers `(..., K)` are rows of probabilities, as one-hot targets are."""
    known = concrete(whole)
    return known is not None and bool((known >= 0).all() and (known.sum(-1) == 1).all())


def mixture_of(targets: Targets, alpha, smoothing, z, mask=None, sample_weight=None) -> Mixture:
    """Joins the target and the smoothing into the classes and the prior that get mass."""
    valid = targets.valid
    if targets.labels is not None:
        for keep in (mask, sample_weight):
            if keep is not None:
                keep = _on_positions(ops.not_equal(keep, 0), targets.labels)
                valid = keep if valid is None else ops.logical_and(valid, keep)
    num_classes = known_classes(z)
    spread = Spread() if is_zero(alpha) else smoothing.spread(targets.labels, valid, num_classes)
    if targets.labels is None:
        return Mixture(None, None, alpha, spread.prior)
    ids = targets.labels[..., None]
    dtype = keras.backend.result_type(z.dtype, "float32")
    weights = filled(ids, 1 - alpha, dtype)
    if spread.ids is not None:
        ids = ops.concatenate([ids, spread.ids], axis=-1)
        mass = alpha if isinstance(alpha, float) else filled(spread.ids, alpha, dtype)
        weights = ops.concatenate([weights, mass * ops.cast(spread.weights, dtype)], axis=-1)
    return Mixture(ids, weights, alpha, spread.prior)


def _on_positions(keep, labels):
    """Gives Booleans `(...)`, of leading axes or with a last axis of 1, the shape of the labels."""
    rank = len(labels.shape)
    if len(keep.shape) == rank + 1 and keep.shape[-1] == 1:
        keep = ops.squeeze(keep, axis=-1)
    while len(keep.shape) < rank:
        keep = ops.expand_dims(keep, axis=-1)
    return ops.broadcast_to(keep, ops.shape(labels))
