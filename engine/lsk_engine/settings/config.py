"""The configuration of an experiment, and the presets that it starts from."""

import dataclasses
from collections.abc import Mapping
from typing import Any

from ls_base.errors import InputError
from lsk_engine.settings.distillation import DistillationConfig
from lsk_engine.settings.optimizer import OptimizerConfig
from lsk_engine.settings.training import TrainingConfig
from lsk_engine.settings.unsmoothing import unsmooth_alpha

PARTS = ("training", "optimizer", "data", "model", "decoding")
# Version of the settings in a run's config.json; configurations of other versions are refused.
CONFIG_SCHEMA = 2


@dataclasses.dataclass(frozen=True)
class Preset:
    """A named recipe.

    Attributes:
        name: Its name.
        purpose: What it is for, in a line.
        expected: Time and result to expect, and on what machine.
        settings: Values by dotted key that differ from the defaults.
    """

    name: str
    purpose: str
    expected: str
    settings: Mapping[str, Any]


@dataclasses.dataclass(frozen=True)
class Suggestion:
    """Preset and settings that a task suggests for a user's own data.

    Attributes:
        preset: A preset of the task.
        settings: Values by dotted key; settings of the user take precedence.
        notes: What was found and chosen, a sentence each.
    """

    preset: str
    settings: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    notes: tuple[str, ...] = ()


@dataclasses.dataclass(frozen=True)
class Config:
    """The settings of one experiment, all resolved."""

    task: str
    preset: str
    training: TrainingConfig
    optimizer: OptimizerConfig
    data: Any
    model: Any
    decoding: Any
    distillation: DistillationConfig | None = None

    def __post_init__(self):
        ema = self.optimizer.ema_momentum
        if self.training.average_checkpoints and ema:
            raise InputError(
                "Expected training.average_checkpoints or optimizer.ema_momentum, not both. "
                f"Received: {self.training.average_checkpoints} and {ema}"
            )
        if self.training.save_weights == "best" and ema:
            raise InputError(
                "Expected training.save_weights=best or optimizer.ema_momentum, not both: "
                "validation uses the weights that are not averaged. "
                f"Received: optimizer.ema_momentum={ema}"
            )
        unsmooth_alpha(self.training, self.decoding, self.distillation)  # refused before training

    def replace(self, part: str, **values: Any) -> "Config":
        """Returns the configuration with other values in one of its parts.

        Args:
            part: One of `PARTS`.
            **values: Values by the names of its fields.
        """
        new: Any = dataclasses.replace(getattr(self, part), **values)
        return dataclasses.replace(self, **{part: new})

    def to_dict(self) -> dict[str, Any]:
        """Returns the configuration as JSON can hold it."""
        values = dataclasses.asdict(self)
        return {part: value for part, value in values.items() if value is not None}
