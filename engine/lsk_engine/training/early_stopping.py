"""Early stopping, and the step with the best validation."""

import math
from collections.abc import Mapping, Sequence

import keras

from ls_base.errors import FileError
from lsk_engine.runs.checkpoints import Checkpoints
from lsk_engine.runs.schemas import HistoryEntry
from lsk_engine.settings.training import TrainingConfig

VALIDATION = "val_"  # prefix of validation scores in the logs of an epoch, as in Keras


def validation_scores(logs: Mapping[str, float]) -> dict[str, float]:
    """Returns the validation scores in the logs of an epoch; empty if there was no validation."""
    return {
        name.removeprefix(VALIDATION): float(value)
        for name, value in logs.items()
        if name.startswith(VALIDATION)
    }


class EarlyStopping(keras.callbacks.Callback):
    """Follows a validation score; its state follows from the run's history alone.

    So a resumed run continues exactly, without a state of its own.

    Args:
        options: Monitored score, patience, and the weights to save.
        history: The entries up to the step that training continues from.
        kept: Steps whose checkpoints are not removed, a set that `Checkpoints` reads. With
            `save_weights=best`, it contains the best step.
        start: The step that training continues from.

    Attributes:
        step: The step with the best validation; 0: there was no validation yet.
        needs_checkpoint: Whether the state at the end of this epoch has to be saved.
    """

    def __init__(
        self,
        options: TrainingConfig,
        history: Sequence[HistoryEntry],
        kept: set[int],
        start: int = 0,
    ):
        super().__init__()
        self.options, self.kept, self.needs_checkpoint = options, kept, False
        self.step, self._score, self._since, self._now = 0, 0.0, 0, start
        for entry in history:
            if entry["validation"]:
                self.update(entry["step"], entry["validation"])

    @property
    def should_stop(self) -> bool:
        """Whether there were as many validations without improvement as patience allows."""
        return 0 < self.options.patience <= self._since

    def on_train_batch_end(self, batch, logs=None):
        """Counts the step."""
        self._now += 1

    def on_epoch_end(self, epoch, logs=None):
        """Takes the scores of a validation into account."""
        scores = validation_scores(logs or {})
        improved = bool(scores) and self.update(self._now, scores)
        best = improved and self.options.save_weights == "best"
        self.needs_checkpoint = self.should_stop or best

    def update(self, step: int, scores: Mapping[str, float]) -> bool:
        """Takes the scores after a step into account, and returns whether they are the best.

        NaN is worse than any number.
        """
        score = float(scores[self.options.monitor])
        sign = 1 if self.options.monitor == "accuracy" else -1
        # No number is at most NaN, so a first NaN is replaced by any number.
        better = not math.isnan(score) and not sign * score <= sign * self._score
        if self.step and not better:
            self._since += 1
            return False
        if self.options.save_weights == "best":
            self.kept.discard(self.step)
            self.kept.add(step)
        self.step, self._score, self._since = step, score, 0
        return True

    def check(self, checkpoints: Checkpoints) -> None:
        """Refuses to continue without the checkpoint of the best step, if its weights are saved.

        Raises:
            FileError: If the checkpoint is missing.
        """
        best = self.options.save_weights == "best"
        if best and self.step and self.step not in checkpoints.steps():
            raise FileError(
                f"Expected the checkpoint of step {self.step:,}, the best validation, in "
                f"{checkpoints.directory}; --set training.save_weights=last continues without it. "
                f"Received: steps {checkpoints.steps()}"
            )

    def restore(self, model: keras.Model, checkpoints: Checkpoints) -> None:
        """Sets the variables of a model to those of the best step.

        Raises:
            FileError: If its checkpoint is missing, unreadable, or of another model.
        """
        values = checkpoints.read_model(model, self.step)
        for variable, value in zip(model.variables, values, strict=True):
            variable.assign(value)

    def describe(self) -> str:
        """Returns the best validation as a phrase."""
        return (
            f"validation was best at step {self.step:,}, {self.options.monitor} {self._score:.4g}"
        )


def trim_history(
    history: Sequence[HistoryEntry],
    step: int,
    options: TrainingConfig,
    *,
    pending: bool,
    ended: bool,
) -> list[HistoryEntry]:
    """Returns the entries that a run keeps when it continues from a step.

    An epoch whose validation is pending may have its entry already, if the process was killed after
    writing it; the entry is written again. So is that of a partial epoch at whose end a run ended
    and that now continues, unless its weights are the best so far and are to be saved.

    Args:
        history: All entries.
        step: The step.
        options: Monitored score and the weights to save.
        pending: Whether the epoch that ends at the step is still to be validated.
        ended: Whether an epoch, or the run, ends at the step.
    """
    entries = [entry for entry in history if entry["step"] <= step]
    best = options.save_weights == "best" and EarlyStopping(options, entries, set()).step == step
    stays = not pending and (ended or best)
    return entries if stays else [entry for entry in entries if entry["step"] < step]
