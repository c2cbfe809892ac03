"""The base class of the losses: reading labels and predictions, masks, weights, reductions."""

import numbers
from typing import Any, ClassVar, NamedTuple

import keras
from keras import ops

from ls_base.brief_repr import SharedArguments
from ls_keras.backend.autograph import no_autograph
from ls_keras.backend.tensors import (
    as_tensor,
    in_shape_inference,
    is_linear_output,
    mask_of,
    recover_logits,
    reduce_losses,
    to_numpy_or_none,
)
from ls_keras.backend.warnings import warn_in_graph
from ls_keras.errors import InputError, shown
from ls_keras.inputs.logits_check import warn_if_probabilities
from ls_keras.inputs.targets import (
    IgnoreClass,
    Targets,
    nan_where_invalid,
    plain_ignore_class,
    read_targets,
    stored_ignore_class,
)
from ls_keras.inputs.validation import as_count, as_flag
from ls_keras.inputs.weights import read_weights
from ls_keras.losses.alpha import RateBounds, rate_config, refuse_alpha

_TOLERANCE = 1e-3  # by which rounding may move a probability below 0


class LossInputs(NamedTuple):
    """Labels and predictions of a loss, with the classes on the last axis.

    Attributes:
        targets: Labels `(...)` or dense targets `(..., K)`.
        z: Tensor `(..., K)` of float32 or better: logits, or logarithms of probabilities.
        normalize: Whether z are logits, whose logsumexp is still to be subtracted.
        mask: Boolean tensor `(...)` of positions that count, or `None`.
        sample_weight: Tensor `(...)`, or with axes of size 1, or `None`.
    """

    targets: Targets
    z: Any
    normalize: bool
    mask: Any = None
    sample_weight: Any = None


