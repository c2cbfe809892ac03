"""Finding losses and smoothings by name or configuration, and serializing them."""

import inspect

import keras

from ls_keras.errors import InputError, shown
from ls_keras.inputs.registry import LOSSES
from ls_keras.inputs.registry import deserialize as deserialize_config
from ls_keras.losses.smoothings import Smoothing


def get(identifier, **options):
    """Returns a loss, or a smoothing, by name, configuration or object.

    Keras's `get`, and strings in `compile`, accept Keras's own names only, so write
    `compile(loss=ls_keras.losses.get("smoothed_ce", from_logits=True))`. Use it for configurations,
    too, since `compile` reads a dictionary as one loss per output.

    The name of a class is its name in snake case: `"smoothed_ce"`, `"max_sup"`, `"uniform"`;
    `"unigram"` needs `counts`, `"prior"` needs `probabilities`. Functions have their own names.

    Args:
        identifier: One of these names; a configuration from `serialize` or
            `keras.losses.serialize`; or a loss, smoothing or function, which is returned unchanged.
        **options: Arguments of the class with this name.

    Raises:
        InputError: If the name is unknown (the message has near matches), if the class doesn't
            take the options, or if the identifier is something else.

    Example:
    ```python
    >>> import ls_keras
    >>> for name in ("smoothed_ce", "max_sup", "focal_ce"):
    ...     loss = ls_keras.losses.get(name, from_logits=True)
    ...     print(name, round(float(loss([0], [[2.0, 0.0]])), 4))
    smoothed_ce 0.2269
    max_sup 0.2269
    focal_ce 0.0002
    >>> ls_keras.losses.get("neighborhood")
    Neighborhood(weights=[5.0, 2.0])
    >>> ls_keras.losses.get("smooth_ce")
    Traceback (most recent call last):
    ls_base.errors.InputError: Expected the name of a loss or smoothing. Near matches: ...

    ```
    """
    return LOSSES.get(identifier, options)


def serialize(value) -> dict:
    """Returns a configuration, which `deserialize` and `get` read.

    Args:
        value: A loss, a smoothing, or a registered function such as `smoothed_cross_entropy`.

    Raises:
        InputError: If it is something else.

    Example:
    ```python
    >>> from ls_keras.losses import Uniform, deserialize, serialize
    >>> deserialize(serialize(Uniform(exclude=[0])))
    Uniform(exclude=[0])

    ```
    """
    function = inspect.isfunction(value) and _is_registered(value)
    if not isinstance(value, keras.losses.Loss | Smoothing) and not function:
        raise InputError(
            f"Expected {LOSSES.kind}, or a registered function. Received: {shown(value)}"
        )
    return keras.saving.serialize_keras_object(value)


def deserialize(config: dict, custom_objects: dict | None = None):
    """Returns the loss, smoothing or function of a configuration.

    Args:
        config: A configuration from `serialize`.
        custom_objects: Classes by name, for those that are not registered.

    Raises:
        InputError: If it is something else.
    """
    return LOSSES.check(deserialize_config(config, LOSSES.kind, custom_objects), config)


def _is_registered(function) -> bool:
    name = keras.saving.get_registered_name(function)
    return keras.saving.get_registered_object(name) is function
