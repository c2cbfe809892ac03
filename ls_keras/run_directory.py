"""The run directory: the interface between stages. Only this module knows its file names."""

import contextlib
import datetime
import importlib.metadata
import json
import os
import platform
import sys
import zipfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from ls_keras.errors import RunDirectoryError

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

    @classmethod
    def create(cls, path: str | os.PathLike, config: Mapping[str, Any]) -> "RunDirectory":
        """Makes a new run directory and writes what is known at the start.

        Raises:
            RunDirectoryError: If it holds files already, or can't be written.
        """
        run = cls(path)
        with writing(run.path):
            if run.path.exists() and (not run.path.is_dir() or any(run.path.iterdir())):
                raise RunDirectoryError(
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
            RunDirectoryError: If there is none at `path`.
        """
        run = cls(path)
        if not run.config_file.is_file():
            what = "a directory without config.json" if run.path.is_dir() else "no directory"
            raise RunDirectoryError(
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
            raise RunDirectoryError(
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
            raise RunDirectoryError(
                f"Expected a calibrated run (`lsk calibrate {self.path}`). "
                f"Received: {self.path} without {self.calibrated_model_file.name}"
            )
        if not self.model_file.is_file():
            raise RunDirectoryError(
                "Expected a finished run (`lsk train --resume` finishes one). "
                f"Received: {self.path} without {self.model_file.name}"
            )
        file = self.calibrated_model_file if calibrated else self.model_file
        if not zipfile.is_zipfile(file):
            raise RunDirectoryError(
                f"Expected a model that Keras saved. Received: {file}, which is damaged"
            )
        return keras.saving.load_model(file, compile=False)


@contextlib.contextmanager
def writing(path: Path) -> Iterator[None]:
    """Turns the operating system's refusal into one line that names the path."""
    try:
        yield
    except RunDirectoryError:
        raise
    except OSError as error:
        raise RunDirectoryError(
            f"Expected to be able to write {path}. Received: {error.strerror or error}"
        ) from error


def write_bytes(path: Path, content: bytes | memoryview) -> None:
    """Writes a file so that it is there whole or not at all, also after a power cut."""
    with writing(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary = path.with_name(f".{path.name}.writing")
        try:
            with temporary.open("wb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            temporary.replace(path)
        except BaseException:
            temporary.unlink(missing_ok=True)
            raise


def write_json(path: Path, value: Any) -> None:
    """Writes JSON with a final newline."""
    text = json.dumps(value, indent=2, ensure_ascii=False, allow_nan=True)
    write_bytes(path, (text + "\n").encode())


def read_json(path: Path) -> Any:
    """Reads JSON.

    Raises:
        RunDirectoryError: If the file is missing or not JSON.
    """
    try:
        return json.loads(path.read_text())
    except (OSError, ValueError) as error:
        raise RunDirectoryError(f"Expected a JSON file at {path}. Received: {error}") from error


def environment() -> dict[str, Any]:
    """Returns what a result depends on besides its configuration."""
    packages = ("ls-keras", "keras", "tensorflow", "jax", "torch", "numpy", "keras-hub")
    versions = {}
    for package in packages:
        with contextlib.suppress(importlib.metadata.PackageNotFoundError):
            versions[package] = importlib.metadata.version(package)
    return {
        "schema": SCHEMA,
        "started": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        "command": sys.argv,
        "python": platform.python_version(),
        "platform": platform.platform(),
        "cores": os.cpu_count(),
        "backend": os.environ.get("KERAS_BACKEND", "tensorflow"),
        "packages": versions,
    }
