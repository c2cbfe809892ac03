"""Whether a model is compiled with XLA, and how a replica's part of a step is."""

from collections.abc import Callable

import keras

from ls_base.errors import InputError
from lsk_engine.devices.replicas import num_replicas
from lsk_engine.settings.config import Config


def jit_compile(config: Config) -> bool | str:
    """Returns what to pass to `compile`: Keras decides unless the configuration does."""
    chosen = config.training.jit_compile
    if keras.config.backend() == "torch":
        return bool(chosen)
    if num_replicas() > 1:  # of all replicas' variables, which fails: see `in_each_replica`
        return False
    return "auto" if chosen is None else chosen


def compiles_replicas(config: Config) -> bool:
    """Returns whether each replica's part of a step is compiled: only where one asks for it.

    Raises:
        InputError: If layers are to sum over the replicas in it.
    """
    if num_replicas() == 1 or config.training.jit_compile is not True:
        return False
    if config.training.sync_batch_norm:
        raise InputError(
            "Expected training.jit_compile=false with training.sync_batch_norm=true on several "
            "replicas: XLA compiles each by itself, and can't sum over all. Received: both true"
        )
    return True


def in_each_replica(function: Callable) -> Callable:
    """Returns a function of tensors that XLA compiles for the replica that it is called in.

    A program of XLA's has the variables of one device. So each replica has a function of its own:
    one that is traced for the first refers to its variables in all. What replicas sum has to stay
    outside.
    """
    import tensorflow as tf

    def call(*arguments):
        return tf.function(function, jit_compile=True, autograph=False)(*arguments)

    return call
