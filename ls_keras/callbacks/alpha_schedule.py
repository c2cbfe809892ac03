"""A callback that changes a loss's rate, such as α, during training."""

import contextlib
from collections.abc import Callable, Mapping
from typing import Any

import keras
import numpy as np
from keras import ops

from ls_base.brief_repr import brief_repr
from ls_keras.backend.keras_internals import attach_variable, sync_state
from ls_keras.callbacks.optimizer_steps import UpdateCounter, count_updates
from ls_keras.errors import InputError, shown
from ls_keras.inputs.registry import deserialize
from ls_keras.losses.alpha import PER_EXAMPLE, RateBounds


class AlphaSchedule(keras.callbacks.Callback):
    """Sets the rate of a model's losses before each training step.

    For `SmoothedCE`, `SmoothedBCE`, `MaxSup` and `MarginSmoothing` (`alpha`), `NegativeSmoothing`
    (`rate`) and `ConfidencePenalty` (`beta`). The rate becomes a `keras.Variable`, one of the
    model's `non_trainable_variables` but none of its `weights`, so that steps compiled by
    TensorFlow, JAX or PyTorch read its current value. It keeps its last value after `fit`, and is
    saved with the model, in a `.keras` file as the number in the loss's configuration. A loaded
    model continues with that rate, or with the schedule if it is trained with this callback.

    A step is one update of the optimizer, whose `iterations` are read at the start of an epoch, so
    that a resumed `fit` continues the schedule. With `steps_per_execution=n`, the rate is set once
    in n steps. At the end of an epoch the rate is in `logs` as `alpha`, or `<output>_alpha` with
    `output`, so that each output of a model can have its own schedule.

    In a loop of `train_on_batch`, `set_model(model)` makes the variable, and
    `model.loss.alpha.assign(…)` sets it.

    Args:
        schedule: A function of the step, from 0, that returns a number, or numbers `(K,)` per
            class; a `keras.optimizers.schedules.LearningRateSchedule`, or its configuration.
        output: If the model's losses are a dict or list, the key of the loss to set. Default: all
            losses that have a rate.

    Raises:
        InputError: If the schedule is something else; in `fit`, if no loss of the model has a rate
            that can be set, or if the loss refuses the number that the schedule returns.

    Example:
    >>> import keras, numpy as np
    >>> import ls_keras
    >>> model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(4)])
    >>> model.compile("sgd", ls_keras.MaxSup(from_logits=True))
    >>> rising = keras.optimizers.schedules.PolynomialDecay(0.1, 4, end_learning_rate=0.2)
    >>> x, y = np.random.rand(64, 3), np.arange(64) % 4
    >>> schedule = ls_keras.callbacks.AlphaSchedule(rising)
    >>> fit = model.fit(x, y, epochs=3, batch_size=32, callbacks=[schedule], verbose=0)
    >>> [round(alpha, 3) for alpha in fit.history["alpha"]]
    [0.125, 0.175, 0.2]
    """

    def __init__(self, schedule: Callable, output: str | int | None = None):
        super().__init__()
        if isinstance(schedule, Mapping):
            schedule = deserialize(dict(schedule), "a schedule")
        if not callable(schedule) or isinstance(schedule, type):
            raise InputError(
                "Expected schedule to be a function of the step, or a "
                f"keras.optimizers.schedules.LearningRateSchedule. Received: {shown(schedule)}"
            )
        self.schedule, self.output = schedule, output
        self._losses: list = []
        self._updates: UpdateCounter | None = None  # at the start of the epoch
        self._value: Any = None

    def __repr__(self) -> str:
        return brief_repr(self, schedule=self.schedule, output=self.output)

    def set_model(self, model):
        """Makes the rates of the model's losses variables of the model."""
        super().set_model(model)
        self._losses = _find_losses(model, self.output)
        self._updates, self._value = None, self._compute(self._count_updates().made)
        # Numbered among all losses, so that two schedules use different variables.
        numbers = [id(loss) for loss in _rated(model.loss)]
        for loss in self._losses:
            number = numbers.index(id(loss))
            name = f"moving_{loss.rate_bounds.name}" + (f"_{number}" if number else "")
            _make_variable(model, loss, name, _clip(self._value, loss.rate_bounds))
        self._assign()

    def on_epoch_begin(self, epoch, logs=None):
        """Reads the step, which may be restored from a checkpoint."""
        self._updates, self._value = self._count_updates(), None

    def on_train_batch_begin(self, batch, logs=None):
        """Sets the rate for the next step."""
        if self._updates is None:  # `train_on_batch`, which begins no epoch
            value = self._compute(self._count_updates().made)
        else:
            value = self._compute(self._updates.after(batch))
        # Skipped if unchanged: on JAX, an assignment moves the model's whole state.
        if self._value is None or not np.array_equal(value, self._value):
            self._value = value
            self._assign()

    def on_epoch_end(self, epoch, logs=None):
        """Adds the rate to the logs."""
        if logs is not None and np.ndim(self._value) == 0:
            prefix = "" if self.output is None else f"{self.output}_"
            for loss in self._losses:
                logs[f"{prefix}{loss.rate_bounds.name}"] = float(self._value)

    def _assign(self) -> None:
        sync_state(self.model)
        for loss in self._losses:
            bounds = loss.rate_bounds
            variable = getattr(loss, bounds.name)
            value = bounds.validate(_clip(self._value, bounds))
            if np.shape(value) != tuple(variable.shape):
                raise InputError(
                    f"Expected {bounds.name} of the same shape in each step, "
                    f"{tuple(variable.shape)}. Received: {shown(value)}"
                )
            variable.assign(np.asarray(value, np.float32))

    def _count_updates(self) -> UpdateCounter:
        optimizer = getattr(self.model, "optimizer", None)
        return UpdateCounter() if optimizer is None else count_updates(optimizer)

    def _compute(self, step: int):
        value = self.schedule(step)
        if ops.is_tensor(value):
            value = ops.convert_to_numpy(value)
        if isinstance(value, np.ndarray) and not value.ndim:
            value = value.item()
        return value


