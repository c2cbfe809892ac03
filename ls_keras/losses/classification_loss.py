"""The base of every loss here: labels that stay integers, masks, weights, reductions."""

import keras
from keras import ops

from ls_base.brief_repr import ConfigRepr
from ls_keras.backend import keras_internals
from ls_keras.backend.autograph import no_autograph
from ls_keras.inputs.logits_check import Glances
from ls_keras.inputs.targets import (
    IgnoreClass,
    plain_ignore_class,
    read_weights,
    stored_ignore_class,
)
from ls_keras.inputs.validation import as_count, as_flag
from ls_keras.losses.loss_inputs import Reading, finished, read


class ClassificationLoss(ConfigRepr, keras.losses.Loss):
    """A loss of integer or dense labels; a subclass says what the loss of a position is (`losses`).

    Ignored positions behave as masked ones, as in Keras's sparse loss; a batch in which everything
    is ignored gives 0. Sample weights have the shape `(...)` of the losses, or of their leading
    axes. Labels keep their integer dtype, so that ids survive in 16-bit training. What is wrong
    with labels or probabilities raises in eager use and makes the loss NaN in a compiled step.

    Args:
        from_logits: Whether predictions are logits. Default: `False`, as in Keras.
        ignore_class: A label id, or several, whose positions do not count. Default: `None`.
        axis: The axis of the classes. Default: −1.
        reduction: As in Keras. Default: `"sum_over_batch_size"`.
        name: Of the loss, in logs.
        dtype: Of the result; the arithmetic, sums included, is in float32 or better. Default:
            `keras.config.floatx()`.

    Raises:
        InputError: If `ignore_class` is no integer, `from_logits` no Boolean or `axis` no integer.
    """

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
        self.glances = Glances()

    def losses(self, reading: Reading):
        """Returns the loss of each position, `(...)`; what counts is seen to afterwards."""
        raise NotImplementedError

    def losses_and_valid(self, y_true, y_pred, mask=None, sample_weight=None):
        """Returns the losses `(...)` and which of them count, a Boolean tensor or `None`.

        Args:
            y_true: As the loss is called with.
            y_pred: As the loss is called with.
            mask: Of the predictions, as layers attached it, or `None`.
            sample_weight: As the loss is called with; not multiplied in.
        """
        reading = read(
            y_true,
            y_pred,
            from_logits=self.from_logits,
            ignore_class=self.ignore_class,
            axis=self.axis,
            mask=mask,
            glances=self.glances,
        )
        return finished(self.losses(reading), reading.targets), reading.targets.valid

    @no_autograph
    def __call__(self, y_true, y_pred, sample_weight=None):
        """Computes the reduced loss; Keras's own would cast labels to the loss's dtype."""
        mask = keras_internals.mask_of(y_pred)
        with keras.name_scope(self.name):
            losses, valid = self.losses_and_valid(y_true, y_pred, mask, sample_weight)
            if sample_weight is not None:
                sample_weight = read_weights(sample_weight, tuple(losses.shape))
            if mask is not None and valid is not None:
                mask = ops.logical_and(mask, valid)
            return keras_internals.reduced(
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
        """Returns the arguments of the constructor, as JSON holds them."""
        return {
            **super().get_config(),
            "from_logits": self.from_logits,
            "ignore_class": stored_ignore_class(self.ignore_class),
            "axis": int(self.axis),
            "dtype": self.dtype,
        }
