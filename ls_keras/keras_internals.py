"""What Keras has, but promises nobody: the one place that reads its private names.

Keras may move or change these in any release. Everything else that this project uses of Keras is
public. `tests/ls_keras/test_keras_internals.py` says which of them a new Keras has changed.
"""

from typing import Any, NamedTuple

import keras
from keras.src.backend.common.masking import get_keras_mask
from keras.src.backend.common.symbolic_scope import in_symbolic_scope
from keras.src.losses.loss import reduce_weighted_values


class Call(NamedTuple):
    """A layer's call in a graph of layers.

    Attributes:
        layer: The layer, or the operation of `keras.ops`, that was called.
        inputs: The symbolic tensors it was called with.
    """

    layer: Any
    inputs: list


def call_that_made(tensor: keras.KerasTensor) -> Call:
    """Returns the call whose output a symbolic tensor is.

    Private, as a model lists its layers and not their calls: `layer.output` is that of one call,
    and a layer that several models share has several.
    """
    operation, node, _ = tensor._keras_history
    return Call(operation, operation._inbound_nodes[node].input_tensors)


def mask_of(tensor) -> Any | None:
    """Returns the mask that layers attached to what they made, or `None`.

    Private, as Keras reads masks itself, in `Loss.__call__` and in compiled metrics. Ours take
    labels that it would cast to floats there, and find a mask without being compiled.
    """
    return get_keras_mask(tensor)


def reduced(losses, *, sample_weight=None, mask=None, reduction: str | None, dtype=None):
    """Returns losses `(...)` weighted and reduced, as every loss of Keras reduces its own.

    Private, as it is the end of `Loss.__call__`, whose beginning casts integer labels to the
    loss's dtype. Written anew, it would part from Keras's with the first reduction that is added.

    Args:
        losses: Tensor `(...)`.
        sample_weight: Tensor `(...)`, or `None`. On PyTorch it is changed in place.
        mask: Boolean tensor `(...)`, or `None`.
        reduction: As in Keras's losses.
        dtype: Of the result. Default: that of `losses`.
    """
    return reduce_weighted_values(
        losses, sample_weight=sample_weight, mask=mask, reduction=reduction, dtype=dtype
    )


def only_shapes() -> bool:
    """Returns whether Keras is finding out shapes, with tensors that are nobody's values.

    Private, as `keras.SymbolicScope` can be entered by anyone, but not asked for. On PyTorch,
    whose tensors are real then, nothing else tells.
    """
    return in_symbolic_scope()


def layers_within(layer: keras.Layer) -> list[keras.Layer]:
    """Returns a layer and all those inside it, however deep.

    Private, as `Model.layers` ends at the first layer that is no model.
    """
    return list(layer._flatten_layers())


def logits_before_softmax(probabilities) -> Any | None:
    """Returns the logits that Keras's softmax noted on what it made of them, or `None`.

    Private, as Keras keeps them for its own losses, which read them for the same reason: a
    logarithm of a softmax loses what the logits still have.
    """
    return getattr(probabilities, "_keras_logits", None)


def collected_losses(layer: keras.Layer) -> list:
    """Returns the additional losses of a traced step, which a trainer hands to its model.

    Empty outside of such a step. Private, as only who overrides `Layer.losses` has to ask: on JAX
    losses are results of the step's function, and no attributes of layers.
    """
    return layer._losses_override


def variables_of(optimizer: keras.Optimizer) -> list[keras.Variable]:
    """Returns the variables that an optimizer was built for, in the order of its gradients.

    Private, as `Optimizer.variables` are its own: moments, and the step.
    """
    return optimizer._trainable_variables
