"""Optimizers and learning-rate schedules from a configuration."""

import dataclasses
import math
from collections.abc import Sequence

import keras
from keras import ops

from ls_base.errors import InputError
from lsk_engine.settings.optimizer import OptimizerConfig
from lsk_engine.training.gradients import GradientTransform, GradientTransformMixin


@keras.saving.register_keras_serializable(package="ls_keras")
class WarmUp(keras.optimizers.schedules.LearningRateSchedule):
    """A linear rise to the peak rate, then a decay.

    With warm-up W ≥ 1, last step S and 1-based step t, the rate is `peak · min(t/W, d(t))`, where
    d(t) is 1 (`constant`), √(W/t) (`inverse_sqrt`), ½(1 + cos(π(t − W)/(S − W))) (`cosine`),
    (S − t)/(S − W) (`linear`) or f^−n (`piecewise`), n the number of boundaries below t.

    `inverse_sqrt` is the Transformer's published schedule: its factor · d_model^−½ is
    `peak · W^½`.

    Args:
        peak: The rate at step W.
        warmup_steps: W; 0 counts as 1.
        decay: One of the names above.
        total_steps: S; used by `cosine` and `linear`.
        boundaries: Steps, ascending; used by `piecewise`.
        decay_factor: f; used by `piecewise`.

    Example:
    >>> [round(float(WarmUp(1.0, 4, "inverse_sqrt")(step)), 3) for step in (0, 3, 15)]
    [0.25, 1.0, 0.5]

    References:
        Vaswani et al. (2017), *Attention Is All You Need*, section 5.3.
    """

    def __init__(
        self,
        peak: float,
        warmup_steps: int,
        decay: str,
        total_steps: int = 1,
        boundaries: Sequence[int] = (),
        decay_factor: float = 10.0,
    ):
        super().__init__()
        self.peak, self.warmup_steps = peak, warmup_steps
        self.decay, self.total_steps = decay, total_steps
        self.boundaries, self.decay_factor = tuple(boundaries), decay_factor

    def __call__(self, step):
        """Returns the rate of the 0-based `step`."""
        t = ops.cast(step, "float32") + 1.0
        warmup = float(max(self.warmup_steps, 1))
        done = ops.clip((t - warmup) / max(self.total_steps - warmup, 1.0), 0.0, 1.0)
        if self.decay == "inverse_sqrt":
            factor = ops.sqrt(warmup / t)
        elif self.decay == "cosine":
            factor = 0.5 * (1.0 + ops.cos(math.pi * done))
        elif self.decay == "linear":
            factor = 1.0 - done
        elif self.decay == "piecewise":
            passed = [ops.cast(t > boundary, "float32") for boundary in self.boundaries]
            factor = self.decay_factor ** -ops.cast(sum(passed), "float32")
        else:
            factor = ops.ones_like(t)
        return self.peak * ops.minimum(t / warmup, factor)

    def get_config(self):
        """Returns the arguments."""
        return {
            "peak": self.peak,
            "warmup_steps": self.warmup_steps,
            "decay": self.decay,
            "total_steps": self.total_steps,
            "boundaries": list(self.boundaries),
            "decay_factor": self.decay_factor,
        }


class EMAAtEndMixin:
    """Mixin for a Keras optimizer with `use_ema`: averages the weights once, at the end.

    Keras does so at the end of every `fit`, which a run calls once per epoch.
    """

    def finalize_variable_values(self, var_list) -> None:
        """Does nothing: training continues."""

    def average(self, var_list) -> None:
        """Sets the variables to their moving averages."""
        super().finalize_variable_values(var_list)  # type: ignore[misc]


def apply_ema(model: keras.Model) -> None:
    """Sets the weights of a model to their moving averages; its optimizer is an `EMAAtEndMixin`."""
    optimizer = model.optimizer
    # In 16 bits, `compile` wraps the optimizer in one that scales the loss.
    optimizer = getattr(optimizer, "inner_optimizer", optimizer)
    optimizer.average(model.trainable_variables)


def build_schedule(config: OptimizerConfig, total_steps: int) -> WarmUp:
    """Creates the learning rate over time that `config` describes, for a run of `total_steps`."""
    return WarmUp(
        config.learning_rate,
        config.warmup_steps,
        config.schedule,
        total_steps,
        config.boundaries,
        config.decay_factor,
    )


def build_optimizer(
    config: OptimizerConfig, total_steps: int, *, loss_weight: float = 1.0
) -> keras.optimizers.Optimizer:
    """Creates the optimizer that `config` describes, for a run of `total_steps`.

    With `config.ema_momentum` it is an `EMAAtEndMixin`, with anything that changes gradients a
    `GradientTransformMixin`.
    """
    rate = build_schedule(config, total_steps)
    # No decay is `None`, which adds nothing to a step; AdamW takes numbers alone.
    name = config.name.lower()  # as Keras reads it
    decay = config.weight_decay if name == "adamw" else config.weight_decay or None
    arguments: dict = {"learning_rate": rate, "weight_decay": decay}
    if name == "muon":  # which decays by a rate of its own what it leaves to Adam
        arguments["adam_weight_decay"] = decay
    if config.ema_momentum:
        arguments |= {"use_ema": True, "ema_momentum": config.ema_momentum}
    if name == "sgd":
        arguments |= {"momentum": config.momentum, "nesterov": config.nesterov}
    elif name in ("adam", "adamw"):
        arguments |= {"beta_2": config.beta_2, "epsilon": config.epsilon}
    try:
        kind = type(keras.optimizers.get(config.name))
    except ValueError as error:
        raise InputError(
            f"Expected optimizer.name to be a Keras optimizer. Received: {config.name!r}"
        ) from error
    if config.ema_momentum:
        kind = type(f"Averaged{kind.__name__}", (EMAAtEndMixin, kind), {})
    transform = GradientTransform(
        loss_weight=loss_weight,
        **{
            field.name: getattr(config, field.name)
            for field in dataclasses.fields(GradientTransform)
            if field.name != "loss_weight"
        },
    )
    if transform != GradientTransform():
        kind = type(kind.__name__, (GradientTransformMixin, kind), {"transform": transform})
    return kind(**arguments)
