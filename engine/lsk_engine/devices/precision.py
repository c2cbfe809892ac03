"""Numeric precision: the dtype policy, and loss scaling for float16."""

import contextlib
from collections.abc import Iterator

import keras

from lsk_engine.devices.keras_patches import SyncedLossScaleOptimizer
from lsk_engine.devices.replicas import num_replicas


@contextlib.contextmanager
def precision(policy: str) -> Iterator[None]:
    """Sets Keras's global dtype policy while the block runs.

    Args:
        policy: Name of a policy, such as `mixed_float16`.
    """
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy(policy)
    try:
        yield
    finally:
        keras.config.set_dtype_policy(before)


def with_loss_scaling(optimizer: keras.optimizers.Optimizer) -> keras.optimizers.Optimizer:
    """Returns an optimizer as `compile` takes it under the current precision and strategy.

    Args:
        optimizer: An optimizer without loss scaling.
    """
    if num_replicas() == 1 or keras.config.dtype_policy().name != "mixed_float16":
        return optimizer  # Keras itself adds loss scaling where it is needed
    return SyncedLossScaleOptimizer(optimizer)
