"""Counts the updates of an optimizer, also with gradient accumulation."""

from typing import Any, NamedTuple

from keras import ops

from ls_keras.backend.keras_internals import batches_of


class UpdateCounter(NamedTuple):
    """The updates of an optimizer, and the batches for the next one.

    Attributes:
        made: Updates so far.
        each: Batches per update.
        waiting: Batches accumulated since the last update.
    """

    made: int = 0
    each: int = 1
    waiting: int = 0

    def after(self, batches: int) -> int:
        """Returns the number of updates after some more batches.

        Example:
        >>> [UpdateCounter(made=2, each=2, waiting=1).after(batches) for batches in (0, 1, 2, 3)]
        [2, 3, 3, 4]
        """
        return self.made + (self.waiting + batches) // self.each


def count_updates(optimizer: Any) -> UpdateCounter:
    """Returns the updates of a Keras optimizer.

    `LossScaleOptimizer`, which mixed float16 uses, wraps an optimizer that counts them.
    """
    while hasattr(optimizer, "inner_optimizer"):
        optimizer = optimizer.inner_optimizer
    each = getattr(optimizer, "gradient_accumulation_steps", None) or 1
    batches = int(ops.convert_to_numpy(batches_of(optimizer)))
    return UpdateCounter(batches // each, each, batches % each)
