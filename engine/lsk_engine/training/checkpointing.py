"""Saving the state of training while `fit` runs, and stopping on request."""

import math

import keras
import numpy as np

from lsk_engine.runs.checkpoints import Checkpoints, restore_metrics
from lsk_engine.training.divergence import DivergenceMonitor
from lsk_engine.training.early_stopping import EarlyStopping
from lsk_engine.training.signals import StopRequest

_EPOCH_LOSS = "epoch/loss"


class CheckpointEvery(keras.callbacks.Callback):
    """Saves the state every few steps, and at once when training is to stop.

    At the end of an epoch it saves after the epoch's history is written, so that a resumed run
    lacks no entry: it has to be the last callback. If training is to stop there or during
    validation, the checkpoint has the epoch's loss, and a resumed run starts with validation and
    history of that epoch.

    Args:
        checkpoints: Where to save.
        every: Steps between checkpoints.
        step: The step that training starts from.
        total: The last step.
        steps_per_epoch: Steps in an epoch.
        stop_requested: Called after each step; if true, the state is saved and training ends with
            `Interrupted`.
        monitor: Checks losses and states before they are saved.
        early_stopping: Decides whether the end of an epoch has to be saved; `None`: nothing more.
        restored: The arrays of the checkpoint that training continues from, if any.
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
        monitor: DivergenceMonitor,
        early_stopping: EarlyStopping | None = None,
        restored: dict[str, np.ndarray] | None = None,
    ):
        super().__init__()
        self.checkpoints, self.every = checkpoints, every
        self.step, self.total, self.steps_per_epoch = step, total, steps_per_epoch
        self.stop_requested, self.monitor, self.restored = stop_requested, monitor, restored
        self.early_stopping = early_stopping
        self._loss = math.nan

    @property
    def is_last_step(self) -> bool:
        """Whether the last step of the run is done."""
        return self.step == self.total

    def on_epoch_begin(self, epoch, logs=None):
        """Restores the metrics of a resumed epoch, which `fit` has just reset."""
        if self.restored is not None and not self._is_epoch_end():
            restore_metrics(self.model, self.restored)
        self.restored = None

    def on_train_batch_end(self, batch, logs=None):
        """Counts the step and saves if due."""
        self.step += 1
        self._loss = (logs or {}).get("loss", math.nan)
        if not self._is_epoch_end():
            self._save_if_due()

    def on_epoch_end(self, epoch, logs=None):
        """Saves if due after the last step of an epoch."""
        self._loss = (logs or {})["loss"]
        self._save_if_due(self.early_stopping is not None and self.early_stopping.needs_checkpoint)

    def stop_before_validation(self, loss: float) -> None:
        """Saves and stops at the end of an epoch with this mean loss, if requested.

        Raises:
            Interrupted: If it was.
            DivergenceError: If the loss is not finite.
        """
        self.monitor.check_loss(self.step, loss)  # before time is spent on validating NaN
        if self.stop_requested():
            self._save(loss, epoch_loss=loss)
            raise Interrupted(self.step, self.stop_requested.number)

    def _is_epoch_end(self) -> bool:
        return self.step % self.steps_per_epoch == 0 or self.is_last_step

    def _save_if_due(self, due: bool = False) -> None:
        stop = self.stop_requested()
        if stop or due or self.step % self.every == 0 or self.is_last_step:
            self._save(self._loss)
        if stop:
            raise Interrupted(self.step, self.stop_requested.number)

    def _save(self, loss: float, epoch_loss: float | None = None) -> None:
        self.monitor.check_loss(self.step, float(loss))
        more = {} if epoch_loss is None else {_EPOCH_LOSS: np.asarray(epoch_loss, np.float64)}
        self.checkpoints.save(self.model, self.step, self.monitor.check_state, more)
        if self.stop_requested() or self.is_last_step:
            self.checkpoints.wait()  # on the disk before training is reported to have ended


def pending_validation_loss(restored: dict[str, np.ndarray] | None) -> float | None:
    """Returns the loss of an epoch whose validation and history are still to be done, or `None`.

    Args:
        restored: The arrays of the checkpoint that training continues from, if any.
    """
    stored = (restored or {}).get(_EPOCH_LOSS)
    return None if stored is None else float(stored)


class Interrupted(Exception):  # noqa: N818 - not an error
    """Training was stopped on request; the state after `step` steps is saved.

    Attributes:
        step: Number of steps done.
        exit_code: Exit code of the process: 128 + the signal's number (130: Ctrl-C).
    """

    def __init__(self, step: int, number: int | None = None):
        super().__init__(f"stopped after step {step}")
        self.step, self.exit_code = step, 128 + (number or 2)
