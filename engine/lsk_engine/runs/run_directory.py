"""The run directory: the interface between the stages of an experiment."""

import contextlib
import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from os.path import lexists
from pathlib import Path
from typing import Any, TypeVar

from ls_base.errors import FileError, InputError, shell_command
from ls_base.files import (
    append_line,
    atomic_write,
    check_writable,
    json_bytes,
    wrap_os_errors,
    write_bytes,
)
from ls_base.records import decode_lines, decode_record
from ls_base.safe_open import is_regular, read_bytes, read_end, safe_join
from lsk_engine.environment import environment
from lsk_engine.runs.checksums import Checksums, sha256
from lsk_engine.runs.locking import hold_lock
from lsk_engine.runs.run_paths import RunPaths
from lsk_engine.runs.schemas import Calibration, HistoryEntry, Metrics, Starts, StoredConfig
from lsk_engine.settings.config import CONFIG_SCHEMA

SCHEMA = 1
_MAX_BYTES = 1 << 28  # of a file that is read as a whole
_MAX_LINE = 1 << 20  # bytes of the history's last line
_RESUMED_FROM = ("config.json", "data.json", "history.jsonl", "artifacts", "checkpoints")
T = TypeVar("T")


class RunDirectory(RunPaths):
    """Reads and writes the files of one run. Each write is atomic: a file is whole or missing.

    Args:
        path: The directory; it need not exist yet.
    """

    def __init__(self, path: str | os.PathLike):
        super().__init__(path)
        self.checksums = Checksums(self.path)

    @classmethod
    def create(
        cls, path: str | os.PathLike, config: Mapping[str, Any], cache: Path | None = None
    ) -> "RunDirectory":
        """Makes a new run directory and writes its configuration and environment.

        If several processes create the same directory at once, one succeeds. A directory that a
        killed process left before it wrote its configuration counts as new.

        Args:
            path: A new or empty directory.
            config: What `config.json` will hold.
            cache: The data cache of the study that the run belongs to, if any.

        Raises:
            FileError: If the directory holds files already, or can't be written.
        """
        run = cls(path)
        run.check_new()
        with hold_lock(run.lock_file, wait=True), wrap_os_errors(run.path):
            run.check_new()  # another process may have been quicker
            for folder in (run.artifacts, run.checkpoints, run.outputs):
                folder.mkdir(exist_ok=True)
            run.record_start()
            content = {"schema": CONFIG_SCHEMA, **config}
            if cache is not None:  # relative, so that the study can be moved
                content["data_cache"] = os.path.relpath(cache, run.path)
            run.write_json(run.config_file, content)
        return run

    def check_new(self) -> None:
        """Refuses a directory that holds files, or whose parent can't be written.

        Raises:
            FileError: In both cases.
        """
        if self.path.exists() and not self._is_unused():
            raise FileError(
                "Expected a new or empty run directory (or `--resume` to go on). "
                f"Received: {self.path}"
            )
        check_writable(self.path)

    def _is_unused(self) -> bool:
        """Returns whether the directory holds nothing but what a killed `create` leaves."""
        if not self.path.is_dir():
            return False
        started = {self.lock_file, self.environment_file, self.checksums.file}
        files = (file for file in self.path.rglob("*") if not file.is_dir())
        partial = (".config.writing", ".environment.writing", ".checksums.writing")
        return not [f for f in files if f not in started and not f.name.startswith(partial)]

    @classmethod
    def open(cls, path: str | os.PathLike) -> "RunDirectory":
        """Opens an existing run directory.

        Raises:
            FileError: If there is none at `path`, or as `check_links`.
        """
        run = cls(path)
        if not is_regular(run.config_file):
            what = "a directory without config.json" if run.path.is_dir() else "no directory"
            if run._is_unused():
                what += ", which `lsk train --run-dir` can make anew"
            raise FileError(
                f"Expected a run directory made by `lsk train`. Received: {run.path} ({what})"
            )
        run.check_links()
        return run

    def check_links(self) -> None:
        """Refuses symbolic links inside the run: writing through one changes files elsewhere.

        Raises:
            FileError: If there is one.
        """
        for folder, folders, files in os.walk(self.path):
            for name in (*folders, *files):
                if (entry := Path(folder, name)).is_symlink():
                    raise FileError(
                        "Expected a run directory without symbolic links: commands would write "
                        "to where they point. Replace the link by what it points to. "
                        f"Received: {entry}"
                    )

    @contextlib.contextmanager
    def lock(self) -> Iterator[None]:
        """Keeps other processes from writing the run while the block runs.

        The system frees the lock when its process ends, even after SIGKILL.

        Raises:
            InputError: If another process holds the lock.
            FileError: If the lock can't be written, or as `check_links`.
        """
        self.check_links()
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
        """Returns whether a process is writing the run, which need not exist."""
        if not self.lock_file.exists():
            return False
        try:
            with hold_lock(self.lock_file, wait=False):
                return False
        except BlockingIOError:
            return True

    def record_start(self, **more: Any) -> None:
        """Adds an entry to `environment.json`: versions, machine, command, time, and `more`."""
        starts = [*self.read_starts(), {**environment(), **more}]
        self.write_json(self.environment_file, {"schema": 2, "starts": starts})

    def read_starts(self) -> list[dict[str, Any]]:
        """Returns the entries of `environment.json`, the oldest first."""
        if not lexists(self.environment_file):
            return []
        return self.read(self.environment_file, Starts, schema=2).starts

    def write(self, file: Path, content: bytes | memoryview) -> None:
        """Writes a file of the run and its checksum."""
        self.checksums.add(file, hashlib.sha256(content).hexdigest())
        write_bytes(file, content)

    def write_json(self, file: Path, value: Any) -> None:
        """Writes a JSON file of the run and its checksum."""
        self.write(file, json_bytes(value))

    def read(self, file: Path, kind: type[T], *, schema: int | None = None) -> T:
        """Reads a JSON file of the run.

        Args:
            file: The file.
            kind: The type of its content, such as a class of `lsk_engine.runs.schemas`.
            schema: The expected value of its key `schema`; `None`: not checked.

        Raises:
            FileError: If the file was changed since the run wrote it, or is of another type.
        """
        return decode_record(self._read_bytes(file), kind, str(file), schema=schema)

    def read_config(self) -> StoredConfig:
        """Returns the resolved configuration as it was written."""
        return self.read(self.config_file, StoredConfig, schema=CONFIG_SCHEMA)

    def read_cache(self) -> Path | None:
        """Returns the folder of prepared data that the run shares with others, if any."""
        folder = self.read_config().get("data_cache")
        return self.path / folder if folder else None

    def read_metrics(self) -> Metrics:
        """Returns the final scores."""
        content = self.read(self.metrics_file, dict[str, Any], schema=SCHEMA)
        return Metrics.of(content, str(self.metrics_file))

    def read_calibration(self) -> Calibration | None:
        """Returns the result of `lsk calibrate`; `None`: the run is not calibrated."""
        found = lexists(self.calibration_file)
        return self.read(self.calibration_file, Calibration) if found else None

    def write_artifacts(self, artifacts: Mapping[str, bytes]) -> None:
        """Saves the files that belong to the model, by name."""
        for name, content in artifacts.items():
            self.write(safe_join(self.artifacts, name), content)

    def read_artifacts(self) -> dict[str, bytes]:
        """Returns the files that belong to the model, by name."""
        files = sorted(self.artifacts.iterdir()) if self.artifacts.is_dir() else []
        return {file.name: self._read_bytes(file) for file in files}

    def _read_bytes(self, file: Path) -> bytes:
        content = read_bytes(file, max_bytes=_MAX_BYTES)
        self.checksums.check_content(file, content)
        return content

    def append_history(self, entry: Mapping[str, Any]) -> None:
        """Adds one line to the history."""
        append_line(self.history_file, json.dumps(entry))

    def read_history(self) -> list[HistoryEntry]:
        """Returns the history without a last line that a crash cut off.

        Raises:
            FileError: If another line is damaged.
        """
        if not lexists(self.history_file):
            return []
        content = read_bytes(self.history_file, max_bytes=_MAX_BYTES)
        return decode_lines(content, HistoryEntry, str(self.history_file))

    def read_last_entry(self) -> HistoryEntry | None:
        """Returns the last entry of the history, for which the file's end is read; `None`: none.

        Raises:
            FileError: If that line is damaged.
        """
        if not lexists(self.history_file):
            return None
        # A line that a crash cut off may follow the last whole one.
        *_, last, _ = (b"\n\n" + read_end(self.history_file, 2 * _MAX_LINE)).rsplit(b"\n", 2)
        name = f"the last line of {self.history_file}"
        return decode_record(last, HistoryEntry, name) if last else None

    def write_history(self, entries: Iterable[HistoryEntry]) -> None:
        """Replaces the history, as when a run resumes from an earlier step."""
        write_bytes(self.history_file, b"".join(json.dumps(e).encode() + b"\n" for e in entries))

    def save_model(self, model, *, calibrated: bool = False) -> None:
        """Saves the trained or the calibrated model, atomically.

        Saving a calibrated model removes the scores of an earlier one.
        """
        file = self.calibrated_model_file if calibrated else self.model_file
        if calibrated:
            self._remove_scores()
        with atomic_write(file) as temporary:
            model.save(temporary)
            self.checksums.add(file, sha256(temporary))

    def remove_calibration(self) -> bool:
        """Removes the results of `lsk calibrate`; returns whether there were any."""
        existed = lexists(self.calibration_file)
        self._remove_scores(self.calibration_file, self.calibrated_model_file)
        return existed

    def _remove_scores(self, *more: Path) -> None:
        calibrated = self.evaluation.glob("*-calibrated.*")
        for file in (self.calibrated_metrics_file, *calibrated, *more):
            with wrap_os_errors(file):
                file.unlink(missing_ok=True)

    def load_model(self, *, calibrated: bool = False):
        """Loads the trained or the calibrated model, uncompiled."""
        from lsk_engine.runs.saved_model import load_model  # Keras

        file, state = self.model_file, "finished"
        command = shell_command("lsk", "train", "--resume", self.path)
        if calibrated:
            file, state = self.calibrated_model_file, "calibrated"
            command = shell_command("lsk", "calibrate", self.path)
        if not file.is_file():
            raise FileError(
                f"Expected a {state} run (`{command}`). Received: {self.path} without {file.name}"
            )
        self.checksums.check(file)
        return load_model(file)


