"""Splits a classifier into its penultimate activations and its class templates."""

import re
from typing import Any, NamedTuple

import keras
import numpy as np
from keras import ops

from ls_base.errors import InputError
from ls_keras.backend.keras_internals import Call, producing_call
from ls_keras.backend.tensors import as_tensor
from ls_keras.calibration.scaling.calibrated import CalibratedModel
from ls_keras.inputs.model_outputs import Output, symbolic
from ls_keras.inputs.output_activation import POOLING
from ls_keras.layers import Temperature, TiedLogits, VectorScaling
from ls_keras.layers.effective_weights import effective_weights, is_reversible

_CONVOLUTIONS = (keras.layers.Conv1D, keras.layers.Conv2D, keras.layers.Conv3D)
_RESHAPING = (keras.layers.Flatten, keras.layers.Reshape)
# Averaging commutes with a linear layer; a softmax and a rescaling come after the templates.
_AFTER_HEAD = (
    *(keras.layers.Softmax, Temperature, VectorScaling, keras.layers.Identity),
    *(keras.layers.Dropout, *_RESHAPING, *POOLING),
)
_EXPECTED = (
    "Expected a functional or sequential model that ends in a Dense layer, a 1×1 convolution, "
    "TiedLogits or a reversed embedding, followed by no more than average pooling, reshaping, a "
    "softmax or a rescaling of the logits. "
)


def penultimate(model: keras.Model, *, output: Output = None) -> keras.Model:
    r"""Returns a model of the inputs of a classifier's last linear layer.

    With x the activations that it returns and w_k the columns of `templates(model)`, the logits are

    $$z_k = (x, 1) \cdot w_k,$$

    before the `logit_soft_cap` of a `ReversibleEmbedding`, if there is one. Layers are shared with
    `model`, so training it also changes the returned model. If the logits of a 1×1 convolution are
    averaged or reshaped, so are the activations. A softmax and the `Temperature` of a calibrated
    model are left out.

    Args:
        model: A built functional or sequential classifier that ends in a `Dense` or `EinsumDense`
            layer (with or without a softmax), a 1×1 convolution, `TiedLogits` or a reversed
            `ReversibleEmbedding`; or a model returned by `ls_keras.calibrated`.
        output: For models with several outputs, which one to use: its name, its key or its index.
            Default: the output of the layer `logits`.

    Returns:
        A model with the same inputs and output `(batch, ..., D)`.

    Raises:
        InputError: If the model is not built, is a subclass without a graph, or ends in a layer
            that has no templates.

    Example:
    >>> import keras, numpy as np
    >>> from ls_keras.representation import penultimate, templates
    >>> model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(3, activation="relu"),
    ...                           keras.layers.Dense(5, name="logits")])
    >>> x = np.ones((2, 4), np.float32)
    >>> activations = penultimate(model)(x)
    >>> tuple(activations.shape), tuple(templates(model).shape)
    ((2, 3), (4, 5))

    References:
        Müller et al., When Does Label Smoothing Help?, NeurIPS 2019 (arXiv 1906.02629), section 2
    """
    head = find_head(model, output)
    # The input of a sequential model is nested; that of a functional model may be a dictionary.
    sequential = isinstance(head.model, keras.Sequential)
    inputs = head.model.inputs[0] if sequential else head.model.input
    return keras.Model(inputs, head.activations, name=f"{head.model.name}_penultimate")


def templates(model: keras.Model, *, output: Output = None):
    """Returns the class templates of a classifier: its kernel with the bias as the last row.

    The matching activations have a 1 appended. All functions of this package append it when
    activations have one feature less than the templates. Quantized kernels are dequantized and
    LoRA updates added.

    Args:
        model: See `penultimate`.
        output: See `penultimate`.

    Returns:
        float32 tensor `(D + 1, K)`: features × classes. The last row is 0 without a bias.

    Raises:
        InputError: See `penultimate`.

    Example:
    >>> import keras
    >>> from ls_keras.representation import templates
    >>> model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(3, use_bias=False)])
    >>> [float(b) for b in templates(model)[-1]]
    [0.0, 0.0, 0.0]
    """
    weights = effective_weights(find_head(model, output).layer)
    kernel = ops.cast(weights.columns(), "float32")
    num_classes = kernel.shape[-1]
    kernel = ops.reshape(kernel, (-1, num_classes))  # that of a 1×1 convolution is (1, 1, D, K)
    bias = ops.zeros((num_classes,)) if weights.bias is None else weights.bias
    row = ops.reshape(ops.cast(bias, "float32"), (1, num_classes))
    return ops.stop_gradient(ops.concatenate([kernel, row], axis=0))


