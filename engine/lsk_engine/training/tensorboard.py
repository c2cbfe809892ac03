"""TensorBoard: event files, written without TensorFlow, and the callback that fills them."""

import itertools
import struct
import time
from pathlib import Path

import keras
from keras import ops

from ls_base.errors import InputError, MissingExtraError
from ls_base.files import wrap_os_errors
from lsk_engine.progress import Reporter
from lsk_engine.runs.run_directory import RunDirectory
from lsk_engine.settings.config import Config
from lsk_engine.training.early_stopping import validation_scores
from lsk_engine.training.optimizers import build_schedule

_POINTS = 1000  # of a curve: reading a loss waits for the step


class EventFile:
    """A new event file in `RUN/tensorboard`.

    Args:
        run: The run.
        start: The step that training starts from: TensorBoard drops points of later steps in
            earlier files, since a resumed run measures them again; `None`: it drops nothing.

    Raises:
        FileError: If the folder can't be written.
    """

    def __init__(self, run: RunDirectory, start: int | None = None):
        from tensorboard.compat.proto.event_pb2 import Event, SessionLog
        from tensorboard.summary.writer.record_writer import RecordWriter

        folder = run.tensorboard
        with wrap_os_errors(folder):
            folder.mkdir(parents=True, exist_ok=True)
            # TensorBoard reads files in the order of their names.
            files = (folder / f"events.out.tfevents.{n:04}" for n in itertools.count())
            self._file = next(file for file in files if not file.exists())
            self._writer = RecordWriter(self._file.open("wb"))
        self._event = Event
        self._write(file_version="brain.Event:2")
        if start is not None:
            self._write(session_log=SessionLog(status=SessionLog.START), step=start + 1)

    def scalar(self, name: str, value: float, step: int) -> None:
        """Adds a point to a curve.

        Args:
            name: Name of the curve, such as `validation/nll`.
            value: The number.
            step: Number of steps done.
        """
        self._write(step=step, summary={"value": [{"tag": name, "simple_value": value}]})

    def picture(self, name: str, file: Path, step: int) -> None:
        """Adds a picture.

        Args:
            name: Name of the picture.
            file: A PNG.
            step: Number of steps done.
        """
        content = file.read_bytes()
        if content[:4] != b"\x89PNG":
            raise InputError(f"Expected a PNG at {file}. Received: something else")
        width, height = struct.unpack(">II", content[16:24])
        image = {
            "width": width,
            "height": height,
            "colorspace": 4,  # RGBA
            "encoded_image_string": content,
        }
        self._write(step=step, summary={"value": [{"tag": name, "image": image}]})

    def close(self) -> None:
        """Closes the file."""
        self._writer.close()

    def _write(self, *, step: int = 0, **what) -> None:
        event = self._event(wall_time=time.time(), step=step, **what)
        with wrap_os_errors(self._file):
            self._writer.write(event.SerializeToString())
            self._writer.flush()  # visible while training runs


class TensorBoardLog(keras.callbacks.Callback):
    """Writes loss and learning rate during training, and the scores of each validation.

    Args:
        run: The run.
        config: Its configuration, with the schedule of the learning rate.
        step: The step that training starts from.
        total: The last step.
    """

    def __init__(self, run: RunDirectory, config: Config, step: int, total: int):
        super().__init__()
        self.events = EventFile(run, start=step)
        self.rate = build_schedule(config.optimizer, total)
        self.step, self.every = step, max(1, total // _POINTS)

    def on_train_batch_end(self, batch, logs=None):
        """Counts the step and, every few steps, writes loss and learning rate."""
        self.step += 1
        if self.step % self.every == 0:
            if logs:
                self.events.scalar("train/loss", float(logs["loss"]), self.step)
            rate = float(ops.convert_to_numpy(self.rate(self.step - 1)))
            self.events.scalar("train/learning_rate", rate, self.step)

    def on_epoch_end(self, epoch, logs=None):
        """Writes the mean loss of the epoch and the scores of its validation."""
        logs = logs or {}
        self.events.scalar("epoch/loss", logs["loss"], self.step)
        for name, value in validation_scores(logs).items():
            self.events.scalar(f"validation/{name}", value, self.step)

    def close(self) -> None:
        """Closes the file."""
        self.events.close()


def continues_tensorboard(run: RunDirectory, reporter: Reporter, *, wanted: bool) -> bool:
    """Returns whether to write for TensorBoard: if wanted, or if the run has done so before.

    Args:
        run: The run.
        reporter: Receives a warning if a resumed run cannot continue to write.
        wanted: Whether the command asks for it.

    Raises:
        MissingExtraError: If it is wanted and the package `tensorboard` is not installed.
    """
    if not wanted and not run.tensorboard.is_dir():
        return False
    try:
        check_installed()
    except MissingExtraError as error:
        if wanted:
            raise
        reporter.warning(str(error))
        return False
    return True


def check_installed() -> None:
    """Raises a `MissingExtraError` unless the package `tensorboard` is installed."""
    try:
        import tensorboard.summary.writer.record_writer  # noqa: F401
    except ModuleNotFoundError as error:
        raise MissingExtraError(
            "Expected the package tensorboard, which writes event files: "
            f"pip install 'ls-keras[tensorboard]'. Received: no module named {error.name!r}"
        ) from error


def add_pictures(run: RunDirectory) -> None:
    """Adds the diagrams of a finished run: learning curves, reliability, pictures of its task.

    Args:
        run: The run.
    """
    events = EventFile(run)
    try:
        entry = run.read_last_entry()
        step = entry["step"] if entry else 0
        for file in sorted(run.evaluation.glob("*.png")):
            events.picture(file.stem, file, step)
    finally:
        events.close()
