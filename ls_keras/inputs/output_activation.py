"""Finds the activation at the end of a model, and the logits before it, in the graph of layers.

The values of an array never decide whether they are logits; `from_logits` does. But if the graph of
layers ends in a softmax, its input are the logits.
"""

from collections.abc import Callable, Collection
from typing import Any, NamedTuple

import keras
from keras import ops

from ls_keras.backend.keras_internals import producing_call
from ls_keras.backend.tensors import SIGMOID, SOFTMAX
from ls_keras.inputs.logits_check import warn

LOGITS, OTHER, UNKNOWN = "logits", "other", "unknown"

# Layers that leave logits logits, and probabilities probabilities.
_KEEPING = (
    keras.layers.Identity,
    keras.layers.Dropout,
    keras.layers.Reshape,
    keras.layers.Permute,
    keras.layers.Cropping1D,
    keras.layers.Cropping2D,
)
POOLING = (
    keras.layers.GlobalAveragePooling1D,
    keras.layers.GlobalAveragePooling2D,
    keras.layers.GlobalAveragePooling3D,
    keras.layers.AveragePooling1D,
    keras.layers.AveragePooling2D,
    keras.layers.AveragePooling3D,
)
_AVERAGING = (
    keras.layers.Flatten,
    keras.layers.Add,
    keras.layers.Subtract,
    keras.layers.Average,
    *POOLING,
)


class Output(NamedTuple):
    """The activation of a model's output.

    Attributes:
        kind: `LOGITS`; `SOFTMAX`; `SIGMOID`; `OTHER`: another activation of Keras; `UNKNOWN`: a
            custom layer, arithmetic, or a subclass of `Model`.
        made_by: The layer or operation that produced it, for messages.
        logits: For a softmax or sigmoid, a function that returns the symbolic logits, given the
            names of existing layers; `None` for other kinds.
    """

    kind: str
    made_by: str
    logits: Callable[[Collection[str]], Any] | None = None


def model_output(model, tensor: keras.KerasTensor | None = None) -> Output:
    """Returns the activation of a model's output.

    Args:
        model: A `keras.Model`; anything else is `UNKNOWN`.
        tensor: One of its symbolic outputs. Default: the first.
    """
    if tensor is not None:
        return _of_tensor(tensor)
    outputs = getattr(model, "outputs", None) if isinstance(model, keras.Model) else None
    if outputs:
        return _of_tensor(outputs[0])
    if isinstance(model, keras.Sequential) and model.layers:  # not built, but it has layers
        return _of_layer(model.layers[-1])
    return Output(UNKNOWN, f"{getattr(model, 'name', type(model).__name__)!r}")


def warn_of_softmax(
    model,
    from_logits: bool,
    tensor: keras.KerasTensor | None = None,
    *,
    multi_label: bool = False,
) -> None:
    """Warns, as Keras's losses do, if an output with a softmax is passed as logits.

    Args:
        model: As for `model_output`.
        from_logits: Whether the output is declared as logits.
        tensor: As for `model_output`.
        multi_label: Whether a sigmoid instead of a softmax makes probabilities of the logits.
    """
    if from_logits:
        found = model_output(model, tensor)
        if found.kind == (SIGMOID if multi_label else SOFTMAX):
            warn(f"the output of {found.made_by}")


def _of_tensor(tensor) -> Output:
    call = producing_call(tensor)
    layer, inputs = call.layer, call.inputs
    if isinstance(layer, keras.Model):
        return _of_nested(layer, inputs)
    if isinstance(layer, keras.layers.Lambda):
        return _of_lambda(layer, inputs)
    if not isinstance(layer, keras.layers.Layer):
        return _of_operation(layer, inputs)
    if isinstance(layer, _KEEPING) or _is_linear_activation(layer):
        found = _of_tensor(inputs[0]) if inputs else Output(UNKNOWN, _name(layer))
        before = found.logits
        if before is None:
            return found
        return found._replace(logits=lambda taken: _copy(layer)(before(taken)))
    if isinstance(layer, _AVERAGING):
        kinds = {_of_tensor(entry).kind for entry in inputs}
        return Output(LOGITS if kinds == {LOGITS} else UNKNOWN, _name(layer))
    found = _of_layer(layer)
    if found.kind not in (SOFTMAX, SIGMOID):
        return found
    return found._replace(logits=lambda taken: _before(layer, inputs, taken))


def _of_layer(layer) -> Output:
    """Returns the activation of a layer's output for any input."""
    name = _name(layer)
    if isinstance(layer, keras.layers.TimeDistributed):
        return _of_layer(layer.layer)._replace(logits=None)
    if isinstance(layer, keras.Model):
        return model_output(layer)._replace(logits=None)
    if isinstance(layer, keras.layers.Softmax):
        return Output(SOFTMAX if layer.axis == -1 else OTHER, name)
    if isinstance(layer, keras.layers.Lambda):
        return _of_function(layer.function, name)
    if getattr(layer, "gives_logits", False):
        return Output(LOGITS, name)
    if not hasattr(layer, "activation"):
        return Output(UNKNOWN, name)
    activation = layer.activation
    if activation in (None, keras.activations.linear, keras.activations.log_softmax):
        return Output(LOGITS, name)
    name += f" with the activation {getattr(activation, '__name__', activation)!r}"
    if activation is keras.activations.softmax:
        return Output(SOFTMAX, name)
    if activation is keras.activations.sigmoid:
        return Output(SIGMOID, name)
    if activation in vars(keras.activations).values():
        return Output(OTHER, name)
    return _of_function(activation, name)