def append_bias_feature(activations, num_features: int):
    """Returns activations `(..., num_features)`, with a 1 appended if one feature is missing.

    Args:
        activations: Tensor `(..., D)` or `(..., D − 1)`.
        num_features: D, the number of rows of the templates.

    Raises:
        InputError: If the number of features is neither D nor D − 1.
    """
    tensor = as_tensor(activations, "activations")
    is_array = isinstance(activations, np.ndarray)
    if not is_array:
        activations = tensor
    shape = tuple(activations.shape)
    if shape and shape[-1] == num_features:
        return activations
    if not shape or shape[-1] != num_features - 1:
        raise InputError(
            f"Expected activations of {num_features - 1} features (a 1 is appended) or of "
            f"{num_features}, as the templates have rows. Received: shape {shape}"
        )
    if is_array:
        return np.concatenate([activations, np.ones((*shape[:-1], 1), activations.dtype)], -1)
    return ops.concatenate([activations, ops.ones_like(activations[..., :1])], axis=-1)


class Head(NamedTuple):
    """The last linear layer of a classifier.

    Attributes:
        model: The innermost model that contains it.
        layer: The layer.
        activations: Symbolic inputs of the layer `(batch, ..., D)`, pooled or reshaped as its
            logits are.
    """

    model: keras.Model
    layer: keras.layers.Layer
    activations: Any


def find_head(model: keras.Model, output: Output = None) -> Head:
    """Follows a model's graph from its output back to the last linear layer.

    Args:
        model: See `penultimate`.
        output: See `penultimate`.

    Raises:
        InputError: See `penultimate`.
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
    tensor: Any = _select_output(model) if output is None else symbolic(model, output)
    tail = list[keras.layers.Layer]()
    while True:
        call = producing_call(tensor)
        layer = call.layer
        if isinstance(layer, keras.Model):
            return _find_nested_head(model, layer, _single_input(call), tail)
        if is_linear_head(layer) or _is_reversed(call, tensor):
            activations = _apply_tail(_single_input(call), tail, tensor.shape[-1])
            return Head(model, layer, activations)
        if not _keeps_templates(layer):
            raise InputError(
                f"{_EXPECTED}Received: {model.name!r} with the layer {layer.name!r} "
                f"({type(layer).__name__}) at its end"
            )
        tail.insert(0, layer)
        tensor = _single_input(call)


def is_linear_head(layer) -> bool:
    """Returns whether a layer computes `x · w_k + b_k`, with at most a softmax after it."""
    activation = getattr(layer, "activation", None)
    if activation not in (None, keras.activations.linear, keras.activations.softmax):
        return False
    if isinstance(layer, _CONVOLUTIONS):
        if layer.data_format != "channels_last":
            return False
        return all(size == 1 for size in (*layer.kernel_size, *layer.strides, layer.groups))
    if isinstance(layer, keras.layers.EinsumDense):
        return re.fullmatch(r"(\.*\w*)(\w),\2(\w)->\1\3", layer.equation) is not None
    return isinstance(layer, keras.layers.Dense | TiedLogits)


def _is_reversed(call: Call, output) -> bool:
    """Returns whether a call is the reverse projection of a `ReversibleEmbedding`.

    A lookup adds an axis to the tokens; the reverse projection does not.
    """
    return is_reversible(call.layer) and len(call.inputs[0].shape) == len(output.shape)


def _select_output(model: keras.Model):
    if len(model.outputs) == 1:
        return model.outputs[0]
    for output in model.outputs:
        if producing_call(output).layer.name == "logits":
            return output
    raise InputError(
        "Expected a model with one output, or one of them from a layer named 'logits'. "
        f"Received: {model.name!r} with {len(model.outputs)} outputs"
    )


def _single_input(call: Call):
    if len(call.inputs) != 1:
        raise InputError(
            f"{_EXPECTED}Received: the layer {call.layer.name!r} with {len(call.inputs)} inputs at "
            "the end"
        )
    return call.inputs[0]


def _keeps_templates(layer) -> bool:
    if isinstance(layer, keras.layers.Activation):
        return layer.activation in (keras.activations.linear, keras.activations.softmax)
    return isinstance(layer, _AFTER_HEAD)


def _apply_tail(activations, tail, num_classes: int):
    """Pools and reshapes activations as the layers after the head do its logits."""
    features = activations.shape[-1]
    for layer in tail:
        if isinstance(layer, _RESHAPING):
            shape = tuple(layer.output.shape[1:])
            if shape[-1] != num_classes:
                raise InputError(
                    f"{_EXPECTED}Received: {layer.name!r}, which reshapes "
                    f"{tuple(layer.input.shape)} into {tuple(layer.output.shape)}"
                )
            # One size may be unknown: fully convolutional networks accept images of any size.
            leading = tuple(-1 if size is None else size for size in shape[:-1])
            activations = keras.layers.Reshape((*leading, features))(activations)
        elif isinstance(layer, POOLING):
            activations = type(layer).from_config(layer.get_config())(activations)
    return activations


def _find_nested_head(outer: keras.Model, inner: keras.Model, inputs, tail) -> Head:
    """Finds the head of a model that is the last layer of another model."""
    head = find_head(inner)
    half = keras.Model(inner.inputs, head.activations, name=f"{inner.name}_penultimate")
    num_classes = effective_weights(head.layer).columns().shape[-1]
    return Head(outer, head.layer, _apply_tail(half(inputs), tail, num_classes))
