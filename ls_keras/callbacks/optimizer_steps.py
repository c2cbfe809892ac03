"""How many updates an optimizer has made, and which batches make the next."""

from typing import Any, NamedTuple

from keras import ops

from ls_keras.backend.keras_internals import batches_of


class Updates(NamedTuple):
    """How an optimizer counts.

    Attributes:
        made: Updates so far.
        each: Batches that it gathers for one.
        waiting: Batches gathered since the last one.
    """

    made: int = 0
    each: int = 1
    waiting: int = 0

    def after(self, batches: int) -> int:
        """Returns the updates once so many more batches were seen, none of them skipped.

        Example:
        >>> [Updates(made=2, each=2, waiting=1).after(batches) for batches in (0, 1, 2, 3)]
        [2, 3, 3, 4]
        """
        return self.made + (self.waiting + batches) // self.each


def updates_of(optimizer: Any) -> Updates:
    """Returns how an optimizer counts, and how far.

    An optimizer that scales losses (`LossScaleOptimizer`, which mixed float16 brings) counts those
    of the one within.

    Args:
        optimizer: A Keras optimizer.
    """
    while hasattr(optimizer, "inner_optimizer"):
        optimizer = optimizer.inner_optimizer
    each = getattr(optimizer, "gradient_accumulation_steps", None) or 1
    batches = int(ops.convert_to_numpy(batches_of(optimizer)))
    return Updates(batches // each, each, batches % each)
