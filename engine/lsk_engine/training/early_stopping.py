"""Which validation was the best, and whether there is hope for a better one."""

import math
from collections.abc import Mapping, Sequence

import keras

from ls_base.errors import FileError
from lsk_engine.runs.checkpoints import Checkpoints
from lsk_engine.runs.schemas import HistoryEntry
from lsk_engine.settings.training import TrainingConfig


class BestValidation:
    """Follows a score of validation; all that it knows is in the run's history.

    So a resumed run knows what the run would have known, and needs no state of its own.

    Args:
        options: What is watched, how patient training is, and what it keeps.
        history: The entries up to the step that training goes on from.
        kept: Steps whose checkpoints stay, which it changes: the best, with
            `save_weights=best`.

    Attributes:
        step: The step of the best; 0: there was no validation yet.
        over: Whether patience has come to its end.
    """

    def __init__(self, options: TrainingConfig, history: Sequence[HistoryEntry], kept: set[int]):
        self.options, self.kept = options, kept
        self.step, self._score, self._since = 0, 0.0, 0
        for entry in history:
            if entry["validation"]:
                self.take(entry["step"], entry["validation"])

    @property
    def over(self) -> bool:
        """See above."""
        return 0 < self.options.patience <= self._since

    def take(self, step: int, scores: Mapping[str, float]) -> bool:
        """Takes note of the scores after a step, and returns whether they are the best.

        One that is not a number is worse than all that are.
        """
        score = float(scores[self.options.monitor])
        sign = 1 if self.options.monitor == "accuracy" else -1
        # No number is at most NaN: one that is there first makes way for any.
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
        """Refuses to go on without the checkpoint of the best, where it is to be kept.

        Raises:
            FileError: If it is not there.
        """
        if (
            self.options.save_weights == "best"
            and self.step
            and self.step not in checkpoints.steps()
        ):
            raise FileError(
                f"Expected the checkpoint of step {self.step:,}, the best validation, in "
                f"{checkpoints.directory}; --set training.save_weights=last goes on without it. "
                f"Received: steps {checkpoints.steps()}"
            )

    def restore(self, model: keras.Model, checkpoints: Checkpoints) -> None:
        """Sets the variables of a model to those of the best.

        Raises:
            FileError: If its checkpoint is missing, unreadable, or of another model.
        """
        values = checkpoints.read_model(model, self.step)
        for variable, value in zip(model.variables, values, strict=True):
            variable.assign(value)

    def said(self) -> str:
        """Returns the best in words."""
        return (
            f"validation was best at step {self.step:,}, {self.options.monitor} {self._score:.4g}"
        )


def history_until(
    history: Sequence[HistoryEntry], step: int, options: TrainingConfig, *, owed: bool, ended: bool
) -> list[HistoryEntry]:
    """Returns the entries that a run keeps which goes on from a step.

    Paid before and not saved since, an owed epoch has its entry already: it comes again. So does
    the part of an epoch that a run ended with which now goes on; its entry stays where its weights
    are the best so far, and to be kept.

    Args:
        history: What there is.
        step: See above.
        options: What is watched and kept.
        owed: Whether the epoch that ends at the step is yet to be validated.
        ended: Whether an epoch, or the run, ends at the step.
    """
    entries = [entry for entry in history if entry["step"] <= step]
    stays = not owed and (
        ended
        or (options.save_weights == "best" and BestValidation(options, entries, set()).step == step)
    )
    return entries if stays else [entry for entry in entries if entry["step"] < step]
