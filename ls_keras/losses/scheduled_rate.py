"""A loss's rate as its attribute: fixed, or a variable of the model that trains with it."""

import contextlib
import weakref

import keras
import numpy as np
from keras import ops

from ls_base.errors import InputError
from ls_keras.backend import keras_internals
from ls_keras.backend.graph_inspection import primal
from ls_keras.backend.tracing import being_traced, tensor_of
from ls_keras.inputs.validation import shown
from ls_keras.losses.loss_inputs import Reading
from ls_keras.losses.rate import PER_EXAMPLE, Bounds


class Fixed:
    """A rate that stays.

    Attributes:
        value: See `Bounds.fixed`.
        constant: Whether a compiled step has read it.
    """

    def __init__(self, value):
        self.value, self.constant = value, False


class Moving:
    """A rate that moves: a variable, and the models that have it.

    Attributes:
        variable: A scalar, or `(K,)`.
        models: Those whose compiled steps read it.
    """

    def __init__(self, variable: keras.Variable):
        self.variable = variable
        self.models: weakref.WeakSet = weakref.WeakSet()

    def now(self) -> np.ndarray:
        """Returns the value, which on JAX may be outside the model while it trains."""
        for model in self.models:
            keras_internals.sync_state(model)
        return ops.convert_to_numpy(self.variable)

    def assign(self, value, name: str) -> None:
        """Sets the value, for the next step too.

        Raises:
            InputError: If its shape is another than the variable's.
        """
        if np.shape(value) != tuple(self.variable.shape):
            raise InputError(
                f"Expected {name} of the shape it moves in, {tuple(self.variable.shape)}. "
                f"Received: {shown(value)}"
            )
        for model in self.models:
            keras_internals.sync_state(model)
        self.variable.assign(np.asarray(value, np.float32))


class Rate:
    """The attribute: set to a number, to numbers `(K,)`, to `"per-example"` or to a variable.

    A variable stays, and numbers set it from then on, at once. A number that a compiled step has
    read is a constant of that step, so to set it raises.
    """

    def __init__(self, low: float = 0.0, high: float = np.inf):
        self.bounds = Bounds("alpha", low, high)

    def __set_name__(self, owner, name: str):
        self.bounds = self.bounds._replace(name=name)

    def __get__(self, loss, owner=None):
        if loss is None:
            return self
        held = loss._rate
        return held.variable if isinstance(held, Moving) else held.value

    def __set__(self, loss, value):
        if isinstance(value, keras.Variable):
            loss._rate = Moving(value)
            return
        value, held = self.bounds.fixed(value), vars(loss).get("_rate")
        if isinstance(held, Moving):
            held.assign(value, self.bounds.name)
            return
        if held is not None and held.constant:
            name = self.bounds.name
            raise InputError(
                f"Expected {name} to stay as it is once a compiled step has read it as a constant; "
                "it moves by ls_keras.callbacks.AlphaSchedule, whose set_model(model) makes it a "
                f"variable that can be set. Received: {name}={shown(value)}"
            )
        loss._rate = Fixed(value)

    def read(self, loss, y_pred):
        """Returns what the loss computes with: see `Bounds.at_positions`.

        Args:
            loss: Whose rate it is.
            y_pred: The predictions, which tell whether this is a compiled step.

        Raises:
            InputError: If a compiled step on JAX would take a variable for a constant.
        """
        traced = being_traced(primal(y_pred)) and not keras_internals.only_shapes()
        held = loss._rate
        if not isinstance(held, Moving):
            # PyTorch's compiler looks at the attribute in each step.
            held.constant |= traced and keras.config.backend() != "torch"
            return held.value
        if (
            traced
            and keras.config.backend() == "jax"
            and not keras_internals.is_argument(held.variable)
        ):
            raise InputError(
                f"Expected {self.bounds.name}, which moves, among the variables of what is "
                "compiled: on JAX it would be a constant. AlphaSchedule's set_model(model) puts it "
                "there in fit; in a step of one's own, the loss is called in "
                f"keras.StatelessScope([(loss.{self.bounds.name}, value)]). "
                f"Received: {loss.name!r} in a compiled function without it"
            )
        return tensor_of(held.variable)

    def at(self, loss, reading: Reading):
        """Returns the rate where the losses are, see `Bounds.at_positions`."""
        targets, z, _ = reading
        return self.bounds.at_positions(self.read(loss, z), targets, z)

    def stored(self, loss) -> float | list | str:
        """Returns the rate as a configuration in JSON holds it: of a variable, what it is now."""
        held = loss._rate
        value = held.now() if isinstance(held, Moving) else held.value
        return value if isinstance(value, str) else np.asarray(value).tolist()


def rate_of(loss) -> Rate | None:
    """Returns the attribute of a loss that is its rate, or `None`."""
    owners = type(loss).__mro__
    found = (value for owner in owners for value in vars(owner).values() if isinstance(value, Rate))
    return next(found, None)


def let_move(model: keras.Model, loss, rate: Rate, name: str, value) -> None:
    """Makes a loss's rate a variable of a model, which its compiled steps read.

    Args:
        model: Compiled; its steps are compiled anew where they were without the variable.
        loss: One of its losses.
        rate: Its rate.
        name: The model's attribute that holds it, by which it is saved and restored.
        value: A number or numbers `(K,)`, to begin with.

    Raises:
        InputError: If the rate comes with the examples, or can't have this value.
    """
    value, held = rate.bounds.fixed(value), loss._rate
    if isinstance(value, str) or (isinstance(held, Fixed) and isinstance(held.value, str)):
        raise InputError(
            f"Expected a loss whose {rate.bounds.name} is one for all examples, or one a class, to "
            f"move. Received: {rate.bounds.name}={PER_EXAMPLE!r}"
        )
    if not isinstance(held, Moving) or tuple(held.variable.shape) != np.shape(value):
        # Float32 and without autocast, whatever precision the model has.
        with _scope(model):
            variable = keras.Variable(
                np.asarray(value, np.float32),
                trainable=False,
                dtype="float32",
                autocast=False,
                name=name,
            )
        held = loss._rate = Moving(variable)
    if model not in held.models or getattr(model, name, None) is None:
        keras_internals.sync_state(model)
        keras_internals.give_state(model, name, held.variable)
        held.models.add(model)
        model.train_function = model.test_function = None
    held.assign(value, rate.bounds.name)


def _scope(model: keras.Model):
    """Returns where the model's variables are made: of two replicas, each has one."""
    if keras.config.backend() == "tensorflow":
        return model.distribute_strategy.scope()
    return contextlib.nullcontext()
