"""Converts a user's Keras model into one with named inputs and float32 logits."""

import contextlib
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import keras
import numpy as np

from ls_base.errors import InputError, reason, short_repr
from ls_keras.backend.keras_internals import layers_within, producing_call
from ls_keras.inputs.output_activation import OTHER, SIGMOID, SOFTMAX, UNKNOWN, model_output
from ls_keras.layers import LogProbabilities
from lsk_engine.keras_model.config import PYTHON, ModelConfig
from lsk_engine.settings.user_code import NamedCode, call_user_code

_LINEAR = (None, keras.activations.linear, keras.activations.log_softmax)


def build_own_model(
    build: Callable[[], Any],
    options: ModelConfig,
    inputs: Mapping[str, np.ndarray],
    num_classes: int,
    *,
    label_shape: tuple[int, ...],
    seed: int,
) -> keras.Model:
    """Calls a user's function and converts its model into one that returns float32 logits.

    Layers and weights stay the same. A softmax at the end is removed. A last `Dense` layer is
    copied into one named `logits`; after any other layer, an `Identity` with this name is added.
    Inputs get the names of the data.

    Args:
        build: Returns a Keras model: functional, sequential, or a subclass with a registered class.
        options: The name of the function, for messages, and the output if it is not recognized.
        inputs: Examples by input name; the model must accept their shapes and types.
        num_classes: Number K of classes.
        label_shape: Shape of the labels: `(n,)`, or `(n, time)` for labels by position.
        seed: Random seed, set before the function is called.

    Returns:
        A functional model; compiled with the user's loss if the user's model is.

    Raises:
        InputError: If the function raises an exception, returns no model, or one with other inputs
            or classes, several outputs, an activation other than softmax, or layers that cannot be
            saved and loaded.
    """
    name = options.name
    keras.utils.set_random_seed(seed)
    model = call_user_code(build, name, "a Keras model")
    if not isinstance(model, keras.Model):
        raise InputError(f"Expected {name} to return a Keras model. Received: {short_repr(model)}")
    if type(model).train_step is not keras.Model.train_step:
        raise InputError(
            f"Expected a model of {name} with Keras's own train_step: the loss is replaced. "
            f"Received: {type(model).__name__}, which overrides it"
        )
    with _explain_errors(name, inputs):
        tensor, symbols = _apply(model, inputs)
    if not isinstance(tensor, keras.KerasTensor):
        count = len(keras.tree.flatten(tensor))
        raise InputError(f"Expected a model of {name} with one output. Received: {count}")
    wanted = (None, *label_shape[1:], num_classes)
    if not _fits(tensor.shape, wanted) or tensor.shape[-1] is None:
        raise InputError(
            f"Expected a model of {name} with an output of shape {wanted}, for the labels' classes "
            "(--set data.num_classes=K if the last classes have no labels). "
            f"Received: {tuple(tensor.shape)}"
        )
    converted = keras.Model(symbols, _logits(symbols, tensor, options), name=model.name)
    _check_saving(converted, name)
    if model.compiled:
        converted.compile(loss=model.loss)
    keras.utils.set_random_seed(seed)  # the conversion has drawn numbers
    return converted


def _apply(model: keras.Model, inputs: Mapping[str, np.ndarray]) -> tuple[Any, dict[str, Any]]:
    """Returns a model's output for inputs with the names of the data, and these inputs."""
    if isinstance(model, keras.Sequential) and not model.built:
        (array,) = inputs.values()
        model(keras.Input(array.shape[1:], dtype=_dtype(array)))
    if not isinstance(model, keras.Sequential | keras.Function):  # a subclass becomes one layer
        symbols = {
            key: keras.Input(array.shape[1:], dtype=_dtype(array), name=key)
            for key, array in inputs.items()
        }
        return model(symbols if len(symbols) > 1 else next(iter(symbols.values()))), symbols
    known = {tensor.name: tensor for tensor in model.inputs}
    if len(inputs) != len(model.inputs):
        raise InputError(f"{len(model.inputs)} inputs ({', '.join(known)})")
    by_name = set(known) == set(inputs)
    taken = {
        key: known[key] if by_name else tensor
        for key, tensor in zip(inputs, model.inputs, strict=True)
    }
    symbols = {}
    for key, tensor in taken.items():
        if not _fits(tensor.shape, (None, *inputs[key].shape[1:])):
            raise InputError(f"an input {tensor.name!r} of shape {tuple(tensor.shape)}")
        symbols[key] = keras.Input(tensor.shape[1:], dtype=tensor.dtype, name=key)
    order = {id(tensor): symbols[key] for key, tensor in taken.items()}
    given = [order[id(tensor)] for tensor in model.inputs]
    # `call`, not `__call__`: keeps its layers instead of wrapping them into one.
    structure = model.inputs[0] if isinstance(model, keras.Sequential) else model.input
    return model.call(keras.tree.pack_sequence_as(structure, given)), symbols


def _fits(shape: tuple[int | None, ...], wanted: tuple[int | None, ...]) -> bool:
    """Returns whether a symbolic shape has the expected sizes, apart from unknown ones."""
    return len(shape) == len(wanted) and all(
        there in (None, here) for there, here in zip(shape[1:], wanted[1:], strict=True)
    )


