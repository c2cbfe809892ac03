"""Registries of losses, metrics and layers: a decorated class is found by name and serializable.

    @LOSSES.register("my_loss")
    class MyLoss(ClassificationLoss): ...

Keras finds its own classes in private tables, so the library needs tables of its own. The tests go
through them, too.
"""

import inspect
from collections.abc import Callable
from typing import Any, TypeVar

import keras

from ls_base.errors import suggest
from ls_keras.errors import InputError, shown

_Entry = TypeVar("_Entry", bound=Callable)


class Registry:
    """The classes and functions of one kind, by name.

    Attributes:
        kind: The kind with its article, for messages: "a metric".
        bases: The classes that its objects are instances of.
        entries: The classes and functions by name, in the order of their registration.
    """

    def __init__(self, kind: str, *bases: type):
        self.kind = kind
        self.bases = list(bases)
        self.entries: dict[str, Callable] = {}

    def register(self, name: str) -> Callable[[_Entry], _Entry]:
        """Returns a decorator that adds a class or function, and registers it with Keras."""

        def decorate(entry: _Entry) -> _Entry:
            self.entries[name] = entry
            return keras.saving.register_keras_serializable(package="ls_keras")(entry)

        return decorate

    def get(self, identifier, options: dict[str, Any] | None = None) -> Any:
        """Returns the object for a name, a configuration or an object.

        Args:
            identifier: A registered name, a configuration that Keras serialized, or an object.
            options: Arguments of the class with this name.

        Raises:
            InputError: If the name is unknown, if the class doesn't take the options, if options
                are given with something else than a class's name, or if the object is of another
                kind.
        """
        options = options or {}
        if isinstance(identifier, str):
            if identifier not in self.entries:
                raise InputError(
                    f"Expected the name of {self.kind}. {suggest(identifier, self.entries)}"
                )
            entry = self.entries[identifier]
            if inspect.isclass(entry):
                return _call(entry, options)
        else:
            is_config = isinstance(identifier, dict)
            entry = deserialize(identifier, self.kind) if is_config else identifier
        if options:
            raise InputError(
                f"Expected options only with the name of a class. Received: {shown(identifier)} "
                f"with {', '.join(options)}"
            )
        return self.check(entry, identifier)

    def check(self, entry, identifier=None) -> Any:
        """Returns an object of this kind, or raises an `InputError` that shows the identifier."""
        if isinstance(entry, tuple(self.bases)) or inspect.isfunction(entry):
            return entry
        raise InputError(
            f"Expected {self.kind}: its name, configuration or object. Received: "
            f"{shown(entry if identifier is None else identifier)}"
        )


LOSSES = Registry("a loss or smoothing", keras.losses.Loss)
METRICS = Registry("a metric", keras.metrics.Metric)
LAYERS = Registry("a layer", keras.layers.Layer)


def deserialize(config, kind: str, custom_objects: dict | None = None) -> Any:
    """Returns the object of a configuration that Keras serialized.

    Args:
        config: The configuration.
        kind: What it should describe, for messages: "a loss".
        custom_objects: Classes by name, for those that are not registered.

    Raises:
        InputError: If it is not such a configuration.
    """
    if not isinstance(config, dict) or not isinstance(custom_objects, dict | None):
        raise InputError(
            f"Expected the configuration of {kind}, and custom_objects by name. "
            f"Received: {shown(config)}, {shown(custom_objects)}"
        )
    try:
        return keras.saving.deserialize_keras_object(config, custom_objects=custom_objects)
    except InputError:
        raise
    except Exception as error:  # Keras raises different errors for different wrong dictionaries
        raise InputError(
            f"Expected the configuration of {kind}. Received: {shown(config)}"
        ) from error


def _call(cls: Callable, options: dict[str, Any]) -> Any:
    signature = inspect.signature(cls)
    try:
        signature.bind(**options)
    except TypeError as error:
        raise InputError(
            f"Expected options of {cls.__name__}({', '.join(signature.parameters)}): {error}. "
            f"Received: {', '.join(options) or 'none'}"
        ) from error
    return cls(**options)
