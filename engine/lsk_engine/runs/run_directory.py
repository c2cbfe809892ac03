"""The run directory: the interface between stages. Only this module knows its file names."""

import contextlib
import json
import os
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ls_base.errors import FileError
from ls_base.files import read_json, write_bytes, write_json, writing
from lsk_engine.environment import environment

SCHEMA = 1


class RunDirectory:
    """Reads and writes one run's files. Every write is atomic: a killed process leaves no half.

    ```
    RUN/config.json       the resolved configuration
    RUN/environment.json  versions, machine, command, start
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

        Raises:
            FileError: If it holds files already, or can't be written.
        """
        run = cls(path)
        with writing(run.path):
            if run.path.exists() and (not run.path.is_dir() or any(run.path.iterdir())):
                raise FileError(
                    "Expected a new or empty run directory (or `--resume` to go on). "
                    f"Received: {run.path}"
                )
            for folder in (run.path, run.artifacts, run.checkpoints, run.outputs):
                folder.mkdir(parents=True, exist_ok=True)
            write_json(run.config_file, {"schema": SCHEMA, **config})
            write_json(run.environment_file, environment())
        return run

    @classmethod
    def open(cls, path: str | os.PathLike) -> "RunDirectory":
        """Opens an existing run directory.

        Raises:
            FileError: If there is none at `path`.
        """
        run = cls(path)
        if not run.config_file.is_file():
            what = "a directory without config.json" if run.path.is_dir() else "no directory"
            raise FileError(
                f"Expected a run directory that `lsk train` made. Received: {run.path} ({what})"
            )
        return run

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
        with writing(self.history_file), self.history_file.open("a") as file:
            file.write(json.dumps(entry) + "\n")

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
        with writing(file):
            temporary = file.with_name("model.writing.keras")
            model.save(temporary)
            temporary.replace(file)

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
