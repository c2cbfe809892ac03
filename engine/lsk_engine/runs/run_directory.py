"""The run directory: the interface between stages. Only this module knows its file names."""

import contextlib
import json
import os
import zipfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from ls_base.errors import FileError, InputError
from ls_base.files import append_line, read_json, replacing, write_bytes, write_json, writing
from lsk_engine.environment import environment
from lsk_engine.runs.lock import locked

SCHEMA = 1


class RunDirectory:
    """Reads and writes one run's files. Every write is atomic: a killed process leaves no half.

    ```
    RUN/config.json       the resolved configuration
    RUN/environment.json  versions, machine, command and time of each start
    RUN/data.json         what the data are known by
    RUN/artifacts/        files that belong to the model (vocabulary)
    RUN/checkpoints/      full training states, by step
    RUN/history.jsonl     one line an evaluation during training
    RUN/model.keras       the trained model
    RUN/metrics.json      the final scores, one schema for all tasks
    RUN/model-calibrated.keras, calibration.json, metrics-calibrated.json
                          what `lsk calibrate` made and found, and the scores with it
    RUN/outputs/          decoded outputs, one JSON list a split
    RUN/evaluation/       what `lsk evaluate` and later stages draw and count
    RUN/log.txt           what was said on the terminal
    RUN/.lock             held while a process is at work in the run; empty
    ```

    Args:
        path: The directory; it need not exist yet.
    """

    def __init__(self, path: str | os.PathLike):
        self.path = Path(path)
        self.config_file = self.path / "config.json"
        self.environment_file = self.path / "environment.json"
        self.data_file = self.path / "data.json"
        self.artifacts = self.path / "artifacts"
        self.checkpoints = self.path / "checkpoints"
        self.history_file = self.path / "history.jsonl"
        self.model_file = self.path / "model.keras"
        self.calibrated_model_file = self.path / "model-calibrated.keras"
        self.calibration_file = self.path / "calibration.json"
        self.metrics_file = self.path / "metrics.json"
        self.calibrated_metrics_file = self.path / "metrics-calibrated.json"
        self.outputs = self.path / "outputs"
        self.evaluation = self.path / "evaluation"
        self.log_file = self.path / "log.txt"
        self.lock_file = self.path / ".lock"

    @classmethod
    def create(cls, path: str | os.PathLike, config: Mapping[str, Any]) -> "RunDirectory":
        """Makes a new run directory and writes what is known at the start.

        Of several processes that make the same one at the same time, one does; what a process
        left that was killed meanwhile counts as nothing.

        Raises:
            FileError: If it holds files already, or can't be written.
        """
        run = cls(path)
        if run.path.exists() and not run._unused():
            raise run._taken()
        with locked(run.lock_file, wait=True), writing(run.path):
            if not run._unused():  # another was quicker
                raise run._taken()
            for folder in (run.artifacts, run.checkpoints, run.outputs):
                folder.mkdir(exist_ok=True)
            run.record_start()
            write_json(run.config_file, {"schema": SCHEMA, **config})
        return run

    def _unused(self) -> bool:
        """Returns whether nothing is in the way of a new run: no file that says anything."""
        if not self.path.is_dir():
            return False
        started = {self.lock_file, self.environment_file}
        files = (file for file in self.path.rglob("*") if not file.is_dir())
        left = [f for f in files if f not in started and not f.name.startswith(".config.writing")]
        return not left

    def _taken(self) -> FileError:
        return FileError(
            f"Expected a new or empty run directory (or `--resume` to go on). Received: {self.path}"
        )

    @classmethod
    def open(cls, path: str | os.PathLike) -> "RunDirectory":
        """Opens an existing run directory.

        Raises:
            FileError: If there is none at `path`.
        """
        run = cls(path)
        if not run.config_file.is_file():
            what = "no directory"
            if run.path.is_dir():
                what = "a directory without config.json"
                if run._unused():
                    what += ", which `lsk train --run-dir` can make anew"
            raise FileError(
                f"Expected a run directory that `lsk train` made. Received: {run.path} ({what})"
            )
        return run

    @contextlib.contextmanager
    def at_work(self) -> Iterator[None]:
        """Keeps other processes from writing the run while the block runs.

        The system frees the lock of a process that ends, however it ends.

        Raises:
            InputError: If another process is at work in it.
            FileError: If it can't be written.
        """
        with contextlib.ExitStack() as held:
            try:
                held.enter_context(locked(self.lock_file, wait=False, again=True))
            except BlockingIOError:
                raise InputError(
                    "Expected a run that no other process is at work in (wait for it, or stop "
                    f"it). Received: {self.path}"
                ) from None
            yield

    def in_use(self) -> bool:
        """Returns whether somebody is at work in the run, which need not exist."""
        if not self.lock_file.exists():
            return False
        try:
            with locked(self.lock_file, wait=False):
                return False
        except BlockingIOError:
            return True

    def record_start(self, **more: Any) -> None:
        """Adds an entry to `environment.json`: versions, machine, command, time, and `more`."""
        starts = self.read_starts()
        write_json(
            self.environment_file, {"schema": 2, "starts": [*starts, {**environment(), **more}]}
        )

    def read_starts(self) -> list[dict[str, Any]]:
        """Returns the entries of `environment.json`, the oldest first."""
        if not self.environment_file.is_file():
            return []
        found = read_json(self.environment_file)
        if found.get("schema") == 1:  # one start, before there were more
            return [{name: value for name, value in found.items() if name != "schema"}]
        return found["starts"]

    def sweep_file(self, split: str) -> Path:
        """Returns where the points of a sweep over temperatures are kept."""
        return self.evaluation / f"{split}-temperature-sweep.json"

    def read_config(self) -> dict[str, Any]:
        """Returns the resolved configuration as it was written."""
        config = read_json(self.config_file)
        if config.pop("schema", None) != SCHEMA:
            raise FileError(
                f"Expected a configuration of schema {SCHEMA}. Received: {self.config_file}"
            )
        return config

    def write_artifacts(self, artifacts: Mapping[str, bytes]) -> None:
        """Saves the files that belong to the model."""
        for name, content in artifacts.items():
            write_bytes(self.artifacts / name, content)

    def read_artifacts(self) -> dict[str, bytes]:
        """Returns the files that belong to the model, by name."""
        files = sorted(self.artifacts.iterdir()) if self.artifacts.is_dir() else []
        return {file.name: file.read_bytes() for file in files}

    def append_history(self, entry: Mapping[str, Any]) -> None:
        """Adds one line to the history."""
        append_line(self.history_file, json.dumps(entry))

    def read_history(self) -> list[dict[str, Any]]:
        """Returns the history; a last line that a crash cut off is left out."""
        entries = []
        if self.history_file.is_file():
            for line in self.history_file.read_text().splitlines():
                with contextlib.suppress(json.JSONDecodeError):
                    entries.append(json.loads(line))
        return entries

    def truncate_history(self, step: int) -> None:
        """Drops what was written after `step`, which a resumed run will write again."""
        kept = [json.dumps(e) + "\n" for e in self.read_history() if e["step"] <= step]
        write_bytes(self.history_file, "".join(kept).encode())

    def statistics_file(self, split: str, *, calibrated: bool = False) -> Path:
        """Returns where a split's statistics, position by position, are."""
        return self.evaluation / f"statistics-{split}{'-calibrated' * calibrated}.npz"

    def reliability_file(self, split: str, *, calibrated: bool = False) -> Path:
        """Returns where a split's reliability diagram is; its numbers are beside it."""
        return self.evaluation / f"reliability-{split}{'-calibrated' * calibrated}.png"

    def picture_file(self, name: str, split: str) -> Path:
        """Returns where a picture that the task drew of a split is; its numbers are beside it."""
        return self.evaluation / f"{name}-{split}.png"

    @property
    def projection_file(self) -> Path:
        """Where the projection of the run's activations is; numbers and statistics beside it."""
        return self.evaluation / "projection.png"

    @property
    def information_file(self) -> Path:
        """Where the curve of mutual information is; its numbers are beside it."""
        return self.evaluation / "mutual-information.png"

    @property
    def gamma_file(self) -> Path:
        """Where the equivalent smoothing of the run, as a teacher, is kept."""
        return self.evaluation / "equivalent-smoothing.json"

    def save_model(self, model, *, calibrated: bool = False) -> None:
        """Saves the trained, or the calibrated, model, atomically.

        Scores of an earlier calibrated model are removed: they are not this one's.
        """
        file = self.calibrated_model_file if calibrated else self.model_file
        if calibrated:
            for stale in (self.calibrated_metrics_file, *self.evaluation.glob("*-calibrated.*")):
                with writing(stale):
                    stale.unlink(missing_ok=True)
        with replacing(file) as temporary:
            model.save(temporary)

    def load_model(self, *, calibrated: bool = False):
        """Loads the trained, or the calibrated, model, uncompiled."""
        import keras

        import ls_keras.layers  # noqa: F401 - registers what a saved model may hold

        if calibrated and not self.calibrated_model_file.is_file():
            raise FileError(
                f"Expected a calibrated run (`lsk calibrate {self.path}`). "
                f"Received: {self.path} without {self.calibrated_model_file.name}"
            )
        if not self.model_file.is_file():
            raise FileError(
                "Expected a finished run (`lsk train --resume` finishes one). "
                f"Received: {self.path} without {self.model_file.name}"
            )
        file = self.calibrated_model_file if calibrated else self.model_file
        if not zipfile.is_zipfile(file):
            raise FileError(
                f"Expected a model that Keras saved. Received: {file}, which is damaged"
            )
        return keras.saving.load_model(file, compile=False)
