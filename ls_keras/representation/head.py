"""Finding the layer whose columns are the class templates, and what leads up to it."""

from typing import Any, NamedTuple

import keras

from ls_base.errors import InputError
from ls_keras.backend.keras_internals import Call, producing_call
from ls_keras.calibration.scaling.calibrated import CalibratedModel
from ls_keras.inputs.model_outputs import Output, symbolic
from ls_keras.inputs.output_activation import POOLING
from ls_keras.layers import Temperature, TiedLogits, VectorScaling

_CONVOLUTIONS = (keras.layers.Conv1D, keras.layers.Conv2D, keras.layers.Conv3D)
_EXPECTED = (
    "Expected a functional or sequential model that ends in a Dense layer, a 1×1 convolution or "
    "TiedLogits, followed by no more than average pooling, reshaping, a softmax or a rescaling of "
    "the logits. "
)


class Head(NamedTuple):
    """The linear layer that a classifier ends in.

    Attributes:
        model: The innermost model that holds it.
        layer: The layer.
        activations: Symbolic activations that enter it, pooled or reshaped as its logits are:
            `(batch, ..., D)`.
    """

    model: keras.Model
    layer: keras.layers.Layer
    activations: Any


def find_head(model: keras.Model, output: Output = None) -> Head:
    """Walks from a model's output back to its last linear layer.

    Args:
        model: A built classifier.
        output: Of several outputs, the one to start from: its name, its key or its place.
            Default: that of the layer `logits`.

    Raises:
        InputError: If the model has no graph, is not built, or ends in something else.
    """
    if isinstance(model, CalibratedModel):
        return find_head(model.model, model.output_key if output is None else output)
    if not isinstance(model, keras.Model):
        raise InputError(f"Expected a keras.Model. Received: {type(model).__name__}")
    if not (isinstance(model, keras.Sequential | keras.Function)):
        raise InputError(
            f"{_EXPECTED}Received: {type(model).__name__}, a subclass without a graph of layers"
        )
    if not model.built:
        raise InputError(f"Expected a built model. Received: {model.name!r}, not built")
    tensor = _output(model) if output is None else symbolic(model, output)
    tail = list[keras.layers.Layer]()
    while True:
        call = producing_call(tensor)
        layer = call.layer
        if isinstance(layer, keras.Model):
            return _inside(model, layer, _input(call), tail)
        if is_linear_head(layer):
            return Head(model, layer, _follow(_input(call), tail, layer))
        if not _keeps_templates(layer):
            raise InputError(
                f"{_EXPECTED}Received: {model.name!r} with the layer {layer.name!r} "
                f"({type(layer).__name__}) at its end"
            )
        tail.insert(0, layer)
        tensor = _input(call)


def is_linear_head(layer) -> bool:
    """Tells whether a layer computes `x · w_k + b_k` for each class, at most a softmax after it."""
    activation = getattr(layer, "activation", None)
    if activation not in (None, keras.activations.linear, keras.activations.softmax):
        return False
    if isinstance(layer, _CONVOLUTIONS):
        if layer.data_format != "channels_last":
            return False
        return all(size == 1 for size in (*layer.kernel_size, *layer.strides, layer.groups))
    return isinstance(layer, keras.layers.Dense | TiedLogits)


def _output(model: keras.Model):
    if len(model.outputs) == 1:
        return model.outputs[0]
    for output in model.outputs:
        if producing_call(output).layer.name == "logits":
            return output
    raise InputError(
        "Expected a model with one output, or one of them from a layer named 'logits'. "
        f"Received: {model.name!r} with {len(model.outputs)} outputs"
    )


def _input(call: Call):
    if len(call.inputs) != 1:
        raise InputError(
            f"{_EXPECTED}Received: the layer {call.layer.name!r} with {len(call.inputs)} inputs at "
            "the end"
        )
    return call.inputs[0]


def _keeps_templates(layer) -> bool:
    # Averaging commutes with a linear layer; a softmax and a rescaling come after the templates.
    activation = getattr(layer, "activation", None)
    ends = (keras.layers.Softmax, Temperature, VectorScaling, keras.layers.Identity)
    shapes = (keras.layers.Flatten, keras.layers.Reshape, keras.layers.Dropout)
    if isinstance(layer, keras.layers.Activation):
        return activation in (keras.activations.linear, keras.activations.softmax)
    return isinstance(layer, (*ends, *shapes, *POOLING))


def _follow(activations, tail, head):
    """Pools and reshapes the activations as the layers after the head do its logits."""
    features = activations.shape[-1]
    for layer in tail:
        if isinstance(layer, keras.layers.Flatten | keras.layers.Reshape):
            shape = tuple(layer.output.shape[1:])
            if shape[-1] != head.output.shape[-1]:
                raise InputError(
                    f"{_EXPECTED}Received: {layer.name!r}, which reshapes "
                    f"{tuple(layer.input.shape)} into {tuple(layer.output.shape)}"
                )
            # One size may be unknown: fully convolutional networks take images of any size.
            leading = tuple(-1 if size is None else size for size in shape[:-1])
            activations = keras.layers.Reshape((*leading, features))(activations)
        elif isinstance(layer, POOLING):
            activations = type(layer).from_config(layer.get_config())(activations)
    return activations


def _inside(outer: keras.Model, inner: keras.Model, inputs, tail) -> Head:
    """Finds the head of a model that is itself the last layer of a model."""
    head = find_head(inner)
    made = keras.Model(inner.inputs, head.activations, name=f"{inner.name}_penultimate")
    return Head(outer, head.layer, _follow(made(inputs), tail, head.layer))
