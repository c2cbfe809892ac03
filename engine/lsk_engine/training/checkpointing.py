"""Saving the state of training while `fit` runs, and stopping on request."""

import math
from collections.abc import Callable

import keras
import numpy as np

from lsk_engine.runs.checkpoints import Checkpoints, restore_metrics
from lsk_engine.training.divergence import FiniteWatch


class CheckpointEvery(keras.callbacks.Callback):
    """Saves every `every` steps, and at once when `stop_requested()` says so.

    What is due at the end of an epoch is saved when `end_epoch` is called, after the epoch's
    history is written, so that no entry can be missing from a resumed run.

    Args:
        checkpoints: Where to save.
        every: Steps between checkpoints.
        step: The step that training starts from.
        total: The step that it ends at.
        steps_per_epoch: Steps in an epoch.
        stop_requested: Asked after each step; if true, the state is saved and training ends with
            `Interrupted`.
        watch: Asked before a state is saved.
        restored: The arrays of the checkpoint that training goes on from, if it does.
    """

    def __init__(
        self,
        checkpoints: Checkpoints,
        every: int,
        *,
        step: int,
        total: int,
        steps_per_epoch: int,
        stop_requested: Callable[[], bool],
        watch: FiniteWatch,
        restored: dict[str, np.ndarray] | None = None,
    ):
        super().__init__()
        self.checkpoints, self.every = checkpoints, every
        self.step, self.total, self.steps_per_epoch = step, total, steps_per_epoch
        self.stop_requested, self.watch, self.restored = stop_requested, watch, restored
        self._loss = math.nan

    def on_epoch_begin(self, epoch, logs=None):
        """Gives the metrics of a resumed epoch their means back: `fit` has just reset them."""
        if self.restored is not None and not self._epoch_ended():
            restore_metrics(self.model, self.restored)
        self.restored = None

    def on_train_batch_end(self, batch, logs=None):
        """Counts the step and saves."""
        self.step += 1
        self._loss = (logs or {}).get("loss", math.nan)
        if not self._epoch_ended():
            self._save_if_due()

    def end_epoch(self) -> None:
        """Saves what was due at the epoch's last step."""
        self._save_if_due()

    def _epoch_ended(self) -> bool:
        return self.step % self.steps_per_epoch == 0 or self.step == self.total

    def _save_if_due(self) -> None:
        stop = self.stop_requested() and self.step < self.total
        if stop or self.step % self.every == 0 or self.step == self.total:
            self.watch.check_loss(self.step, float(self._loss))
            self.checkpoints.save(self.model, self.step, self.watch.check_state)
        if stop:
            raise Interrupted(self.step)


class Interrupted(Exception):  # noqa: N818 - it is no error
    """Training was stopped on request; the state after `step` steps is saved."""

    def __init__(self, step: int):
        super().__init__(f"stopped after step {step}")
        self.step = step