def _dtype(array: np.ndarray) -> str:
    return str(array.dtype)


@contextlib.contextmanager
def _explain_errors(name: str, inputs: Mapping[str, np.ndarray]) -> Iterator[None]:
    try:
        yield
    except Exception as error:
        shapes = ", ".join(f"{key} {array.shape[1:]}" for key, array in inputs.items())
        raise InputError(
            f"Expected a model of {name} that accepts the data's inputs, {shapes} per example. "
            f"Received: {reason(error)}"
        ) from error


def _logits(symbols: dict[str, Any], tensor: Any, options: ModelConfig) -> Any:
    """Returns the symbolic float32 logits of an output, from a layer named `logits`."""
    whole = keras.Model(symbols, tensor)
    taken = {layer.name for layer in whole.layers}
    found = model_output(whole)
    if found.kind in (SIGMOID, OTHER):
        raise InputError(
            f"Expected a model of {options.name} that ends in logits or in a softmax, over all "
            f"classes. Received: an output made by {found.made_by}"
        )
    if found.logits is not None:
        tensor = found.logits(taken)
    elif found.kind in (UNKNOWN, SOFTMAX):
        output = "probabilities" if found.kind == SOFTMAX else options.output
        if output == "auto":
            raise InputError(
                f"Could not recognize whether {options.name} returns logits or probabilities: its "
                f"output is made by {found.made_by}. Use --set model.output=logits, or "
                "model.output=probabilities."
            )
        if output == "probabilities":
            tensor = LogProbabilities(name="log_probabilities")(tensor)
    return _name_logits(tensor, symbols)


def _name_logits(tensor: Any, symbols: dict[str, Any]) -> Any:
    """Returns logits from a layer named `logits`."""
    layer, inputs = producing_call(tensor)
    names = {one.name for one in keras.Model(symbols, tensor).layers}
    if type(layer) is keras.layers.Dense and layer.activation in _LINEAR:
        if layer.name != "logits" and "logits" not in names:
            config = {"activation": "linear", "name": "logits", "dtype": "float32"}
            copied = keras.layers.Dense.from_config({**layer.get_config(), **config})
            logits = copied(inputs[0])
            copied.set_weights(layer.get_weights())
            return logits
    elif "logits" not in names:
        return keras.layers.Identity(name="logits", dtype="float32")(tensor)
    if tensor.dtype != "float32":
        return keras.layers.Identity(name="float32_logits", dtype="float32")(tensor)
    return tensor


def _check_saving(model: keras.Model, name: str) -> None:
    """Raises an error if a model could be trained but not loaded again."""
    expected = f"Expected a model of {name} that can be saved and loaded"
    for layer in layers_within(model):
        kind = type(layer)
        if isinstance(layer, keras.layers.Lambda):
            raise InputError(
                f"{expected}: use keras.ops or your own class instead of a Lambda. "
                f"Received: {layer.name!r}"
            )
        own = not kind.__module__.startswith("keras.")
        if own and keras.saving.get_registered_name(kind) == kind.__name__:
            raise InputError(
                f"{expected}: register your own classes with "
                f"@keras.saving.register_keras_serializable(). Received: {kind.__name__}"
            )
    try:
        stored = keras.saving.serialize_keras_object(model)
        keras.saving.deserialize_keras_object(stored, safe_mode=True)
    except Exception as error:
        cause = str(error).rpartition("Exception encountered: ")[2]  # after the configuration
        raise InputError(
            f"{expected}: your own classes need a get_config with all arguments. "
            f"Received: {reason(ValueError(cause))}"
        ) from error


def load_builder(options: ModelConfig) -> Callable[[], Any]:
    """Imports the function that builds the model.

    Args:
        options: The name of the function, and the SHA-256 of its file.

    Raises:
        InputError: If it cannot be imported, is not trusted, belongs to a Python program, or its
            file has changed since the run started.
    """
    named = NamedCode.read(options.name)
    if named is None:
        raise InputError(
            "Expected a model from a file: only the Python program itself can resume its run "
            f"(lsk_engine.smoothing_study). Received: {options.name.removeprefix(PYTHON)}"
        )
    found = named.sha256()
    if found != options.sha256:
        raise InputError(
            f"Expected {named.module} unchanged since the run started, {options.sha256[:12]}… "
            f"(start a new run to use the changed file). Received: {found[:12]}…"
        )
    return named.load()


def load_augmentation(options: ModelConfig) -> keras.Layer | None:
    """Calls the function that returns the random augmentation, if one is named.

    Args:
        options: As for `load_builder`.

    Raises:
        InputError: If it cannot be imported, is not trusted, or does not return a layer.
    """
    named = NamedCode.read(options.augment)
    if named is None:
        return None
    layer = named.call("a layer")
    # The augmentation of a student is found by its class, so a plain `Model` is not allowed.
    if not isinstance(layer, keras.Layer) or isinstance(layer, keras.Model):
        raise InputError(
            f"Expected {named} to return a layer, not a model. Received: {short_repr(layer)}"
        )
    return layer


def import_classes(options: ModelConfig) -> None:
    """Registers the classes of a model's file, if it is unchanged and trusted.

    A saved model that consists of Keras's own layers does not need it.

    Args:
        options: As for `load_builder`.
    """
    with contextlib.suppress(InputError):
        load_builder(options)
