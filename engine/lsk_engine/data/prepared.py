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
from typing import Any

from ls_base.errors import InputError
from ls_base.files import new_folder, write_json, writing
from ls_base.reading import expanded, inside, is_regular, open_regular
from ls_base.records import Count, Record, convert_record, read_record
from lsk_engine.environment import environment
from lsk_engine.settings.config import Config
from lsk_engine.tasks.contract import Task, TaskData

SCHEMA = 1
MANIFEST_FILE = "prepared.json"


@dataclasses.dataclass(frozen=True)
class PreparedData:
    """A prepared data set whose files are what they were when they were written.

    Attributes:
        path: Where they are.
        notes: What every report on this data must say.
        files: The names of the files below `path` that were compared with their checksums.
    """

    path: Path
    notes: tuple[str, ...]
    files: frozenset[str]

    def file(self, name: str) -> Path:
        """Returns the path of one of the files, by its name below `path`.

        Raises:
            InputError: If the manifest does not list it: nobody knows what it should hold.
        """
        if name not in self.files:
            raise InputError(
                f"Expected {name} in {self.path / MANIFEST_FILE}; prepare the data set again. "
                "Received: a list without it"
            )
        return self.path / name


def check_offered(task: Task) -> None:
    """Refuses a task whose data can't be prepared.

    Args:
        task: The task.

    Raises:
        InputError: If it does not offer it.
    """
    if type(task).prepare is Task.prepare:
        raise InputError(
            "Expected a task whose data can be prepared (`Task.prepare`). "
            f"Received: task {task.name!r}, which does not offer it"
        )


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
    check_offered(task)
    path = Path(directory)
    if path.exists() and (not path.is_dir() or any(path.iterdir())):
        raise InputError(f"Expected a new or empty directory to prepare into. Received: {path}")
    with new_folder(path, mark="preparing") as folder:
        data = task.load_data(config)
        with writing(path):
            task.prepare(config, data, folder)
            write_json(folder / MANIFEST_FILE, _manifest(config, data, folder))
    return data


def is_prepared(source: str) -> bool:
    """Returns whether `source` is the path of a prepared data set."""
    return bool(source) and is_regular(expanded(source) / MANIFEST_FILE)


def read_settings(source: str, task: str) -> dict[str, Any]:
    """Returns the settings that a prepared data set was made with; `source` is not among them.

    Args:
        source: The path of a prepared data set.
        task: The name of the task that it must be of.

    Raises:
        InputError: If it is of another task, or of another schema.
    """
    return _read_manifest(expanded(source), task).settings


def open_prepared(source: str, task: str) -> PreparedData:
    """Opens a prepared data set after comparing each file with its checksum.

    That reads every file once (about a second for 1 GB).

    Args:
        source: The path of a prepared data set.
        task: The name of the task that it must be of.

    Raises:
        InputError: If it is of another task or schema, or a file is missing or was changed.
    """
    path = expanded(source)
    manifest = _read_manifest(path, task)
    for name, stored in manifest.files.items():
        file = inside(path, name, error=InputError)
        found = _describe(file) if is_regular(file) else {"bytes": "no file", "sha256": ""}
        for what, expected in (("bytes", stored.bytes), ("sha256", stored.sha256)):
            if found[what] != expected:
                raise InputError(
                    f"Expected {file} as it was prepared ({what} {expected}); prepare the data "
                    f"set again, or copy it again. Received: {found[what]}"
                )
    return PreparedData(path, tuple(manifest.notes), frozenset(manifest.files))


def _manifest(config: Config, data: TaskData, folder: Path) -> dict[str, Any]:
    settings = dataclasses.asdict(config.data)
    files = sorted(file for file in folder.rglob("*") if file.is_file())
    content = {
        "schema": SCHEMA,
        "task": config.task,
        "source": settings.pop("source", None),
        "settings": settings,
        "notes": list(data.notes),
        "files": {f.relative_to(folder).as_posix(): _describe(f, flush=True) for f in files},
        "environment": environment(),
    }
    return {**content, "sha256": _digest(content)}


def _digest(content: Mapping[str, Any]) -> str:
    """Returns the SHA-256 of what a manifest says, its own left out, as JSON holds it."""
    told = {name: value for name, value in content.items() if name != "sha256"}
    return hashlib.sha256(json.dumps(told, sort_keys=True).encode()).hexdigest()


def _describe(file: Path, *, flush: bool = False) -> dict[str, Any]:
    with open_regular(file, error=InputError) as content:
        digest = hashlib.file_digest(content, "sha256").hexdigest()
        if flush:
            os.fsync(content.fileno())
        return {"bytes": content.tell(), "sha256": digest}


class _File(Record, frozen=True):
    bytes: Count
    sha256: str


class _Manifest(Record, frozen=True):
    task: str
    settings: dict[str, Any]
    notes: list[str]
    files: dict[str, _File]
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
