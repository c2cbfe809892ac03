"""The part `optimizer` of a configuration."""

import dataclasses

from ls_base.errors import InputError
from lsk_engine.settings.parsing import one_of, within

SCHEDULES = ("constant", "inverse_sqrt", "cosine", "linear", "piecewise")


@dataclasses.dataclass(frozen=True)
class OptimizerConfig:
    """The optimizer and its learning rate over time.

    Attributes:
        name: A Keras optimizer, such as `adam`, `adamw` or `sgd`.
        learning_rate: The peak rate, reached after `warmup_steps`.
        schedule: `constant`; `inverse_sqrt` (as published for the Transformer: ∝ 1/√step);
            `cosine` or `linear` down to 0 at the last step; `piecewise`: constant between
            `boundaries`. All rise linearly first.
        warmup_steps: Steps of linear rise.
        boundaries: Of `piecewise`: the steps after which the rate is divided by `decay_factor`.
        decay_factor: Of `piecewise`.
        momentum: Of `sgd`.
        nesterov: Of `sgd`.
        dampening: Of `sgd`: the velocity is momentum · velocity + (1 − dampening) · gradient.
        beta_2: Of `adam` and `adamw`.
        epsilon: Of `adam` and `adamw`.
        weight_decay: Decoupled weight decay; 0: none.
        l2: Coefficient of a penalty l2/2 · Σ w² (its gradient l2 · w), over weights of rank 2 and
            above; 0: none.
        l2_layers: Names of the layers that `l2` is for; none: all.
        global_clipnorm: Largest norm of all gradients together; 0: no limit.
        logits_lr_multiplier: Of `sgd`: the rate of the layer `logits`, relative to the others'.
        ema_momentum: Momentum of an exponential moving average of the weights; 0: none.
    """

    name: str = "adam"
    learning_rate: float = 1e-3
    schedule: str = "constant"
    warmup_steps: int = 0
    boundaries: tuple[int, ...] = ()
    decay_factor: float = 10.0
    momentum: float = 0.9
    nesterov: bool = False
    dampening: float = 0.0
    beta_2: float = 0.999
    epsilon: float = 1e-7
    weight_decay: float = 0.0
    l2: float = 0.0
    l2_layers: tuple[str, ...] = ()
    global_clipnorm: float = 0.0
    logits_lr_multiplier: float = 1.0
    ema_momentum: float = 0.0

    def __post_init__(self):
        within("optimizer.learning_rate", self.learning_rate, 0)
        within("optimizer.warmup_steps", self.warmup_steps, 0)
        for key in ("weight_decay", "l2", "global_clipnorm", "logits_lr_multiplier"):
            within(f"optimizer.{key}", getattr(self, key), 0)
        within("optimizer.momentum", self.momentum, 0, 1)
        within("optimizer.beta_2", self.beta_2, 0, 1)
        within("optimizer.epsilon", self.epsilon, 0)
        within("optimizer.dampening", self.dampening, 0, 1)
        within("optimizer.ema_momentum", self.ema_momentum, 0, 1)
        one_of("optimizer.schedule", self.schedule, SCHEDULES)
        if (self.schedule == "piecewise") != bool(self.boundaries):
            raise InputError(
                "Expected optimizer.boundaries with the schedule piecewise, and with no other. "
                f"Received: {self.boundaries} with {self.schedule}"
            )
        if list(self.boundaries) != sorted({b for b in self.boundaries if b > 0}):
            raise InputError(
                f"Expected ascending optimizer.boundaries above 0. Received: {self.boundaries}"
            )
        if self.decay_factor <= 0:
            raise InputError(
                f"Expected optimizer.decay_factor above 0. Received: {self.decay_factor}"
            )
        if self.name != "sgd" and (self.dampening or self.logits_lr_multiplier != 1):
            raise InputError(
                "Expected optimizer.dampening and optimizer.logits_lr_multiplier with sgd only. "
                f"Received: {self.name}"
            )
        if self.nesterov and self.dampening:
            raise InputError("Expected optimizer.nesterov or optimizer.dampening. Received: both")
