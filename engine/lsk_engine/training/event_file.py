"""TensorBoard's event files, written without TensorFlow: on any backend."""

import itertools
import struct
import time
from pathlib import Path

from ls_base.errors import InputError, MissingExtraError
from ls_base.files import wrap_os_errors
from lsk_engine.progress import Reporter
from lsk_engine.runs.run_directory import RunDirectory


class EventFile:
    """A file in `RUN/tensorboard`, beside those that were there.

    Args:
        run: The run.
        start: The step that training starts from: what earlier files have of later steps is
            dropped by TensorBoard, since a resumed run measures it again; `None`: nothing is.

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
            name: The curve's, such as `validation/nll`.
            value: The number.
            step: After which step.
        """
        self._write(step=step, summary={"value": [{"tag": name, "simple_value": value}]})

    def picture(self, name: str, file: Path, step: int) -> None:
        """Adds a picture.

        Args:
            name: What it is called.
            file: A PNG.
            step: After which step.
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
            self._writer.flush()  # who looks while it trains sees it


def writes_events(run: RunDirectory, reporter: Reporter, *, wanted: bool) -> bool:
    """Returns whether TensorBoard gets anything: if that is wanted, or was when the run began.

    Args:
        run: The run.
        reporter: Who is told that a resumed run can't go on writing.
        wanted: Whether it is asked for now.

    Raises:
        MissingExtraError: If it is, and the package `tensorboard` isn't installed.
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
    """Raises a `MissingExtraError` unless the package `tensorboard` is there."""
    try:
        import tensorboard.summary.writer.record_writer  # noqa: F401
    except ModuleNotFoundError as error:
        raise MissingExtraError(
            "Expected the package tensorboard, which writes what it shows: "
            f"pip install 'ls-keras[tensorboard]'. Received: no module named {error.name!r}"
        ) from error


def add_pictures(run: RunDirectory) -> None:
    """Adds what a finished run has drawn: learning curves, reliability, pictures of its task.

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
