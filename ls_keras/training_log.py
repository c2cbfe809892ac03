"""The callback that tells how training goes, and writes its history."""

import math
import time

import keras

from ls_keras.batches import BatchSource
from ls_keras.errors import LsKerasError
from ls_keras.progress import Reporter, duration
from ls_keras.run_directory import RunDirectory


class TrainingLog(keras.callbacks.Callback):
    """Shows loss, rate and time left while training; a history line and a message an epoch.

    Args:
        run: Where the history goes.
        reporter: Who is told.
        source: The training batches: how many labels a step has, on average.
        step: The step that training starts from.
        total: The step that it ends at.
        unit: What a label is called in "…/s".
    """

    def __init__(
        self,
        run: RunDirectory,
        reporter: Reporter,
        source: BatchSource,
        step: int,
        total: int,
        unit: str,
    ):
        super().__init__()
        self.run, self.reporter, self.unit = run, reporter, unit
        self.step, self.total = step, total
        self.labels_per_step = source.num_labels / source.steps_per_epoch
        # Rates count from the second step: the first one compiles.
        self._timed_from: tuple[int, float] | None = None
        self._pause = 0.0

    def on_train_batch_end(self, batch, logs=None):
        """Counts the step and shows where training stands."""
        self.step += 1
        if self._timed_from is None:
            self._timed_from = (self.step, time.monotonic())
        self.reporter.status(lambda: self._line(logs or {}))

    def on_test_begin(self, logs=None):
        """Stops the clock: validation is no training speed."""
        self._pause = time.monotonic()

    def on_test_end(self, logs=None):
        """Starts the clock again."""
        if self._timed_from is not None:
            step, since = self._timed_from
            self._timed_from = (step, since + time.monotonic() - self._pause)

    def on_epoch_end(self, epoch, logs=None):
        """Writes the history."""
        values = {name: float(v) for name, v in (logs or {}).items()}
        self._check(values["loss"])
        validation = {n[4:]: v for n, v in values.items() if n.startswith("val_")}
        training = {n: v for n, v in values.items() if not n.startswith("val_")}
        self.run.append_history(
            {"step": self.step, "epoch": epoch + 1, "train": training, "validation": validation}
        )
        shown = (f"{n} {training[n]:.3f}/{v:.3f}" for n, v in validation.items())
        self.reporter.message(
            f"epoch {epoch + 1}, step {self.step:,} (train/validation): {', '.join(shown)}"
        )
        self.reporter.detail(f"{self._rate():,.0f} {self.unit}/s")

    def _line(self, logs: dict) -> str:
        loss = float(logs.get("loss", math.nan))
        self._check(loss)
        where = f"step {self.step:,}/{self.total:,}  loss {loss:.3f}"
        rate = self._rate()
        if not rate:
            return where
        left = duration((self.total - self.step) * self.labels_per_step / rate)
        return f"{where}  {rate:,.0f} {self.unit}/s  {left} left"

    def _rate(self) -> float:
        """Labels a second since the clock started."""
        if self._timed_from is None or self.step == self._timed_from[0]:
            return 0.0
        step, since = self._timed_from
        return (self.step - step) * self.labels_per_step / max(time.monotonic() - since, 1e-9)

    def _check(self, loss: float) -> None:
        if not math.isfinite(loss):
            raise LsKerasError(
                "Expected a finite loss; a lower --learning-rate may help, or float32. "
                f"Received: {loss} by step {self.step}"
            )
