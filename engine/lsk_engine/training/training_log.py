"""The callback that tells how training goes, and writes its history."""

import math
import time
from collections.abc import Mapping

import keras

from lsk_engine.data.batches import BatchSource
from lsk_engine.progress import ProgressState, Reporter, duration
from lsk_engine.runs.run_directory import RunDirectory
from lsk_engine.training.divergence import FiniteWatch


class TrainingLog(keras.callbacks.Callback):
    """Shows loss, rate and time left while training; a history line and a message an epoch.

    Args:
        run: Where the history goes.
        reporter: Who is told.
        source: The training batches: how many labels a step has, on average.
        step: The step that training starts from.
        total: The step that it ends at.
        unit: What a label is called in "…/s".
        watch: Asked about each loss that is shown.
    """

    def __init__(
        self,
        run: RunDirectory,
        reporter: Reporter,
        source: BatchSource,
        step: int,
        total: int,
        unit: str,
        watch: FiniteWatch,
    ):
        super().__init__()
        self.run, self.reporter, self.unit, self.watch = run, reporter, unit, watch
        self.step, self.total = step, total
        self.labels_per_step = source.num_labels / source.steps_per_epoch
        # The clock starts after the first step, which compiles, and runs within `fit` only.
        self._first = True
        self._timed_steps = 0
        self._seconds = 0.0
        self._since: float | None = None

    def on_train_begin(self, logs=None):
        """Starts the clock again, if the first step is done."""
        if self._timed_steps:
            self._since = time.monotonic()

    def on_train_end(self, logs=None):
        """Stops the clock."""
        self._seconds = self._clock()
        self._since = None

    def on_train_batch_begin(self, batch, logs=None):
        """Says what the first step waits for."""
        if self._first:
            self._first = False
            self.reporter.start_stage("compiling the first step")

    def on_train_batch_end(self, batch, logs=None):
        """Counts the step and shows where training stands."""
        self.step += 1
        if self._since is None:
            self._since = time.monotonic()
        else:
            self._timed_steps += 1
        self.reporter.status(lambda: self._standing(logs or {}))

    def end_epoch(self, epoch: int, loss: float, validation: Mapping[str, float]) -> None:
        """Writes the history.

        Args:
            epoch: Its number, from 0.
            loss: Mean training loss of the epoch.
            validation: Scores by name, `loss` among them; empty where none was due.
        """
        self.watch.check_loss(self.step, loss)
        self.run.append_history(
            {
                "step": self.step,
                "epoch": epoch + 1,
                "train": {"loss": float(loss)},
                "validation": {name: float(value) for name, value in validation.items()},
            }
        )
        text = f"epoch {epoch + 1}, step {self.step:,}: loss {loss:.3f}"
        if validation:
            scores = ", ".join(f"{name} {value:.3f}" for name, value in validation.items())
            self.reporter.message(f"{text}; validation: {scores}")
        else:
            self.reporter.detail(text)
        self.reporter.detail(f"{self._rate():,.0f} {self.unit}/s")

    def validating(self, steps: int) -> keras.callbacks.Callback:
        """Returns what shows how far an `evaluate` is.

        Args:
            steps: How many batches it has.
        """
        show = self.reporter.counter("validating", "batches")
        return keras.callbacks.LambdaCallback(
            on_test_begin=lambda logs: self.reporter.start_stage("validating"),
            on_test_batch_end=lambda batch, logs: show(batch + 1, steps),
        )

    def _standing(self, logs: dict) -> ProgressState:
        loss = float(logs.get("loss", math.nan))
        self.watch.check_loss(self.step, loss)
        details = [f"loss {loss:.3f}"]
        if rate := self._rate():
            left = duration((self.total - self.step) * self.labels_per_step / rate)
            details += [f"{rate:,.0f} {self.unit}/s", f"{left} left"]
        what = f"step {self.step:,}/{self.total:,}"
        return ProgressState(what, self.step, self.total, tuple(details))

    def _rate(self) -> float:
        """Labels a second, while the clock ran."""
        return self._timed_steps * self.labels_per_step / max(self._clock(), 1e-9)

    def _clock(self) -> float:
        running = 0.0 if self._since is None else time.monotonic() - self._since
        return self._seconds + running
