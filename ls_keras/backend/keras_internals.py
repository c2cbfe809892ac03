"""What Keras has, but promises nobody: the one place that reads its private names.

Keras may move or change these in any release. Everything else that this project uses of Keras is
public. `tests/ls_keras/backend/test_keras_internals.py` says which of them a new Keras has changed.
"""

from collections.abc import Iterator
from typing import Any, NamedTuple

import keras
from keras import ops
from keras.src.backend.common.masking import get_keras_mask
from keras.src.backend.common.stateless_scope import get_stateless_scope
from keras.src.backend.common.symbolic_scope import in_symbolic_scope
from keras.src.losses.loss import reduce_weighted_values
from keras.src.saving.keras_saveable import KerasSaveable


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


def layers_before(tensor: keras.KerasTensor) -> Iterator[keras.Layer]:
    """Yields every layer whose calls a symbolic tensor depends on, and all those inside them.

    Private, as `call_that_made` is. The nearest come first.
    """
    left, seen = [tensor], {id(tensor)}
    while left:
        call = call_that_made(left.pop(0))
        if isinstance(call.layer, keras.Layer):
            yield from layers_within(call.layer)
        for origin in call.inputs:
            if id(origin) not in seen:
                seen.add(id(origin))
                left.append(origin)


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
        losses: Tensor `(...)`. Summed in its dtype, in float32 or better.
        sample_weight: Tensor `(...)`, or of its leading axes, or `None`.
        mask: Boolean tensor `(...)`, or `None`.
        reduction: As in Keras's losses.
        dtype: Of the result. Default: that of `losses`.
    """
    dtype = dtype or losses.dtype
    # A sum of 16 bits ends at 65,504, and its mean with it.
    wide = keras.backend.result_type(losses.dtype, dtype, "float32")
    losses = ops.cast(losses, wide)
    if sample_weight is not None:
        sample_weight = ops.cast(ops.convert_to_tensor(sample_weight), wide)
        while len(sample_weight.shape) < len(losses.shape):
            sample_weight = ops.expand_dims(sample_weight, axis=-1)
        if mask is not None:
            # Keras multiplies the mask into it in place. On PyTorch that needs all of its shape,
            # and would change the caller's weights: those that the weighted metrics see next.
            if len(sample_weight.shape) == len(losses.shape):
                sample_weight = ops.broadcast_to(sample_weight, ops.shape(losses))
            sample_weight = ops.copy(sample_weight)
    total = reduce_weighted_values(
        losses, sample_weight=sample_weight, mask=mask, reduction=reduction, dtype=wide
    )
    return ops.cast(total, dtype)


def only_shapes() -> bool:
    """Returns whether Keras is finding out shapes, with tensors that are nobody's values.

    Private, as `keras.SymbolicScope` can be entered by anyone, but not asked for. On PyTorch,
    whose tensors are real then, nothing else tells.
    """
    return in_symbolic_scope()


def is_transformed(tensor) -> bool:
    """Returns whether PyTorch's `torch.func` works on a tensor, whose values it hides meanwhile.

    Private, as PyTorch lets nobody ask for what it wraps. A tensor from outside is wrapped by what
    is done to it there.
    """
    import torch

    try:
        return torch._C._functorch.is_functorch_wrapped_tensor(tensor.detach())
    except (AttributeError, TypeError):  # no tensor at all
        return False


def layers_within(layer: keras.Layer) -> list[keras.Layer]:
    """Returns a layer and all those inside it, however deep.

    Private, as `Model.layers` ends at the first layer that is no model.
    """
    return list(layer._flatten_layers())


def replace_part(layer: keras.Layer, name: str, part: keras.Layer) -> None:
    """Sets a layer's attribute to another layer than it was, which is then no part of it any more.

    Private, as Keras keeps track of what is assigned, and not of what is replaced, and lets
    nobody assign layers to one that is built.
    """
    tracker = layer._tracker
    locked = tracker.locked
    tracker.unlock()
    tracker.untrack(getattr(layer, name))
    setattr(layer, name, part)
    if locked:
        tracker.lock(tracker._lock_violation_msg)


def logits_before_softmax(probabilities, axis: int = -1) -> Any | None:
    """Returns the logits that a softmax over `axis` made a tensor of, or `None`.

    Private, as Keras notes them on the tensor for its own losses, which read them for the same
    reason: a logarithm of a softmax loses what the logits still have. Its sigmoid leaves the same
    note, and so does a softmax over another axis. Which it was is seen in the graph of TensorFlow
    or in that of PyTorch's gradients; where there is none, the softmax is computed again.
    """
    noted = getattr(probabilities, "_keras_logits", None)
    rank, backend = len(probabilities.shape), keras.config.backend()
    axis %= rank
    if backend == "tensorflow":
        import tensorflow as tf

        if not isinstance(probabilities, tf.__internal__.EagerTensor):
            operation = probabilities.op
            if operation.type == "Softmax":
                return operation.inputs[0] if axis == rank - 1 else None
            # A softmax over an axis before the last stands between two transpositions.
            swapped = operation.type == "Transpose" and operation.inputs[0].op.type == "Softmax"
            return noted if swapped and _axis_of_swap(operation, rank) == axis else None
    if noted is None:
        return None
    if backend == "torch" and probabilities.grad_fn is not None:
        made = probabilities.grad_fn
        if made.name() == "SoftmaxBackward0":
            return noted if made._saved_dim % 2**64 in (axis, (axis - rank) % 2**64) else None
    # Where every class has the same logit, a sigmoid may give the same numbers: they need none.
    is_softmax = ops.all(ops.equal(ops.softmax(noted, axis=axis), probabilities))
    is_sigmoid = ops.all(ops.equal(ops.sigmoid(noted), probabilities))
    return noted if bool(is_softmax) and not bool(is_sigmoid) else None


def logits_before_sigmoid(probabilities) -> Any | None:
    """Returns the logits that a sigmoid made a tensor of, or `None`.

    Private, as the note that `logits_before_softmax` reads. Where no graph shows what left it, the
    sigmoid is computed again: what gives the same probabilities are logits of theirs.
    """
    noted, backend = getattr(probabilities, "_keras_logits", None), keras.config.backend()
    if backend == "tensorflow":
        import tensorflow as tf

        if not isinstance(probabilities, tf.__internal__.EagerTensor):
            operation = probabilities.op
            return operation.inputs[0] if operation.type == "Sigmoid" else None
    if noted is None:
        return None
    if backend == "torch" and probabilities.grad_fn is not None:
        return noted if probabilities.grad_fn.name() == "SigmoidBackward0" else None
    return noted if bool(ops.all(ops.equal(ops.sigmoid(noted), probabilities))) else None


def _axis_of_swap(transposition, rank: int) -> int | None:
    """Returns which axis `tf.nn.softmax` swapped with the last, if its graph shows that.

    Private, as TensorFlow promises nobody of which operations it makes a softmax.
    """
    import tensorflow as tf

    order = transposition.inputs[1].op
    if order.type != "ConcatV2" or len(order.inputs) != 5:
        return None
    axis = order.inputs[3]  # after: those before it, the last, those between
    while axis.op.inputs:  # of a negative one: it, plus the rank, modulo the rank
        axis = axis.op.inputs[0]
    known = tf.get_static_value(axis)
    return None if known is None else int(known.item()) % rank


def collected_losses(layer: keras.Layer) -> list:
    """Returns the additional losses of a traced step, which a trainer hands to its model.

    Empty outside of such a step. Private, as only who overrides `Layer.losses` has to ask: on JAX
    losses are results of the step's function, and no attributes of layers.
    """
    return layer._losses_override


class State(KerasSaveable):
    """A variable of a model that is neither weight nor metric, saved and restored with both.

    Private, as Keras knows such state of random numbers only. It finds the variable by this name.

    Attributes:
        state: The variable.
    """

    def __init__(self, state: keras.Variable):
        self.state = state

    def _obj_type(self) -> str:
        return "Loss"  # which of its attributes Keras needs not look at

    def save_own_variables(self, store) -> None:
        """Writes the value."""
        store["0"] = self.state

    def load_own_variables(self, store) -> None:
        """Reads the value, if the file has one: models are saved before they have such state."""
        if "0" in store.keys():  # noqa: SIM118, a store of Keras has nothing else
            self.state.assign(store["0"])


def give_state(model: keras.Model, name: str, variable: keras.Variable) -> None:
    """Makes a variable one of a model's `non_trainable_variables`, and none of its `weights`.

    So steps that Keras compiles read it, on JAX too, where any other is a constant; and models
    that have it, and that don't, read one another's files. What had the name before is dropped.
    Private, as only layers can be given to a model, not to each, and they would be weights of it.
    """
    tracker = model._tracker
    locked = tracker.locked
    tracker.unlock()
    if hasattr(model, name):
        tracker.untrack(getattr(model, name))
    given = State(variable)
    tracker.add_to_store("seed_generators", given)
    setattr(model, name, given)
    if locked:
        tracker.lock(tracker._lock_violation_msg)


def is_argument(variable: keras.Variable) -> bool:
    """Returns whether a variable is among the arguments of the stateless function that is running.

    Private, as a scope can be entered by anyone, but not asked for. What isn't an argument is a
    constant of the function on JAX.
    """
    scope = get_stateless_scope()
    return scope is not None and scope.get_current_value(variable) is not None


def variables_of(optimizer: keras.Optimizer) -> list[keras.Variable]:
    """Returns the variables that an optimizer was built for, in the order of its gradients.

    Private, as `Optimizer.variables` are its own: moments, and the step.
    """
    return optimizer._trainable_variables


def batches_of(optimizer: keras.Optimizer) -> Any:
    """Returns how many batches an optimizer has seen.

    Private, as `Optimizer.iterations` are updates: what is gathered for the next is rounded off.
    """
    return optimizer._iterations


def seed_generators(layer: keras.Layer) -> list[keras.random.SeedGenerator]:
    """Returns the seed generators of a layer itself, not of those inside it.

    Private, as a layer's variables show their states only.
    """
    return list(layer._seed_generators)


def build_from_batch(model: keras.Model, batch) -> None:
    """Builds what of a compiled model is not built yet, such as its metrics, for such batches.

    Private, as Keras does so itself at the start of `fit`, where its replicas are of one process.
    """
    model._symbolic_build(data_batch=batch)


def sync_state(model: keras.Model) -> None:
    """Makes the variables of a model in training those that the training has reached.

    Private, as on JAX `fit` and `evaluate` hold the state outside the model, whose variables are
    empty meanwhile. Once it is inside, the next step takes it from there.
    """
    if keras.config.backend() == "jax":
        model.jax_state_sync()