class ClassificationLoss(SharedArguments, keras.losses.Loss):
    """Base class of losses of integer or dense labels; a subclass implements `losses`.

    Ignored positions behave as masked ones, as in Keras's sparse loss; a batch in which everything
    is ignored gives 0. Sample weights have the shape `(...)` of the losses, or of their leading
    axes. Labels keep their integer dtype, so that ids survive in 16-bit training. Wrong labels or
    probabilities raise in eager use; in a compiled step they make the loss NaN, and TensorFlow
    warns of them unless XLA compiles the step.

    A subclass whose constructor ends in `**options` takes these arguments as well; they appear in
    its signature.

    Args:
        from_logits: Whether predictions are logits. Default: `False`, as in Keras.
        ignore_class: A label id, or several, whose positions do not count; integer labels only.
            Default: `None`.
        axis: The axis of the classes. Default: −1.
        reduction: As in Keras. Default: `"sum_over_batch_size"`.
        name: Name of the loss in logs. Default: the registered name of the class.
        dtype: Dtype of the result; computed in float32 or better, including sums. Default:
            `keras.config.floatx()`.

    Raises:
        InputError: If `ignore_class` is not an integer, or several, `from_logits` not a Boolean or
            `axis` not an integer.
    """

    rate_bounds: ClassVar[RateBounds | None] = None  # of the rate that `AlphaSchedule` can set

    def __init__(
        self,
        *,
        from_logits: bool = False,
        ignore_class: IgnoreClass = None,
        axis: int = -1,
        reduction: str | None = "sum_over_batch_size",
        name: str | None = None,
        dtype=None,
    ):
        super().__init__(name=name, reduction=reduction, dtype=dtype)
        self.from_logits = as_flag(from_logits, "from_logits")
        self.ignore_class = plain_ignore_class(ignore_class)
        self.axis = as_count(axis, "axis", -(2**31))
        self._checked = False  # whether predictions were checked to be logits

    def losses(self, inputs: LossInputs):
        """Returns the loss of each position, `(...)`; ignored positions may have any value."""
        raise NotImplementedError

    def losses_and_valid(self, y_true, y_pred, mask=None, sample_weight=None):
        """Returns the losses `(...)` and which of them count, a Boolean tensor or `None`.

        Args:
            y_true: As the loss is called with.
            y_pred: As the loss is called with.
            mask: Of the predictions, as layers attached it, or `None`.
            sample_weight: As the loss is called with; not multiplied in.
        """
        y_pred = as_tensor(y_pred, "y_pred")
        check_axis(self.axis, len(y_pred.shape))
        self.check_logits(y_pred)
        inputs = read_inputs(
            y_true,
            y_pred,
            from_logits=self.from_logits,
            ignore_class=self.ignore_class,
            axis=self.axis,
            mask=mask,
            sample_weight=sample_weight,
            warn=True,
        )
        if self.rate_bounds is None:
            refuse_alpha(inputs.targets, "a rate")
        return mask_losses(self.losses(inputs), inputs.targets), inputs.targets.valid

    def rate_at_positions(self, inputs: LossInputs):
        """Returns the loss's rate at each position: a number, or a tensor, a scalar or `(...)`."""
        bounds = self.rate_bounds or RateBounds()
        rate = getattr(self, bounds.name)
        if isinstance(rate, float) and inputs.targets.alpha is None:
            return rate
        return bounds.at_positions(rate, inputs.targets, inputs.z)

    def check_logits(self, y_pred, *, multi_label: bool = False) -> None:
        """Checks the first predictions for what `from_logits` says of them.

        Args:
            y_pred: A tensor.
            multi_label: Whether each entry is the output of a sigmoid.

        Raises:
            InputError: If the output of a linear layer is passed as probabilities, which
                TensorFlow's graph shows.
        """
        if self._checked:
            return
        self._checked = not (isinstance(y_pred, keras.KerasTensor) or in_shape_inference())
        if self.from_logits:
            warn_if_probabilities(y_pred, self.axis, multi_label=multi_label)
        elif is_linear_output(y_pred):
            end = "sigmoid" if multi_label else "softmax"
            raise InputError(
                "Expected probabilities, as from_logits=False says. Received: the output of a "
                f"linear layer, which are logits. Pass from_logits=True to {type(self).__name__}, "
                f"or end the model in a {end}"
            )

    @no_autograph
    def __call__(self, y_true, y_pred, sample_weight=None):
        """Computes the reduced loss; Keras's own would cast labels to the loss's dtype."""
        mask = mask_of(y_pred)
        with keras.name_scope(self.name):
            losses, valid = self.losses_and_valid(y_true, y_pred, mask, sample_weight)
            if sample_weight is not None:
                sample_weight = read_weights(sample_weight, tuple(losses.shape))
            if mask is not None and valid is not None:
                mask = ops.logical_and(mask, valid)
            return reduce_losses(
                losses,
                sample_weight=sample_weight,
                mask=valid if mask is None else mask,
                reduction=self.reduction,
                dtype=self.dtype,
            )

    @no_autograph
    def call(self, y_true, y_pred):
        """Computes the loss of each example."""
        return self.losses_and_valid(y_true, y_pred)[0]

    def get_config(self) -> dict:
        """Returns the arguments of the constructor, as JSON values."""
        bounds = self.rate_bounds
        rate = {} if bounds is None else {bounds.name: rate_config(getattr(self, bounds.name))}
        return {
            **super().get_config(),
            "from_logits": self.from_logits,
            "ignore_class": stored_ignore_class(self.ignore_class),
            "axis": int(self.axis),
            "dtype": self.dtype,
            **rate,
        }