def _make_variable(model: keras.Model, loss, name: str, value) -> None:
    """Replaces a loss's rate by a variable, and attaches it to a model.

    Args:
        model: A compiled model, whose steps are compiled again if the variable is new to them.
        loss: One of its losses.
        name: The model's attribute for the variable, under which it is saved.
        value: The first value, a number or numbers `(K,)`.
    """
    bounds = loss.rate_bounds
    value, rate = bounds.validate(value), getattr(loss, bounds.name)
    if isinstance(value, str) or isinstance(rate, str):
        raise InputError(
            f"Expected a loss whose {bounds.name} is one for all examples, or one per class, to "
            f"set it by a schedule. Received: {bounds.name}={PER_EXAMPLE!r}"
        )
    if not isinstance(rate, keras.Variable) or tuple(rate.shape) != np.shape(value):
        scope: Any = contextlib.nullcontext()
        if keras.config.backend() == "tensorflow":
            scope = model.distribute_strategy.scope()  # a copy for each replica
        with scope:
            rate = keras.Variable(
                np.asarray(value, np.float32),
                trainable=False,
                dtype="float32",
                autocast=False,
                name=name,
            )
        setattr(loss, bounds.name, rate)
    if getattr(getattr(model, name, None), "state", None) is not rate:
        sync_state(model)
        attach_variable(model, name, rate)
        model.train_function = model.test_function = None


def _clip(value, bounds: RateBounds):
    """Returns a bound for a value that exceeds it by the rounding of float32."""
    if isinstance(value, float):
        bound = float(np.clip(value, bounds.low, bounds.high))
        return bound if abs(bound - value) < 1e-6 else value
    return value


def _find_losses(model: keras.Model, output) -> list:
    losses: Any = getattr(model, "loss", None)
    found: Any = losses
    if output is not None:
        try:
            found = losses[output]
        except (TypeError, KeyError, IndexError):
            found = None
    found = _rated(found)
    if not found:
        where = "" if output is None else f" for the output {shown(output)}"
        raise InputError(
            f"Expected a model compiled with a loss{where} whose rate can be set, such as "
            f"ls_keras.SmoothedCE. Received: {model.name!r} with loss={shown(losses)}"
        )
    return found


def _rated(losses) -> list:
    """Returns the losses that have a rate, without duplicates."""
    found = (loss for loss in keras.tree.flatten(losses) if getattr(loss, "rate_bounds", None))
    return list({id(loss): loss for loss in found}.values())
