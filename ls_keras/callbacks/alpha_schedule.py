"""A loss's rate that follows a schedule while a model trains."""

from collections.abc import Callable, Mapping
from typing import Any

import keras
import numpy as np
from keras import ops

from ls_base.brief_repr import brief_repr
from ls_base.errors import InputError
from ls_keras.callbacks.optimizer_steps import Updates, updates_of
from ls_keras.inputs.registry import from_config
from ls_keras.inputs.validation import shown
from ls_keras.losses.scheduled_rate import Rate, let_move, rate_of


class AlphaSchedule(keras.callbacks.Callback):
    """Sets the rate of a model's losses before each step: α, or what the loss calls it.

    For `SmoothedCE`, `MaxSup` and `MarginSmoothing` (alpha), `NegativeSmoothing` (rate) and
    `ConfidencePenalty` (beta). The rate becomes a variable among the model's
    `non_trainable_variables`, and no weight of it: steps compiled by TensorFlow, JAX or PyTorch
    read it, and after `fit` it stays where it is. Files that Keras saves hold it, a `.keras` file
    in the loss's configuration: a loaded model goes on with the rate that it had, or by the
    schedule with this callback.

    A step is one update of the optimizer, whose `iterations` are read when an epoch begins, so that
    a resumed `fit` goes on. With `steps_per_execution=n`, the rate is set once in n steps. At the
    end of epochs the rate is in `logs`, by its name: `alpha`, or `<output>_alpha` with `output`.
    So each output of a model may have a schedule of its own.

    In a loop of `train_on_batch`, `set_model(model)` makes the variable, and `model.loss.alpha = …`
    sets it from then on.

    Args:
        schedule: A function of the step, from 0, that returns a number, or numbers `(K,)` by class;
            a `keras.optimizers.schedules.LearningRateSchedule`, or its configuration.
        output: Of losses in a dict or list, the key of the one that is set. Default: all those
            that have a rate.

    Raises:
        InputError: If the schedule is none of these; in `fit`, if no loss of the model has a rate
            that can move, or if the schedule gives a number that the loss refuses.

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
            schedule = from_config(dict(schedule), "a schedule")
        if not callable(schedule) or isinstance(schedule, type):
            raise InputError(
                "Expected schedule to be a function of the step, or a "
                f"keras.optimizers.schedules.LearningRateSchedule. Received: {shown(schedule)}"
            )
        self.schedule, self.output = schedule, output
        self._losses: list = []
        self._updates: Updates | None = None  # as the epoch began
        self._now: Any = None

    def __repr__(self) -> str:
        return brief_repr(self, schedule=self.schedule, output=self.output)

    def set_model(self, model):
        """Takes the model, whose losses' rates become variables of it."""
        super().set_model(model)
        self._losses = _losses_with_a_rate(model, self.output)
        # A name by the place among all, so that no other schedule's variable has it.
        places = [id(loss) for loss in _rated(model.loss)]
        self._updates, self._now = None, self._value(self._read_updates().made)
        for loss in self._losses:
            rate, number = _rate(loss), places.index(id(loss))
            name = "_".join(["moving", rate.bounds.name, *([str(number)] if number else [])])
            let_move(model, loss, rate, name, _rounded(self._now, rate))

    def on_epoch_begin(self, epoch, logs=None):
        """Reads the step, which may be a restored one."""
        self._updates, self._now = self._read_updates(), None

    def on_train_batch_begin(self, batch, logs=None):
        """Sets the rate of the step that comes."""
        if self._updates is None:  # `train_on_batch`, which begins no epoch
            value = self._value(self._read_updates().made)
        else:
            value = self._value(self._updates.after(batch))
        # On JAX, to set a variable takes the model's whole state there and back.
        if self._now is not None and np.array_equal(value, self._now):
            return
        self._now = value
        for loss in self._losses:
            rate = _rate(loss)
            setattr(loss, rate.bounds.name, _rounded(value, rate))

    def on_epoch_end(self, epoch, logs=None):
        """Logs the rate."""
        if logs is not None and np.ndim(self._now) == 0:
            names = (_rate(loss).bounds.name for loss in self._losses)
            prefix = "" if self.output is None else f"{self.output}_"
            logs.update({f"{prefix}{name}": float(self._now) for name in names})

    def _read_updates(self) -> Updates:
        optimizer = getattr(self.model, "optimizer", None)
        return Updates() if optimizer is None else updates_of(optimizer)

    def _value(self, step: int):
        value = self.schedule(step)
        if ops.is_tensor(value):
            value = ops.convert_to_numpy(value)
        if isinstance(value, np.ndarray) and not value.ndim:
            value = value.item()
        return value


def _rounded(value, rate: Rate):
    """Returns a bound of the rate where a value is beyond it by what float32 rounds."""
    if isinstance(value, float):
        bound = float(np.clip(value, rate.bounds.low, rate.bounds.high))
        return bound if abs(bound - value) < 1e-6 else value
    return value


def _losses_with_a_rate(model: keras.Model, output) -> list:
    losses: Any = getattr(model, "loss", None)
    found: Any = losses
    if output is not None:
        try:
            found = losses[output]
        except (TypeError, KeyError, IndexError):
            found = None
    found = _rated(found)
    if not found:
        where = "" if output is None else f" of the output {shown(output)}"
        raise InputError(
            f"Expected a model compiled with a loss{where} whose rate can move, such as "
            f"ls_keras.SmoothedCE. Received: {model.name!r} with loss={shown(losses)}"
        )
    return found


def _rated(losses) -> list:
    """Returns the losses that have a rate, each once."""
    found = (loss for loss in keras.tree.flatten(losses) if rate_of(loss) is not None)
    return list({id(loss): loss for loss in found}.values())


def _rate(loss) -> Rate:
    rate = rate_of(loss)
    if rate is None:
        raise InputError(f"Expected a loss with a rate. Received: {shown(loss)}")
    return rate
