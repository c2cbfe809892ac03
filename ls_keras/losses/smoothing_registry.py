"""Smoothings by name, configuration or object, for the losses that take one."""

import keras

from ls_base.errors import InputError
from ls_keras.inputs.registry import from_config
from ls_keras.inputs.validation import shown
from ls_keras.losses.neighborhood import Neighborhood
from ls_keras.losses.priors import Uniform
from ls_keras.losses.smoothing import Smoothing


def serialize(smoothing: Smoothing) -> dict:
    """Returns the configuration that `get` reads."""
    return keras.saving.serialize_keras_object(smoothing)


def get(identifier) -> Smoothing:
    """Returns a smoothing by name, configuration or object.

    Args:
        identifier: `"uniform"`, `"neighborhood"`, what `serialize` returned, or a `Smoothing`
            (`Unigram` and `Prior` need their arguments, so a name is not enough).

    Raises:
        InputError: If there is no such smoothing.
    """
    if isinstance(identifier, Smoothing):
        return identifier
    if isinstance(identifier, dict):
        smoothing = from_config(identifier, "a smoothing")
        if isinstance(smoothing, Smoothing):
            return smoothing
    elif not isinstance(identifier, str):
        pass
    elif identifier == "uniform":
        return Uniform()
    elif identifier == "neighborhood":
        return Neighborhood()
    elif identifier in ("unigram", "prior"):
        example = "Unigram(counts)" if identifier == "unigram" else "Prior(probabilities)"
        raise InputError(
            f"Expected the object ls_keras.{example}, which needs its argument. "
            f"Received: smoothing={identifier!r}"
        )
    raise InputError(
        "Expected smoothing to be 'uniform', 'neighborhood', or an object such as "
        f"ls_keras.Unigram(counts). Received: {shown(identifier)}"
    )
