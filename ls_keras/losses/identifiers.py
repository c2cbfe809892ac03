"""Smoothings by name, configuration or object, as Keras has its losses."""

import keras

from ls_base.errors import InputError
from ls_keras.arguments import shown
from ls_keras.losses.neighborhood import Neighborhood
from ls_keras.losses.priors import Uniform
from ls_keras.losses.smoothing import Smoothing


def serialize(smoothing: Smoothing) -> dict:
    """Returns the configuration that `deserialize` reads.

    Args:
        smoothing: A smoothing.

    Example:
    ```python
    >>> from ls_keras.losses import Uniform, deserialize, serialize
    >>> deserialize(serialize(Uniform(exclude=[0])))
    Uniform(exclude=[0])

    ```
    """
    if not isinstance(smoothing, Smoothing):
        raise InputError(f"Expected a smoothing. Received: {shown(smoothing)}")
    return keras.saving.serialize_keras_object(smoothing)


def deserialize(config: dict, custom_objects: dict | None = None) -> Smoothing:
    """Returns the smoothing that `serialize` wrote.

    Args:
        config: What `serialize` returned.
        custom_objects: Classes by name, for those that are not registered.
    """
    if not isinstance(config, dict) or not isinstance(custom_objects, dict | None):
        raise InputError(
            "Expected the configuration of a smoothing, and custom_objects by name. "
            f"Received: {shown(config)}, {shown(custom_objects)}"
        )
    try:
        return keras.saving.deserialize_keras_object(config, custom_objects=custom_objects)
    except InputError:
        raise
    except Exception as error:  # Keras's own for what is no configuration differ from case to case
        raise InputError(
            f"Expected the configuration of a smoothing. Received: {shown(config)}"
        ) from error


def get(identifier) -> Smoothing:
    """Returns a smoothing by name, configuration or object.

    Args:
        identifier: `"uniform"`, `"neighborhood"`, what `serialize` returned, or a `Smoothing`
            (`Unigram` and `Prior` need their arguments, so they have no name).

    Raises:
        InputError: If there is no such smoothing.

    Example:
    ```python
    >>> from ls_keras.losses import get
    >>> get("neighborhood")
    Neighborhood(weights=[5.0, 2.0])

    ```
    """
    if isinstance(identifier, Smoothing):
        return identifier
    if isinstance(identifier, dict):
        smoothing = deserialize(identifier)
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
