"""How many updates an optimizer has made, and how many batches make one."""

from typing import Any

from keras import ops


def steps_of(optimizer: Any) -> tuple[int, int]:
    """Returns the updates of an optimizer, and the batches that it gathers for each.

    An optimizer that scales losses (`LossScaleOptimizer`, which mixed float16 brings) counts those
    of the one within.

    Args:
        optimizer: A Keras optimizer.
    """
    while hasattr(optimizer, "inner_optimizer"):
        optimizer = optimizer.inner_optimizer
    gathered = getattr(optimizer, "gradient_accumulation_steps", None) or 1
    return int(ops.convert_to_numpy(optimizer.iterations)), gathered
