"""Settings of the optimizer: the part `optimizer` of a configuration."""

import dataclasses
from typing import Literal

from ls_base.errors import InputError
from lsk_engine.settings.parsing import (
    Fraction,
    NonNegativeFloat,
    NonNegativeInt,
    PositiveFloat,
    PositiveInt,
)


@dataclasses.dataclass(frozen=True)
class OptimizerConfig:
    """The optimizer and its learning rate over time.

    Attributes:
        name: A Keras optimizer, such as `adam`, `adamw` or `sgd`.
        learning_rate: Peak learning rate, reached after `warmup_steps`.
        schedule: `constant`; `inverse_sqrt` (as published for the Transformer: ∝ 1/√step);
            `cosine` or `linear` down to 0 at the last step; `piecewise`: constant between
            `boundaries`. All rise linearly first.
        warmup_steps: Steps of linear rise.
        boundaries: For `piecewise`: steps after which the rate is divided by `decay_factor`.
        decay_factor: For `piecewise`: divisor of the rate at each boundary.
        momentum: For `sgd`.
        nesterov: For `sgd`: whether to use Nesterov momentum.
        dampening: For `sgd`: the velocity is momentum · velocity + (1 − dampening) · gradient.
        beta_2: For `adam` and `adamw`.
        epsilon: For `adam` and `adamw`.
        weight_decay: Decoupled weight decay; 0: none.
        l2: Coefficient of a penalty l2/2 · Σ w² (its gradient l2 · w), over weights of rank 2 and
            above; 0: none.
        l2_layers: Names of the layers with the penalty; none: all.
        global_clipnorm: Largest norm of all gradients together; 0: no limit.
        logits_lr_multiplier: For `sgd`: factor on the learning rate of the layer `logits`.
        ema_momentum: Momentum of an exponential moving average of the weights; 0: none.
    """

    name: str = "adam"
    learning_rate: NonNegativeFloat = 1e-3
    schedule: Literal["constant", "inverse_sqrt", "cosine", "linear", "piecewise"] = "constant"
    warmup_steps: NonNegativeInt = 0
    boundaries: tuple[PositiveInt, ...] = ()
    decay_factor: PositiveFloat = 10.0
    momentum: Fraction = 0.9
    nesterov: bool = False
    dampening: Fraction = 0.0
    beta_2: Fraction = 0.999
    epsilon: NonNegativeFloat = 1e-7
    weight_decay: NonNegativeFloat = 0.0
    l2: NonNegativeFloat = 0.0
    l2_layers: tuple[str, ...] = ()
    global_clipnorm: NonNegativeFloat = 0.0
    logits_lr_multiplier: NonNegativeFloat = 1.0
    ema_momentum: Fraction = 0.0

    def __post_init__(self):
        if (self.schedule == "piecewise") != bool(self.boundaries):
            raise InputError(
                "Expected optimizer.boundaries with optimizer.schedule=piecewise only. "
                f"Received: {self.boundaries} with {self.schedule}"
            )
        if list(self.boundaries) != sorted(set(self.boundaries)):
            raise InputError(
                f"Expected ascending optimizer.boundaries. Received: {self.boundaries}"
            )
        if self.name != "sgd" and (self.dampening or self.logits_lr_multiplier != 1):
            raise InputError(
                "Expected optimizer.dampening and optimizer.logits_lr_multiplier with sgd only. "
                f"Received: {self.name}"
            )
        if self.nesterov and self.dampening:
            raise InputError("Expected optimizer.nesterov or optimizer.dampening. Received: both")