@contextlib.contextmanager
def private_copy(run: RunDirectory) -> Iterator[RunDirectory]:
    """Yields a temporary copy of a run for a worker of multi-worker training.

    The worker takes the configuration, vocabulary and checkpoints of the chief, and writes into its
    copy, which is removed at the end. So the chief alone writes the run.

    Args:
        run: The chief's run, on a file system that this process sees as well.

    Raises:
        FileError: If this process does not see it.
    """
    if not run.config_file.is_file():
        raise FileError(
            "Expected the run directory on a file system that all processes see (--run-dir or "
            f"--resume with the same path for all). Received: {run.path} without config.json"
        )
    with tempfile.TemporaryDirectory(prefix="lsk-worker-") as folder:
        copy = RunDirectory(Path(folder) / run.path.name)
        copy.path.mkdir()
        for name in _RESUMED_FROM:
            source, target = run.path / name, copy.path / name
            if source.is_dir():
                shutil.copytree(source, target, copy_function=_link)
            elif source.is_file():
                shutil.copy2(source, target)  # no link: the history is appended to
        for made in (copy.artifacts, copy.checkpoints, copy.outputs):
            made.mkdir(exist_ok=True)
        yield copy


def _link(source: str, target: str) -> None:
    """Copies a file that is never written again; a hard link takes no space."""
    try:
        os.link(source, target)
    except OSError:  # another file system
        shutil.copy2(source, target)
