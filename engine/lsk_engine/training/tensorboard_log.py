"""What training tells TensorBoard."""

from collections.abc import Mapping

import keras
from keras import ops

from lsk_engine.runs.run_directory import RunDirectory
from lsk_engine.settings.config import Config
from lsk_engine.training.event_file import EventFile
from lsk_engine.training.optimizers import build_schedule

_POINTS = 1000  # of a curve: a loss that is looked at has to be waited for


class TensorBoardLog(keras.callbacks.Callback):
    """Writes loss and learning rate while training, and what each validation measured.

    Args:
        run: The run.
        config: Its configuration: how the learning rate goes.
        step: The step that training starts from.
        total: The step that it ends at.
    """

    def __init__(self, run: RunDirectory, config: Config, step: int, total: int):
        super().__init__()
        self.events = EventFile(run, start=step)
        self.rate = build_schedule(config.optimizer, total)
        self.step, self.every = step, max(1, total // _POINTS)

    def on_train_batch_end(self, batch, logs=None):
        """Counts the step and, of some, writes the numbers."""
        self.step += 1
        if self.step % self.every == 0:
            if logs:
                self.events.scalar("train/loss", float(logs["loss"]), self.step)
            rate = float(ops.convert_to_numpy(self.rate(self.step - 1)))
            self.events.scalar("train/learning_rate", rate, self.step)

    def end_epoch(self, loss: float, validation: Mapping[str, float]) -> None:
        """Writes what an epoch ends with.

        Args:
            loss: Mean training loss of the epoch.
            validation: Scores by name; empty where none was due.
        """
        self.events.scalar("epoch/loss", loss, self.step)
        for name, value in validation.items():
            self.events.scalar(f"validation/{name}", float(value), self.step)

    def close(self) -> None:
        """Closes the file."""
        self.events.close()
