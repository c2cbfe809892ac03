"""One experiment's configuration, and the presets that it starts from."""

import dataclasses
from collections.abc import Mapping
from typing import Any

from ls_base.errors import InputError
from lsk_engine.settings.distillation import DistillationConfig
from lsk_engine.settings.optimizer import OptimizerConfig
from lsk_engine.settings.training import TrainingConfig
from lsk_engine.settings.unsmoothing import undone_alpha

PARTS = ("training", "optimizer", "data", "model", "decoding")


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
class Config:
    """One experiment, resolved: nothing is decided later."""

    task: str
    preset: str
    training: TrainingConfig
    optimizer: OptimizerConfig
    data: Any
    model: Any
    decoding: Any
    distillation: DistillationConfig | None = None

    def __post_init__(self):
        if self.training.average_checkpoints and self.optimizer.ema_momentum:
            raise InputError(
                "Expected training.average_checkpoints or optimizer.ema_momentum, not both. "
                f"Received: {self.training.average_checkpoints} and {self.optimizer.ema_momentum}"
            )
        undone_alpha(self.training, self.decoding, self.distillation)  # before training, not after

        if self.training.save_weights == "best" and self.optimizer.ema_momentum:
            raise InputError(
                "Expected training.save_weights=best or optimizer.ema_momentum, not both: "
                "validation uses the weights that are not averaged. "
                f"Received: optimizer.ema_momentum={self.optimizer.ema_momentum}"
            )

    def changed(self, part: str, **values: Any) -> "Config":
        """Returns the configuration with other values in one of its parts.

        Args:
            part: Of `PARTS`.
            **values: By the names of its fields.
        """
        new: Any = dataclasses.replace(getattr(self, part), **values)
        return dataclasses.replace(self, **{part: new})

    def to_dict(self) -> dict[str, Any]:
        """Returns the configuration as JSON can hold it."""
        values = dataclasses.asdict(self)
        return {part: value for part, value in values.items() if value is not None}
