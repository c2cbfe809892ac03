"""The function that builds the model, as the run began with it."""

import contextlib
from collections.abc import Callable
from typing import Any

import keras

from ls_base.errors import short_repr
from lsk_engine import InputError
from lsk_engine.keras_model.config import PYTHON, ModelConfig
from lsk_engine.settings.user_code import NamedCode


def load_builder(options: ModelConfig) -> Callable[[], Any]:
    """Imports the function that builds a model.

    Args:
        options: Which, and the SHA-256 of its file.

    Raises:
        InputError: If it can't be imported, was named by nobody on this machine, belongs to a
            Python program, or its file is not what it was when the run began.
    """
    named = NamedCode.read(options.name)
    if named is None:
        raise InputError(
            "Expected a model that a file builds: runs that a Python program made go on in it "
            f"(lsk_engine.smoothing_study). Received: {options.name.removeprefix(PYTHON)}"
        )
    found = named.sha256()
    if found != options.sha256:
        raise InputError(
            f"Expected {named.module} as the run began with it, {options.sha256[:12]}… (a new run "
            f"takes what there is now). Received: {found[:12]}…"
        )
    return named.load()


def load_augmentation(options: ModelConfig) -> keras.Layer | None:
    """Calls the function that returns the random augmentation; `None`: none is named.

    Args:
        options: As for `load_builder`.

    Raises:
        InputError: If it can't be imported, was named by nobody on this machine, or returns no
            layer of one class.
    """
    named = NamedCode.read(options.augment)
    if named is None:
        return None
    layer = named.call("a layer")
    # A student's is found by its class, which other parts of a model may be of, too.
    if not isinstance(layer, keras.Layer) or isinstance(layer, keras.Model):
        raise InputError(
            f"Expected {named} to return one layer, no model. Received: {short_repr(layer)}"
        )
    return layer


def import_classes(options: ModelConfig) -> None:
    """Registers the classes of a model's file, if it is what it was, and one's own.

    A saved model of Keras's own layers needs none of it.

    Args:
        options: As for `load_builder`.
    """
    with contextlib.suppress(InputError):
        load_builder(options)
