"""Whether a model is compiled with XLA."""

import keras

from lsk_engine.devices.replicas import num_replicas
from lsk_engine.settings.config import Config


def jit_compile(config: Config) -> bool | str:
    """Returns what to pass to `compile`: Keras decides unless the configuration does."""
    chosen = config.training.jit_compile
    if keras.config.backend() == "torch":
        return bool(chosen)
    if num_replicas() > 1:  # fails in TensorFlow: variables of another device
        return False
    return "auto" if chosen is None else chosen
