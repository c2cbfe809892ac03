"""Progress of training, its history, and the learning curves drawn from it."""

import math
import time
from typing import Any

import keras

from ls_base.files import nan_to_none
from ls_keras.plots import learning_curves, save_plot
from lsk_engine.data.batches import BatchSource
from lsk_engine.progress import ProgressState, Reporter, duration
from lsk_engine.runs.run_directory import RunDirectory
from lsk_engine.settings.config import Config
from lsk_engine.training.divergence import DivergenceMonitor
from lsk_engine.training.early_stopping import validation_scores

_LABELS = {
    "loss": "Loss as trained (nats)",
    "nll": "NLL, unsmoothed (nats)",
    "accuracy": "Accuracy (share of positions)",
    "ece": "ECE (15 bins)",
}


class TrainingLog(keras.callbacks.Callback):
    """Shows loss, rate and time left; writes a history entry and a message for each epoch.

    It is a callback of `fit` and of the evaluations within it.

    Args:
        run: The run, to which the history is written.
        reporter: Receives messages and progress.
        source: The training batches, for the average number of labels in a step.
        step: The step that training starts from.
        total: The last step.
        unit: Name of a label in "…/s".
        monitor: Checks the losses.
        validation_steps: Number of batches in a validation.
    """

    def __init__(
        self,
        run: RunDirectory,
        reporter: Reporter,
        source: BatchSource,
        step: int,
        total: int,
        unit: str,
        monitor: DivergenceMonitor,
        validation_steps: int = 1,
    ):
        super().__init__()
        self.run, self.reporter, self.unit, self.monitor = run, reporter, unit, monitor
        self.step, self.total, self.validation_steps = step, total, validation_steps
        self.labels_per_step = source.num_labels / source.steps_per_epoch
        self._show_validation = reporter.counter("validating", "batches")
        # The clock starts after the first step, which compiles, and runs during steps only.
        self._first = True
        self._timed_steps = 0
        self._seconds = 0.0
        self._since: float | None = None

    def on_train_begin(self, logs=None):
        """Starts the clock again, if the first step is done."""
        if self._timed_steps:
            self._since = time.monotonic()

    def on_train_batch_begin(self, batch, logs=None):
        """Shows that the first step compiles."""
        if self._first:
            self._first = False
            self.reporter.start_stage("compiling the first step")

    def on_train_batch_end(self, batch, logs=None):
        """Counts the step and shows the progress."""
        self.step += 1
        if self._since is None:
            self._since = time.monotonic()
        else:
            self._timed_steps += 1
        self.reporter.status(lambda: self._progress(logs or {}))

    def on_test_begin(self, logs=None):
        """Shows that a validation begins."""
        self._stop_clock()
        self._show_validation = self.reporter.counter("validating", "batches")
        self.reporter.start_stage("validating")

    def on_test_batch_end(self, batch, logs=None):
        """Shows the progress of a validation."""
        self._show_validation(batch + 1, self.validation_steps)

    def on_epoch_end(self, epoch, logs=None):
        """Writes the history, and shows a message if there was a validation."""
        self._stop_clock()
        logs = logs or {}
        loss, validation = float(logs["loss"]), validation_scores(logs)
        self.monitor.check_loss(self.step, loss)
        for text in self.monitor.describe_rise(loss, validation):
            self.reporter.warning(text)
        self.run.append_history(
            {
                "step": self.step,
                "epoch": epoch + 1,
                "train": {"loss": loss},
                "validation": validation,
            }
        )
        text = f"epoch {epoch + 1}, step {self.step:,}: loss {loss:.3f}"
        if validation:
            scores = ", ".join(f"{name} {value:.3f}" for name, value in validation.items())
            self.reporter.message(f"{text}; validation: {scores}")
        else:
            self.reporter.detail(text)
        self.reporter.detail(f"{self._rate():,.0f} {self.unit}/s")

    def on_train_end(self, logs=None):
        """Stops the clock."""
        self._stop_clock()

    def _progress(self, logs: dict) -> ProgressState:
        loss = float(logs.get("loss", math.nan))
        self.monitor.check_loss(self.step, loss)
        details = [f"loss {loss:.3f}"]
        if rate := self._rate():
            left = duration((self.total - self.step) * self.labels_per_step / rate)
            details += [f"{rate:,.0f} {self.unit}/s", f"{left} left"]
        what = f"step {self.step:,}/{self.total:,}"
        return ProgressState(what, self.step, self.total, tuple(details))

    def _rate(self) -> float:
        """Labels per second while the clock ran."""
        return self._timed_steps * self.labels_per_step / max(self._read_clock(), 1e-9)

    def _stop_clock(self) -> None:
        self._seconds, self._since = self._read_clock(), None

    def _read_clock(self) -> float:
        running = 0.0 if self._since is None else time.monotonic() - self._since
        return self._seconds + running


def draw_learning_curves(run: RunDirectory, config: Config) -> None:
    """Draws loss, NLL, accuracy and ECE over the steps, with their numbers beside the picture.

    Args:
        run: The run, with its history.
        config: Its configuration, for the title.
    """
    rows: list[dict[str, Any]] = [
        {
            "step": entry["step"],
            "epoch": entry["epoch"],
            **nan_to_none(entry["train"]),
            **{f"val_{name}": value for name, value in nan_to_none(entry["validation"]).items()},
        }
        for entry in run.read_history()
    ]
    if rows:
        title = f"{config.task}, α = {config.training.alpha:g}, seed {config.training.seed}"
        save_plot(learning_curves, rows, run.learning_curves_file, labels=_LABELS, title=title)
