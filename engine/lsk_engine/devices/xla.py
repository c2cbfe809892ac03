"""XLA: whether a model is compiled, and how a replica's part of a step is."""

from collections.abc import Callable

import keras

from ls_base.errors import InputError
from lsk_engine.devices.replicas import num_replicas
from lsk_engine.settings.config import Config


def jit_compile(config: Config) -> bool | str:
    """Returns the argument `jit_compile` of `compile`: Keras's choice unless configured.

    Args:
        config: The run's configuration.
    """
    wanted = config.training.jit_compile
    if keras.config.backend() == "torch":
        return bool(wanted)
    if num_replicas() > 1:  # a program of XLA cannot span replicas, see `compile_in_replica`
        return False
    return "auto" if wanted is None else wanted


def compiles_replicas(config: Config) -> bool:
    """Returns whether XLA compiles each replica's part of a step, which must be asked for.

    Args:
        config: The run's configuration.

    Raises:
        InputError: If layers have to sum over replicas within a step.
    """
    if num_replicas() == 1 or config.training.jit_compile is not True:
        return False
    if config.training.sync_batch_norm:
        raise InputError(
            "Expected training.jit_compile=false with training.sync_batch_norm=true on several "
            "replicas: XLA compiles each replica by itself and cannot sum over them. "
            "Received: both true"
        )
    return True


def compile_in_replica(function: Callable) -> Callable:
    """Returns a function of tensors that XLA compiles for the replica in which it is called.

    A program of XLA has the variables of one device, so each replica needs its own: one traced for
    the first replica would use that one's variables in all. Sums over replicas must stay outside.

    Args:
        function: A function of tensors.
    """
    import tensorflow as tf

    def call(*arguments):
        return tf.function(function, jit_compile=True, autograph=False)(*arguments)

    return call
