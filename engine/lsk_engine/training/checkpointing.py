"""Saving the state of training while `fit` runs, and stopping on request."""

import math

import keras
import numpy as np

from ls_keras.backend.keras_internals import sync_state
from lsk_engine.runs.checkpoints import Checkpoints, restore_metrics
from lsk_engine.training.divergence import FiniteWatch
from lsk_engine.training.signals import StopRequest


class CheckpointEvery(keras.callbacks.Callback):
    """Saves every `every` steps, and at once when `stop_requested()` says so.

    What is due at the end of an epoch is saved when `end_epoch` is called, after the epoch's
    history is written, so that no entry can be missing from a resumed run. Where a request to stop
    comes at that end or while the epoch is validated, the state is saved with the epoch's loss, and
    a resumed run begins with what is owed: validation and history.

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
        stop_requested: StopRequest,
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

    def stop_before_validation(self, loss: float) -> None:
        """Saves and stops, if that was asked for, at the end of an epoch with this mean loss."""
        if self.stop_requested():
            self._save(loss, epoch_loss=loss)
            raise Interrupted(self.step, self.stop_requested.number)

    def end_epoch(self, loss: float, *, due: bool = False) -> None:
        """Saves what was due at the last step of an epoch with this mean loss.

        Args:
            loss: See above.
            due: Whether it is, whatever the step.
        """
        self._loss = loss
        self._save_if_due(due)

    def _epoch_ended(self) -> bool:
        return self.step % self.steps_per_epoch == 0 or self.step == self.total

    def _save_if_due(self, due: bool = False) -> None:
        stop = self.stop_requested()
        if stop or due or self.step % self.every == 0 or self.step == self.total:
            self._save(self._loss)
        if stop:
            raise Interrupted(self.step, self.stop_requested.number)

    def _save(self, loss: float, epoch_loss: float | None = None) -> None:
        self.watch.check_loss(self.step, float(loss))
        more = {} if epoch_loss is None else {_EPOCH_LOSS: np.asarray(epoch_loss, np.float64)}
        self.checkpoints.save(self.model, self.step, self.watch.check_state, more)
        if self.stop_requested() or self.step == self.total:
            self.checkpoints.wait()  # whoever is told that training ended finds it there


def owed_loss(restored: dict[str, np.ndarray] | None) -> float | None:
    """Returns the loss of the epoch that a stopped run owes validation and history.

    Args:
        restored: The arrays of the checkpoint that training goes on from, if it does.
    """
    stored = (restored or {}).get(_EPOCH_LOSS)
    return None if stored is None else float(stored)


class StopsValidation(keras.callbacks.Callback):
    """Ends an `evaluate` at the next batch, if that was asked for.

    Args:
        saver: What saves the state then.
        loss: Mean loss of the epoch that is validated.
    """

    def __init__(self, saver: CheckpointEvery, loss: float):
        super().__init__()
        self.saver, self.loss = saver, loss

    def on_test_batch_end(self, batch, logs=None):
        """Looks whether it was."""
        if self.saver.stop_requested():
            sync_state(self.model)  # another model than the one in training; they share variables
            self.saver.stop_before_validation(self.loss)


class Interrupted(Exception):  # noqa: N818 - it is no error
    """Training was stopped on request; the state after `step` steps is saved.

    Attributes:
        step: How many steps are done.
        exit_code: Of a process that ends for it: 128 + the signal's number (130: Ctrl-C).
    """

    def __init__(self, step: int, number: int | None = None):
        super().__init__(f"stopped after step {step}")
        self.step, self.exit_code = step, 128 + (number or 2)


_EPOCH_LOSS = "epoch/loss"
