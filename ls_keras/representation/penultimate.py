"""The two halves of a classifier: what it makes of an example, and what it compares that with."""

import keras
import numpy as np
from keras import ops

from ls_base.errors import InputError
from ls_keras.backend.tensors import as_tensor
from ls_keras.inputs.model_outputs import Output
from ls_keras.representation.head import find_head


def penultimate(model: keras.Model, *, output: Output = None) -> keras.Model:
    r"""Returns the part of a classifier up to the input of its last linear layer.

    With x the activations it returns and w_k the columns of `templates(model)`, the logits are

    $$z_k = (x, 1) \cdot w_k.$$

    Layers are shared with `model`: what training does to it shows here. After a 1×1 convolution
    whose logits are averaged or reshaped, the activations are averaged or reshaped alike. A softmax
    and the `Temperature` of a calibrated model belong to neither half.

    Args:
        model: A built functional or sequential classifier that ends in a `Dense` layer (with or
            without a softmax), a 1×1 convolution or `ls_keras.layers.TiedLogits`; also a model
            that `ls_keras.calibrated` made.
        output: Of a model with several outputs, the one whose head is meant: its name, its key or
            its place. Default: that of the layer `logits`.

    Returns:
        A model of the same inputs, output `(batch, ..., D)`.

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
    # A sequential model's input has a structure of one tensor, a functional one's may be a dict.
    sequential = isinstance(head.model, keras.Sequential)
    inputs = head.model.inputs[0] if sequential else head.model.input
    return keras.Model(inputs, head.activations, name=f"{head.model.name}_penultimate")


def templates(model: keras.Model, *, output: Output = None):
    """Returns a classifier's class templates: its kernel, the bias appended as the last row.

    The activations that belong to them have a 1 appended. All functions here do that themselves
    when activations have one feature less than the templates.

    Args:
        model: As for `penultimate`.
        output: As for `penultimate`.

    Returns:
        float32 tensor `(D + 1, K)`: features × classes. The last row is 0 without a bias.

    Raises:
        InputError: As `penultimate`.

    Example:
    >>> import keras
    >>> from ls_keras.representation import templates
    >>> model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(3, use_bias=False)])
    >>> [float(b) for b in templates(model)[-1]]
    [0.0, 0.0, 0.0]
    """
    layer = find_head(model, output).layer
    kernel = ops.cast(ops.convert_to_tensor(layer.kernel), "float32")
    num_classes = kernel.shape[-1]
    kernel = ops.reshape(kernel, (-1, num_classes))  # a 1×1 convolution's: (1, 1, D, K)
    bias = getattr(layer, "bias", None)
    row = (
        ops.zeros((1, num_classes), "float32")
        if bias is None
        else ops.reshape(ops.cast(ops.convert_to_tensor(bias), "float32"), (1, num_classes))
    )
    return ops.stop_gradient(ops.concatenate([kernel, row], axis=0))


def with_one(activations, num_features: int):
    """Returns activations `(..., num_features)`: with a 1 appended if they lack one feature.

    Args:
        activations: Tensor `(..., D)` or `(..., D − 1)`.
        num_features: D, rows of the templates.

    Raises:
        InputError: If they have another number of features.
    """
    tensor = as_tensor(activations, "activations")
    array = isinstance(activations, np.ndarray)
    if not array:
        activations = tensor
    shape = tuple(activations.shape)
    if shape and shape[-1] == num_features:
        return activations
    if not shape or shape[-1] != num_features - 1:
        raise InputError(
            f"Expected activations of {num_features - 1} features (a 1 is appended) or of "
            f"{num_features}, as the templates have rows. Received: shape {shape}"
        )
    if array:
        return np.concatenate([activations, np.ones((*shape[:-1], 1), activations.dtype)], -1)
    return ops.concatenate([activations, ops.ones_like(activations[..., :1])], axis=-1)