def _of_function(function, name: str) -> Output:
    """Finds the activation in a function of one tensor, by its name or its operations."""
    known = getattr(function, "__name__", "")  # of a backend
    if known in ("softmax", "softmax_v2"):
        return Output(SOFTMAX, name)
    if known == "sigmoid":
        return Output(SIGMOID, name)
    try:
        made = function(keras.KerasTensor((None, 3)))
        operation = producing_call(made).layer
    except Exception:  # a function of the backend's tensors, which takes no symbolic ones
        return Output(UNKNOWN, name)
    if type(operation).__name__ == "Sigmoid":
        return Output(SIGMOID, name)
    return Output(SOFTMAX if _is_softmax(operation, 2) else UNKNOWN, name)


def _of_operation(operation, inputs) -> Output:
    kind = type(operation).__name__
    if _is_softmax(operation, len(inputs[0].shape) if inputs else 0):
        return Output(SOFTMAX, f"the operation {operation.name!r}", lambda _: inputs[0])
    if kind == "Sigmoid":
        return Output(SIGMOID, f"the operation {operation.name!r}", lambda _: inputs[0])
    if kind == "LogSoftmax":
        return Output(LOGITS, f"the operation {operation.name!r}")
    if kind == "Cast":
        found = _of_tensor(inputs[0])
        before = found.logits
        if before is None:
            return found
        return found._replace(logits=lambda taken: ops.cast(before(taken), operation.dtype))
    return Output(UNKNOWN, f"the operation {operation.name!r}")


def _of_lambda(layer, inputs) -> Output:
    """Calls the function with the symbolic tensors, so that its operations join the graph."""
    try:
        made = layer.function(inputs[0], **(layer.arguments or {}))
        found = _of_tensor(made)
    except Exception:  # a function of the backend's tensors, which takes no symbolic ones
        found = _of_layer(layer)
        probabilities = found.kind in (SOFTMAX, SIGMOID)
        return found._replace(logits=lambda _: inputs[0]) if probabilities else found
    return found if found.kind != LOGITS else Output(LOGITS, _name(layer))


def _of_nested(model, inputs) -> Output:
    found = model_output(model)
    before = found.logits
    if before is None:
        return found

    def logits(_):
        inside = keras.Model(model.inputs, before(_names(model)), name=f"{model.name}_logits")
        return inside(inputs if len(inputs) > 1 else inputs[0])

    return found._replace(logits=logits)


def _before(layer, inputs, taken: Collection[str]):
    """Returns a layer's output without its activation; weights are copied to a linear layer."""
    if isinstance(layer, keras.layers.Softmax | keras.layers.Activation | keras.layers.Lambda):
        return inputs[0]
    if not isinstance(layer, keras.layers.TimeDistributed):
        return _with_weights(_linear(layer, taken), layer, inputs)
    inner = layer.layer
    if isinstance(inner, keras.layers.Softmax | keras.layers.Activation):
        return inputs[0]
    if isinstance(inner, keras.Model):
        found = model_output(inner).logits
        inside: Any = None if found is None else keras.Model(inner.inputs, found(_names(inner)))
        return keras.layers.TimeDistributed(inside, name=f"{layer.name}_logits")(inputs[0])
    wrapped = keras.layers.TimeDistributed(_linear(inner, ()), name=_free_name(layer, taken))
    return _with_weights(wrapped, layer, inputs)


def _with_weights(linear, layer, inputs):
    logits = linear(inputs[0])
    linear.set_weights(layer.get_weights())
    return logits


def _linear(layer, taken: Collection[str]):
    config = {**layer.get_config(), "activation": "linear", "name": _free_name(layer, taken)}
    return type(layer).from_config(config)


def _free_name(layer, taken: Collection[str]) -> str:
    return f"{layer.name}_linear" if "logits" in taken else "logits"


def _names(model) -> set[str]:
    return {layer.name for layer in model.layers}


def _copy(layer):
    return type(layer).from_config(layer.get_config())


def _is_softmax(operation, rank: int) -> bool:
    if isinstance(operation, keras.layers.Layer) or type(operation).__name__ != "Softmax":
        return False
    return operation.axis in (-1, rank - 1)


def _is_linear_activation(layer) -> bool:
    is_activation = isinstance(layer, keras.layers.Activation)
    return is_activation and layer.activation is keras.activations.linear


def _name(layer) -> str:
    return f"the layer {layer.name!r}"
