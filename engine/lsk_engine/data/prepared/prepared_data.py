"""Prepared data sets: written once where everything is installed, trained from anywhere.

Of any task that offers it (`Task.prepare`). The task writes its files; this module adds the
manifest `prepared.json`: the settings that the data were made with, and a checksum of each file.
"""

import dataclasses
import hashlib
import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ls_base.errors import InputError
from ls_base.files import new_folder, wrap_os_errors, write_json
from ls_base.records import Record, convert_record, read_record
from ls_base.safe_open import expand_user, is_regular
from lsk_engine.data.prepared.file_checks import FileChecks, checksum_file
from lsk_engine.environment import environment
from lsk_engine.settings.config import Config
from lsk_engine.tasks.contract import Task, TaskData
from lsk_engine.tasks.registry import tasks_that_load

if TYPE_CHECKING:
    from lsk_engine.data.prepared.checksummed_files import (
        CheckedFiles,  # NumPy: nobody waits for it here
    )

SCHEMA = 1
MANIFEST_FILE = "prepared.json"


@dataclasses.dataclass(frozen=True)
class PreparedData:
    """A prepared data set.

    Attributes:
        path: Where it is.
        notes: What every report on this data must say.
        files: Its files, each of which is compared with its checksum when it is first read.
    """

    path: Path
    notes: tuple[str, ...]
    files: "CheckedFiles"


def check_can_prepare(task: Task) -> None:
    """Refuses a task whose data can't be prepared.

    Args:
        task: The task.

    Raises:
        InputError: If it does not offer it.
    """
    if not can_prepare(task):
        offering = " or ".join(name for name, other in tasks_that_load() if can_prepare(other))
        raise InputError(
            f"Expected a task whose data can be prepared: {offering or 'none is installed'}. "
            f"Received: {task.name}"
        )


def can_prepare(task: Task) -> bool:
    """Returns whether the task's data can be prepared."""
    return type(task).prepare is not Task.prepare


def prepare(task: Task, config: Config, directory: str | os.PathLike) -> TaskData:
    """Loads a task's data and writes them, so that `data.source=DIRECTORY` is all they need.

    Everything is written under a temporary name beside `directory`, checked off in the manifest,
    flushed to the disk and renamed: `directory` is there whole or not at all.

    Args:
        task: A task that offers it.
        config: Which data: `config.data`.
        directory: A new or empty directory.

    Returns:
        The data as they were loaded.

    Raises:
        InputError: If the task does not offer it, or the data can't be loaded.
        FileError: If `directory` holds files already, or can't be written.
    """
    check_can_prepare(task)
    path = Path(directory)
    if path.exists() and (not path.is_dir() or any(path.iterdir())):
        raise InputError(f"Expected a new or empty directory to prepare into. Received: {path}")
    with new_folder(path) as folder:
        data = task.load_data(config)
        with wrap_os_errors(path):
            task.prepare(config, data, folder)
            write_json(folder / MANIFEST_FILE, _manifest(config, data, folder))
    return data


def is_prepared(source: str) -> bool:
    """Returns whether `source` is the path of a prepared data set."""
    return bool(source) and is_regular(expand_user(source) / MANIFEST_FILE)


def read_settings(source: str, task: str) -> dict[str, Any]:
    """Returns the settings that a prepared data set was made with; `source` is not among them.

    Args:
        source: The path of a prepared data set.
        task: The name of the task that it must be of.

    Raises:
        InputError: If it is of another task, or of another schema.
    """
    return _read_manifest(expand_user(source), task).settings


def open_prepared(source: str, task: str) -> PreparedData:
    """Opens a prepared data set, however large, at once.

    The size of every file is compared now, its content when it is first read: of a small file as a
    whole, of a large one shard by shard.

    Args:
        source: The path of a prepared data set.
        task: The name of the task that it must be of.

    Raises:
        InputError: If it is of another task or schema, or a file is missing or of another size.
    """
    from lsk_engine.data.prepared.checksummed_files import CheckedFiles

    path = expand_user(source)
    manifest = _read_manifest(path, task)
    files = CheckedFiles(path, manifest.files)
    files.check_sizes()
    return PreparedData(path, tuple(manifest.notes), files)


def _manifest(config: Config, data: TaskData, folder: Path) -> dict[str, Any]:
    settings = dataclasses.asdict(config.data)
    files = sorted(file for file in folder.rglob("*") if file.is_file())
    content = {
        "schema": SCHEMA,
        "task": config.task,
        "source": settings.pop("source", None),
        "settings": settings,
        "notes": list(data.notes),
        "files": {f.relative_to(folder).as_posix(): _entry(f) for f in files},
        "environment": environment(),
    }
    return {**content, "sha256": _digest(content)}


def _entry(file: Path) -> dict[str, Any]:
    told = checksum_file(file, flush=True).to_dict()
    return {name: value for name, value in told.items() if value is not None}


def _digest(content: Mapping[str, Any]) -> str:
    """Returns the SHA-256 of what a manifest says, its own left out, as JSON holds it."""
    told = {name: value for name, value in content.items() if name != "sha256"}
    return hashlib.sha256(json.dumps(told, sort_keys=True).encode()).hexdigest()


class _Manifest(Record, frozen=True):
    task: str
    settings: dict[str, Any]
    notes: list[str]
    files: dict[str, FileChecks]
    sha256: str | None = None  # manifests had none at first


def _read_manifest(path: Path, task: str) -> _Manifest:
    file = path / MANIFEST_FILE
    content = read_record(file, dict[str, Any], schema=SCHEMA, error=InputError)
    manifest = convert_record(content, _Manifest, str(file), error=InputError)
    if manifest.sha256 is not None and manifest.sha256 != _digest(content):
        raise InputError(
            f"Expected {file} as it was written; prepare the data set again, or copy it again. "
            "Received: another"
        )
    if manifest.task != task:
        raise InputError(
            f"Expected a data set prepared for task {task!r}. Received: {path}, prepared for "
            f"{manifest.task!r}"
        )
    return manifest
