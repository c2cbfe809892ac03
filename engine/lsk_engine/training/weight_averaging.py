"""The mean of the weights over the last checkpoints, see `training.average_checkpoints`."""

from collections.abc import Sequence

import keras
import numpy as np

from ls_base.errors import InputError
from lsk_engine.runs.checkpoints import Checkpoints


def steps_to_average(total: int, checkpoint_every: int, count: int) -> tuple[int, ...]:
    """Returns the last `count` steps at which a run of `total` steps saves its state.

    These are the multiples of `checkpoint_every` below `total`, and `total`. They follow from the
    configuration alone: the checkpoint of an interruption is not among them, so that a resumed run
    averages the same checkpoints.

    Args:
        total: Steps of the run, at least 1.
        checkpoint_every: Steps between checkpoints.
        count: Number of steps; 0: none.

    Raises:
        InputError: If the run has fewer.

    Example:
    >>> steps_to_average(total=13, checkpoint_every=4, count=3)
    (8, 12, 13)
    """
    steps = [*range(checkpoint_every, total, checkpoint_every), total]
    if count > len(steps):
        raise InputError(
            f"Expected at least training.average_checkpoints={count} checkpoints in the "
            f"{total} steps of the run. Received: {len(steps)}, with "
            f"training.checkpoint_every={checkpoint_every}"
        )
    return tuple(steps[len(steps) - count :])


def average_checkpoints(model: keras.Model, checkpoints: Checkpoints, steps: Sequence[int]) -> None:
    """Sets the variables of `model` to their means over checkpoints.

    Floating-point variables (weights, moving statistics of BatchNormalization) are averaged in
    float64; integers (states of seed generators) are those of the last checkpoint. The statistics
    are not recomputed for the mean weights. The optimizer is unchanged.

    Args:
        model: The model of the checkpoints.
        checkpoints: The checkpoints.
        steps: Their steps, ascending, at least one.

    Raises:
        FileError: If one is missing, unreadable, or of another model.
    """
    means: list[np.ndarray] = [np.zeros(tuple(v.shape), np.float64) for v in model.variables]
    for step in steps:
        for i, value in enumerate(checkpoints.read_model(model, step)):
            is_float = value.dtype.kind == "f"
            means[i] = means[i] + value.astype(np.float64) / len(steps) if is_float else value
    for variable, mean in zip(model.variables, means, strict=True):
        variable.assign(mean.astype(variable.dtype))
