"""Private names of Keras that the library reads, with the reason for each.

Keras may change these in any release; `tests/ls_keras/backend/test_keras_internals.py` names those
that a new version has changed. `ls_keras.backend.tensors` reads the private names of tensors.
"""

from collections.abc import Iterator
from typing import Any, NamedTuple

import keras
from keras.src.backend.common.stateless_scope import get_stateless_scope
from keras.src.saving.keras_saveable import KerasSaveable


class Call(NamedTuple):
    """A layer's call in a graph of layers.

    Attributes:
        layer: The layer, or the operation of `keras.ops`, that was called.
        inputs: The symbolic tensors it was called with.
    """

    layer: Any
    inputs: list


def producing_call(tensor: keras.KerasTensor) -> Call:
    """Returns the call that produced a symbolic tensor.

    Private, as a model lists its layers and not their calls; a layer that several models share is
    called several times, and `layer.output` is the result of one call.
    """
    operation, node, _ = tensor._keras_history
    return Call(operation, operation._inbound_nodes[node].input_tensors)


def layers_before(tensor: keras.KerasTensor) -> Iterator[keras.Layer]:
    """Yields all layers that a symbolic tensor depends on, and those inside them, nearest first.

    Private, as `producing_call`.
    """
    left, seen = [tensor], {id(tensor)}
    while left:
        call = producing_call(left.pop(0))
        if isinstance(call.layer, keras.Layer):
            yield from layers_within(call.layer)
        for origin in call.inputs:
            if id(origin) not in seen:
                seen.add(id(origin))
                left.append(origin)


def layers_within(layer: keras.Layer) -> list[keras.Layer]:
    """Returns a layer and all layers inside it, at any depth.

    Private, as `Model.layers` doesn't list the layers inside a layer that is not a model.
    """
    return list(layer._flatten_layers())


def replace_part(layer: keras.Layer, name: str, part: keras.Layer) -> None:
    """Replaces the layer in an attribute of another layer.

    Private, as Keras keeps tracking a layer that was replaced, and a built layer accepts no new
    ones.
    """
    tracker = layer._tracker
    locked = tracker.locked
    tracker.unlock()
    tracker.untrack(getattr(layer, name))
    setattr(layer, name, part)
    if locked:
        tracker.lock(tracker._lock_violation_msg)


def collected_losses(layer: keras.Layer) -> list:
    """Returns the additional losses of a traced step, or an empty list outside of one.

    Private. On JAX these losses are results of the step's function, not attributes of layers, so
    a model that overrides `Layer.losses` needs them.
    """
    return layer._losses_override


class State(KerasSaveable):
    """A variable of a model that is neither weight nor metric, but saved and restored with it.

    Private, as Keras has such state for random seeds only. It reads the attribute `state`.

    Attributes:
        state: The variable.
    """

    def __init__(self, state: keras.Variable):
        self.state = state

    def _obj_type(self) -> str:
        return "Loss"  # so that Keras doesn't save its attributes

    def save_own_variables(self, store) -> None:
        """Writes the value to a store of Keras."""
        store["0"] = self.state

    def load_own_variables(self, store) -> None:
        """Reads the value, if the file has one: the model may be saved before it had this state."""
        if "0" in store.keys():  # noqa: SIM118, Keras's store is not iterable
            self.state.assign(store["0"])


def attach_variable(model: keras.Model, name: str, variable: keras.Variable) -> None:
    """Adds a variable to a model's `non_trainable_variables`, but not to its `weights`.

    Compiled steps then read it on JAX, too, where any other variable is a constant; and models
    with and without it can read each other's files. An earlier variable of this name is dropped.
    Private, as a public attribute would make it a weight.
    """
    tracker = model._tracker
    locked = tracker.locked
    tracker.unlock()
    if hasattr(model, name):
        tracker.untrack(getattr(model, name))
    state = State(variable)
    tracker.add_to_store("seed_generators", state)
    setattr(model, name, state)
    if locked:
        tracker.lock(tracker._lock_violation_msg)


def is_argument(variable: keras.Variable) -> bool:
    """Returns whether a variable is an argument of the stateless function that is running.

    Private, as `keras.StatelessScope` can be entered but not queried. On JAX, other variables are
    constants of the function.
    """
    scope = get_stateless_scope()
    return scope is not None and scope.get_current_value(variable) is not None


def variables_of(optimizer: keras.Optimizer) -> list[keras.Variable]:
    """Returns the variables that an optimizer updates, in the order of its gradients.

    Private, as `Optimizer.variables` are its own state.
    """
    return optimizer._trainable_variables


def batches_of(optimizer: keras.Optimizer) -> Any:
    """Returns the number of batches that an optimizer has seen.

    Private, as `Optimizer.iterations` counts updates, without the batches accumulated for the next.
    """
    return optimizer._iterations


def seed_generators(layer: keras.Layer) -> list[keras.random.SeedGenerator]:
    """Returns the seed generators of a layer itself, without those of layers inside it.

    Private, as a layer's variables contain their states only.
    """
    return list(layer._seed_generators)


def build_from_batch(model: keras.Model, batch) -> None:
    """Builds the parts of a compiled model that are not built yet, such as its metrics.

    Private, as Keras does this itself in `fit`, but only for replicas in one process.
    """
    model._symbolic_build(data_batch=batch)


def sync_state(model: keras.Model) -> None:
    """Updates the variables of a model to the current state of its training.

    Private. On JAX, `fit` and `evaluate` hold the state outside the model. After this call, the
    next step reads it from the model's variables.
    """
    if keras.config.backend() == "jax":
        model.jax_state_sync()
