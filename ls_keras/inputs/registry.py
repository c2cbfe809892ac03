"""Finding losses and metrics by name, configuration or object, as Keras finds its own.

Keras looks names up in private tables of its own classes, so each package here has a table.
"""

import inspect
from collections.abc import Callable, Mapping
from typing import Any

import keras

from ls_base.errors import InputError, suggest
from ls_keras.inputs.validation import shown


def named(identifier, options: dict[str, Any], table: Mapping[str, Callable], kind: str) -> Any:
    """Returns what a name, a configuration or an object stands for.

    Args:
        identifier: A name of the table, what Keras's `serialize` returned, or an object.
        options: Arguments of the class that a name stands for.
        table: Classes and functions by name. A class is called, a function is returned.
        kind: What it is to be, for messages: "a loss".

    Raises:
        InputError: If there is no such name, if the class doesn't take the options, or if
            something else than a name comes with options.
    """
    if isinstance(identifier, str):
        if identifier not in table:
            raise InputError(f"Expected the name of {kind}. {suggest(identifier, table)}")
        made = table[identifier]
        return _made(made, options) if inspect.isclass(made) else _function(made, options)
    if options:
        raise InputError(
            f"Expected options beside the name of {kind} only. Received: {shown(identifier)} with "
            f"{', '.join(options)}"
        )
    return from_config(identifier, kind) if isinstance(identifier, dict) else identifier


def from_config(config, kind: str, custom_objects: dict | None = None) -> Any:
    """Returns the object of a configuration that Keras wrote.

    Args:
        config: What `serialize` returned.
        kind: What it is to be, for messages: "a loss".
        custom_objects: Classes by name, for those that are not registered.

    Raises:
        InputError: If it is none.
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
    except Exception as error:  # Keras's own for what is no configuration differ from case to case
        raise InputError(
            f"Expected the configuration of {kind}. Received: {shown(config)}"
        ) from error


def _made(made: Callable, options: dict[str, Any]) -> Any:
    signature = inspect.signature(made)
    try:
        signature.bind(**options)
    except TypeError as error:
        taken = ", ".join(signature.parameters)
        raise InputError(
            f"Expected options of {made.__name__}({taken}): {error}. "
            f"Received: {', '.join(options) or 'none'}"
        ) from error
    return made(**options)


def _function(function: Callable, options: dict[str, Any]) -> Callable:
    if options:
        raise InputError(
            f"Expected no options of {function.__name__}, which takes them when it is called. "
            f"Received: {', '.join(options)}"
        )
    return function
