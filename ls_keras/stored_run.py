"""Opening a run that was trained before, with its task and configuration."""

import os
from typing import NamedTuple

from ls_keras.backend import load_backend
from ls_keras.config import Config, from_dict
from ls_keras.registry import load_task
from ls_keras.run_directory import RunDirectory
from ls_keras.task import Task


class StoredRun(NamedTuple):
    """A run directory and what it was made with."""

    directory: RunDirectory
    task: Task
    config: Config


def open_run(path: str | os.PathLike, backend: str | None = None) -> StoredRun:
    """Opens a run, then loads Keras.

    Args:
        path: The run directory.
        backend: The Keras backend to use; `None`: what the environment says.

    Raises:
        RunDirectoryError: If there is no run at `path`.
        InputError: If its task is not installed, or the backend is not.
    """
    directory = RunDirectory.open(path)
    stored = directory.read_config()
    task = load_task(stored["task"])
    config = from_dict(task, stored)
    load_backend(backend)
    return StoredRun(directory, task, config)
