"""What Keras has, but promises nobody: the one place that reads its private names.

Keras may move or change these in any release. Everything else that this project uses of Keras is
public. `tests/ls_keras/backend/test_keras_internals.py` says which of them a new Keras has changed.
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
    """Returns the call whose output a symbolic tensor is.

    Private, as a model lists its layers and not their calls: `layer.output` is that of one call,
    and a layer that several models share has several.
    """
    operation, node, _ = tensor._keras_history
    return Call(operation, operation._inbound_nodes[node].input_tensors)


def layers_before(tensor: keras.KerasTensor) -> Iterator[keras.Layer]:
    """Yields every layer whose calls a symbolic tensor depends on, and all those inside them.

    Private, as `producing_call` is. The nearest come first.
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


def attach_variable(model: keras.Model, name: str, variable: keras.Variable) -> None:
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
