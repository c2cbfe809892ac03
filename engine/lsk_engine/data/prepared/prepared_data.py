"""Prepared data sets: written once where everything is installed, used for training anywhere.

A task that offers it writes its files (`Task.prepare`); this module adds the manifest
`prepared.json`, with the settings that the data were made with, and a checksum of each file.
"""

import dataclasses
import os
from pathlib import Path
from typing import Any

from ls_base.errors import InputError
from ls_base.files import new_folder, wrap_os_errors, write_json
from ls_base.records import convert_record
from ls_base.safe_open import expand_user
from lsk_engine.data.prepared.checksummed_files import CheckedFiles, FileChecks, checksum_file
from lsk_engine.environment import environment
from lsk_engine.settings.config import Config
from lsk_engine.settings.prepared_manifest import (
    MANIFEST_FILE,
    MANIFEST_SCHEMA,
    manifest_digest,
    read_manifest,
)
from lsk_engine.tasks.contract import Task, TaskData
from lsk_engine.tasks.registry import tasks_that_load


@dataclasses.dataclass(frozen=True)
class PreparedData:
    """A prepared data set.

    Attributes:
        path: Its folder.
        notes: Notes that every report on the data must contain.
        files: Its files, each of which is compared with its checksum when it is first read.
    """

    path: Path
    notes: tuple[str, ...]
    files: CheckedFiles


def check_can_prepare(task: Task) -> None:
    """Refuses a task whose data can't be prepared.

    Args:
        task: The task.

    Raises:
        InputError: In that case.
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
    """Loads a task's data and writes them, so that training needs only `data.source=DIRECTORY`.

    Everything is written under a temporary name beside `directory`, listed in the manifest, flushed
    to the disk and renamed: `directory` is whole or missing.

    Args:
        task: A task whose data can be prepared.
        config: The configuration, whose `data` are loaded.
        directory: A new or empty directory.

    Returns:
        The loaded data.

    Raises:
        InputError: If the data can't be prepared or loaded, or `directory` holds files already.
        FileError: If `directory` can't be written.
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


def open_prepared(source: str, task: str) -> PreparedData:
    """Opens a prepared data set of any size at once.

    The size of every file is compared now, its content when it is first read: a small file as a
    whole, a large one shard by shard.

    Args:
        source: The path of a prepared data set.
        task: The name of the task that it must be prepared for.

    Raises:
        InputError: If it is for another task or of another schema, or a file is missing or has
            another size.
    """
    path = expand_user(source)
    manifest = read_manifest(source, task)
    checks = convert_record(
        manifest.files, dict[str, FileChecks], str(path / MANIFEST_FILE), error=InputError
    )
    files = CheckedFiles(path, checks)
    files.check_sizes()
    return PreparedData(path, tuple(manifest.notes), files)


def _manifest(config: Config, data: TaskData, folder: Path) -> dict[str, Any]:
    settings = dataclasses.asdict(config.data)
    files = sorted(file for file in folder.rglob("*") if file.is_file())
    content = {
        "schema": MANIFEST_SCHEMA,
        "task": config.task,
        "source": settings.pop("source", None),
        "settings": settings,
        "notes": list(data.notes),
        "files": {f.relative_to(folder).as_posix(): _entry(f) for f in files},
        "environment": environment(),
    }
    return {**content, "sha256": manifest_digest(content)}


def _entry(file: Path) -> dict[str, Any]:
    checks = checksum_file(file, flush=True).to_dict()
    return {name: value for name, value in checks.items() if value is not None}