def read_inputs(
    y_true,
    y_pred,
    *,
    from_logits: bool,
    ignore_class: IgnoreClass,
    axis: int = -1,
    mask=None,
    sample_weight=None,
    warn: bool = False,
) -> LossInputs:
    """Reads the arguments of a loss, and checks their values in eager use.

    Args:
        y_true: Integer labels `(...)` or `(..., 1)`, or dense targets `(..., K)`.
        y_pred: Tensor `(..., K)`: probabilities or logits.
        from_logits: Whether `y_pred` holds logits.
        ignore_class: A label id, or several, whose positions do not count; integer labels only.
        axis: The axis of the classes.
        mask: Boolean tensor `(...)` or `None`; masked predictions may have any value.
        sample_weight: Of the shape of the losses, or of their leading axes, or `None`.
        warn: Whether a compiled step of TensorFlow warns of wrong values.

    Raises:
        InputError: If shapes don't fit or, in eager use, if labels are out of range or `y_pred`
            holds no probabilities.
    """
    y_pred = as_tensor(y_pred, "y_pred")
    check_axis(axis, len(y_pred.shape))
    z, from_logits = recover_logits(y_pred, from_logits, axis)
    z = ops.cast(z, keras.backend.result_type(z.dtype, "float32"))
    rank = len(z.shape)
    if axis % rank != rank - 1:
        y_true, z = as_tensor(y_true, "y_true"), ops.moveaxis(z, axis, -1)
        if len(y_true.shape) == rank:
            y_true = ops.moveaxis(y_true, axis, -1)
    targets = read_targets(y_true, z, ignore_class=ignore_class, warn=warn)
    if sample_weight is not None:
        sample_weight = read_weights(sample_weight, tuple(z.shape[:-1]))
    if not from_logits:
        kept = [
            ops.cast(ops.reshape(keep, ops.shape(z)[:-1]), "bool")
            for keep in (targets.valid, mask)
            if keep is not None
        ]
        z = _check_probabilities(z, kept, warn)
        for keep in kept:  # a NaN there would survive multiplication by a gradient of 0
            z = ops.where(keep[..., None], z, 1.0)
        epsilon = keras.config.epsilon()
        z = ops.log(ops.clip(z / ops.sum(z, axis=-1, keepdims=True), epsilon, 1 - epsilon))
    return LossInputs(targets, z, from_logits, mask, sample_weight)


def mask_losses(losses, targets: Targets):
    """Returns losses `(...)` with NaN where a label is out of range, and 0 where it is ignored."""
    losses = nan_where_invalid(losses, targets)
    return losses if targets.valid is None else ops.where(targets.valid, losses, 0.0)


def logits_of_valid(inputs: LossInputs):
    """Returns z with 1 at ignored positions, which may hold NaN.

    A loss of 0 there is not enough: NaN times a gradient of 0 is NaN.
    """
    valid = inputs.targets.valid
    return inputs.z if valid is None else ops.where(valid[..., None], inputs.z, 1.0)


def check_axis(axis: int, rank: int) -> None:
    """Raises an `InputError` unless a tensor of this rank has the axis."""
    is_integer = isinstance(axis, numbers.Integral) and not isinstance(axis, bool)
    if not is_integer or not -rank <= axis < rank:
        raise InputError(f"Expected axis in [{-rank}, {rank}). Received: axis={shown(axis)}")


def _check_probabilities(p, kept: list, warn: bool):
    """Raises an `InputError` if p are no probabilities; in a graph, returns NaN there.

    Like Keras, the losses normalize them afterwards, so their sum may be anything above 0.
    """
    if 0 in tuple(p.shape):  # Keras has no minimum of an empty tensor
        return p
    wrong = ops.logical_or(ops.min(p, axis=-1) < -_TOLERANCE, ops.sum(p, axis=-1) <= 0)
    for keep in kept:
        wrong = ops.logical_and(wrong, keep)
    known = to_numpy_or_none(wrong)
    if known is None:
        if warn:
            warn_in_graph(wrong, _not_probabilities)
        return ops.where(wrong[..., None], float("nan"), p)
    if known.any():
        raise InputError(_not_probabilities(known))
    return p


def _not_probabilities(wrong) -> str:
    return (
        "Expected probabilities of at least 0, with a sum above 0; for logits pass "
        f"from_logits=True. Received: y_pred with {int(wrong.sum())} of {wrong.size} examples "
        "that are not probabilities"
    )
