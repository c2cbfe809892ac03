"""The run directory: the interface between stages. Only this module knows its file names."""

import contextlib
import hashlib
import json
import os
from collections.abc import Iterable, Iterator, Mapping
from os.path import lexists
from pathlib import Path
from typing import Any, TypeVar

from ls_base.errors import FileError, InputError, shell_command, short_repr
from ls_base.files import (
    append_line,
    atomic_write,
    check_writable,
    json_bytes,
    wrap_os_errors,
    write_bytes,
)
from ls_base.records import decode_record
from ls_base.safe_open import is_regular, open_regular, read_bytes, safe_join
from lsk_engine.environment import environment
from lsk_engine.runs.checksums import Checksums
from lsk_engine.runs.locking import hold_lock
from lsk_engine.runs.schemas import Calibration, HistoryEntry, Metrics, Starts, StoredConfig
from lsk_engine.settings.config import CONFIG_SCHEMA

SCHEMA = 1
_MOST_BYTES = 1 << 28  # of a file that is read whole
T = TypeVar("T")


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
    RUN/new-data/NAME/    the same of other data (`lsk evaluate --data`), and their scores
    RUN/tensorboard/      what `lsk train --tensorboard` wrote; nobody reads it but TensorBoard
    RUN/log.txt           what was said on the terminal
    RUN/checksums.json    the SHA-256 of what the run wrote, log and history left out
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
        # Pictures, their numbers beside them; γ of the run as a teacher.
        self.learning_curves_file = self.evaluation / "learning-curves.png"
        self.projection_file = self.evaluation / "projection.png"
        self.information_file = self.evaluation / "mutual-information.png"
        self.gamma_file = self.evaluation / "equivalent-smoothing.json"
        self.tensorboard = self.path / "tensorboard"
        self.log_file = self.path / "log.txt"
        self.lock_file = self.path / ".lock"
        self.checksums = Checksums(self.path)

    @classmethod
    def create(cls, path: str | os.PathLike, config: Mapping[str, Any]) -> "RunDirectory":
        """Makes a new run directory and writes what is known at the start.

        Of several processes that make the same one at the same time, one does; what a process
        left that was killed meanwhile counts as nothing.

        Raises:
            FileError: If it holds files already, or can't be written.
        """
        run = cls(path)
        run.check_new()
        with hold_lock(run.lock_file, wait=True), wrap_os_errors(run.path):
            if not run._unused():  # another was quicker
                raise run._taken()
            for folder in (run.artifacts, run.checkpoints, run.outputs):
                folder.mkdir(exist_ok=True)
            run.record_start()
            run.write_json(run.config_file, {"schema": CONFIG_SCHEMA, **config})
        return run

    def check_new(self) -> None:
        """Looks whether the directory can be made, as far as that can be told without making it.

        Raises:
            FileError: If it holds files already, or what it would lie in can't be written.
        """
        if self.path.exists() and not self._unused():
            raise self._taken()
        check_writable(self.path)

    def _unused(self) -> bool:
        """Returns whether nothing is in the way of a new run: no file that says anything."""
        if not self.path.is_dir():
            return False
        started = {self.lock_file, self.environment_file, self.checksums.file}
        files = (file for file in self.path.rglob("*") if not file.is_dir())
        writing = (".config.writing", ".environment.writing", ".checksums.writing")
        return not [f for f in files if f not in started and not f.name.startswith(writing)]

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
        if not is_regular(run.config_file):
            what = "a directory without config.json" if run.path.is_dir() else "no directory"
            if run._unused():
                what += ", which `lsk train --run-dir` can make anew"
            raise FileError(
                f"Expected a run directory made by `lsk train`. Received: {run.path} ({what})"
            )
        return run

    @contextlib.contextmanager
    def lock(self) -> Iterator[None]:
        """Keeps other processes from writing the run while the block runs.

        The system frees the lock of a process that ends, however it ends.

        Raises:
            InputError: If another process is at work in it.
            FileError: If it can't be written.
        """
        with contextlib.ExitStack() as stack:
            try:  # for a second: `is_locked` holds the lock for a moment
                stack.enter_context(hold_lock(self.lock_file, wait=False, again=True, patience=1.0))
            except BlockingIOError:
                raise InputError(
                    "Expected a run that no other process is at work in (wait for it, or stop "
                    f"it). Received: {self.path}"
                ) from None
            yield

    def is_locked(self) -> bool:
        """Returns whether somebody is at work in the run, which need not exist."""
        if not self.lock_file.exists():
            return False
        try:
            with hold_lock(self.lock_file, wait=False):
                return False
        except BlockingIOError:
            return True

    def new_data_folder(self, name: str) -> Path:
        """Returns where scores on other data go, which are called so; it has no `config.json`."""
        return self.path / "new-data" / _name(name)

    def record_start(self, **more: Any) -> None:
        """Adds an entry to `environment.json`: versions, machine, command, time, and `more`."""
        starts = self.read_starts()
        self.write_json(
            self.environment_file, {"schema": 2, "starts": [*starts, {**environment(), **more}]}
        )

    def read_starts(self) -> list[dict[str, Any]]:
        """Returns the entries of `environment.json`, the oldest first."""
        found = lexists(self.environment_file)
        return self.read(self.environment_file, Starts, schema=2).starts if found else []

    def sweep_file(self, split: str) -> Path:
        """Returns where the points of sweeps over temperatures and beams are kept."""
        return self.evaluation / f"{_name(split)}-temperature-sweep.json"

    def write(self, file: Path, content: bytes | memoryview) -> None:
        """Writes a file of the run, and notes its checksum."""
        self.checksums.note(file, hashlib.sha256(content).hexdigest())
        write_bytes(file, content)

    def write_json(self, file: Path, value: Any) -> None:
        """Writes a JSON file of the run, and notes its checksum."""
        self.write(file, json_bytes(value))

    def read(self, file: Path, kind: type[T], *, schema: int | None = None) -> T:
        """Reads a JSON file of the run.

        Args:
            file: One of the run's.
            kind: A type of `lsk_engine.runs.schemas`, say.
            schema: What its key `schema` must be; `None`: it need have none.

        Raises:
            FileError: If it isn't what the run wrote, or not of that type.
        """
        return decode_record(self._checked(file), kind, str(file), schema=schema)

    def read_config(self) -> StoredConfig:
        """Returns the resolved configuration as it was written."""
        return self.read(self.config_file, StoredConfig, schema=CONFIG_SCHEMA)

    def read_metrics(self) -> Metrics:
        """Returns the final scores."""
        content = self.read(self.metrics_file, dict[str, Any], schema=SCHEMA)
        return Metrics.of(content, str(self.metrics_file))

    def read_calibration(self) -> Calibration | None:
        """Returns what `lsk calibrate` found; `None`: it hasn't been there."""
        if not lexists(self.calibration_file):
            return None
        return self.read(self.calibration_file, Calibration)

    def write_artifacts(self, artifacts: Mapping[str, bytes]) -> None:
        """Saves the files that belong to the model."""
        for name, content in artifacts.items():
            self.write(safe_join(self.artifacts, name), content)

    def read_artifacts(self) -> dict[str, bytes]:
        """Returns the files that belong to the model, by name."""
        files = sorted(self.artifacts.iterdir()) if self.artifacts.is_dir() else []
        return {file.name: self._checked(file) for file in files}

    def _checked(self, file: Path) -> bytes:
        content = read_bytes(file, most=_MOST_BYTES)
        self.checksums.check_content(file, content)
        return content

    def append_history(self, entry: Mapping[str, Any]) -> None:
        """Adds one line to the history."""
        append_line(self.history_file, json.dumps(entry))

    def read_history(self) -> list[HistoryEntry]:
        """Returns the history; a last line that a crash cut off is left out.

        Raises:
            FileError: If another line is damaged.
        """
        if not lexists(self.history_file):
            return []
        *lines, last = read_bytes(self.history_file, most=_MOST_BYTES).split(b"\n")
        name = str(self.history_file)
        entries = [
            decode_record(line, HistoryEntry, f"line {number} of {name}")
            for number, line in enumerate(lines, 1)
        ]
        with contextlib.suppress(FileError):
            entries.append(decode_record(last, HistoryEntry, name))
        return entries

    def write_history(self, entries: Iterable[HistoryEntry]) -> None:
        """Replaces the history: by those of its entries that a resumed run keeps."""
        write_bytes(self.history_file, b"".join(json.dumps(e).encode() + b"\n" for e in entries))

    def outputs_file(self, split: str) -> Path:
        """Returns where a split's decoded outputs are."""
        return self.outputs / f"{_name(split)}.json"

    def references_file(self, split: str) -> Path:
        """Returns where the texts are that a split's outputs are compared with."""
        return self.evaluation / f"references-{_name(split)}.json"

    def statistics_file(self, split: str, *, calibrated: bool = False) -> Path:
        """Returns where a split's statistics, position by position, are."""
        return self.evaluation / f"statistics-{_name(split)}{'-calibrated' * calibrated}.npz"

    def reliability_file(self, split: str, *, calibrated: bool = False) -> Path:
        """Returns where a split's reliability diagram is; its numbers are beside it."""
        return self.evaluation / f"reliability-{_name(split)}{'-calibrated' * calibrated}.png"

    def picture_file(self, name: str, split: str) -> Path:
        """Returns where a picture that the task drew of a split is; its numbers are beside it."""
        return self.evaluation / f"{_name(name)}-{_name(split)}.png"

    def measured_file(self, measure: str) -> Path:
        """Returns where the numbers of a study's measure are kept."""
        return self.evaluation / f"measured-{_name(measure)}.json"

    def save_model(self, model, *, calibrated: bool = False) -> None:
        """Saves the trained, or the calibrated, model, atomically.

        Scores of an earlier calibrated model are removed: they are not this one's.
        """
        file = self.calibrated_model_file if calibrated else self.model_file
        if calibrated:
            self._remove_scores()
        with atomic_write(file) as temporary:
            model.save(temporary)
            with open_regular(temporary) as saved:
                self.checksums.note(file, hashlib.file_digest(saved, "sha256").hexdigest())

    def remove_calibration(self) -> bool:
        """Removes what `lsk calibrate` made: it is another model's. Returns whether there was."""
        existed = lexists(self.calibration_file)
        self._remove_scores(self.calibration_file, self.calibrated_model_file)
        return existed

    def _remove_scores(self, *more: Path) -> None:
        calibrated = self.evaluation.glob("*-calibrated.*")
        for file in (self.calibrated_metrics_file, *calibrated, *more):
            with wrap_os_errors(file):
                file.unlink(missing_ok=True)

    def load_model(self, *, calibrated: bool = False):
        """Loads the trained, or the calibrated, model, uncompiled."""
        from lsk_engine.runs.saved_model import load_model  # Keras

        if calibrated and not self.calibrated_model_file.is_file():
            raise FileError(
                f"Expected a calibrated run (`{shell_command('lsk', 'calibrate', self.path)}`). "
                f"Received: {self.path} without {self.calibrated_model_file.name}"
            )
        if not self.model_file.is_file():
            raise FileError(
                "Expected a finished run (`lsk train --resume` finishes one). "
                f"Received: {self.path} without {self.model_file.name}"
            )
        file = self.calibrated_model_file if calibrated else self.model_file
        self.checksums.check(file)
        return load_model(file)


def _name(split: str) -> str:
    """Returns the name of a split, which data may choose, as part of a file's."""
    if split in ("", ".", "..") or any(mark in split for mark in "/\\\0") or len(split) > 100:
        raise InputError(
            "Expected the name of a split that can be part of a file's name. "
            f"Received: {short_repr(split)}"
        )
    return split
