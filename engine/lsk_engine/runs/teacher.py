"""A finished run as somebody's teacher, or as where another one begins."""

import dataclasses
import hashlib
import os
from typing import Any

from ls_base.errors import InputError
from lsk_engine.runs.run_directory import RunDirectory
from lsk_engine.settings.config import Config
from lsk_engine.settings.distillation import DistillationConfig


def taught_by(teacher: str | os.PathLike, config: Config, **options: Any) -> Config:
    """Returns the configuration of a student of a finished run.

    Args:
        teacher: The run directory.
        config: The student's configuration, as `lsk train` would have it.
        **options: Fields of `DistillationConfig`, without those that say who the teacher is.

    Raises:
        FileError: If there is no run.
        InputError: If the run isn't finished, is of another task, or an option is out of range.
    """
    run = RunDirectory.open(teacher)
    task = run.read_config()["task"]
    if task != config.task:
        raise InputError(
            f"Expected a teacher of the student's task, '{config.task}'. "
            f"Received: {run.path}, of task '{task}'"
        )
    distillation = DistillationConfig(
        teacher=str(run.path.absolute()), teacher_sha256=model_sha256(run), **options
    )
    return dataclasses.replace(config, distillation=distillation)


def begun_from(path: str | os.PathLike, config: Config) -> Config:
    """Returns the configuration of a run that starts from the weights of a finished one.

    Args:
        path: The run directory.
        config: What `lsk train` would have otherwise.

    Raises:
        FileError: If there is no run.
        InputError: If the run isn't finished, or is of another task.
    """
    run = RunDirectory.open(path)
    task = run.read_config()["task"]
    if task != config.task:
        raise InputError(
            f"Expected --init-from with a run of the same task, '{config.task}'. "
            f"Received: {run.path}, of task '{task}'"
        )
    return config.changed(
        "training", init_from=str(run.path.absolute()), init_sha256=model_sha256(run, "run")
    )


def model_sha256(run: RunDirectory, what: str = "teacher") -> str:
    """Returns the SHA-256 of a run's saved model.

    Args:
        run: The run.
        what: What it is called in an error.

    Raises:
        InputError: If the run has none yet.
    """
    if not run.model_file.is_file():
        raise InputError(
            f"Expected a finished {what} (`lsk train --resume` finishes a run). "
            f"Received: {run.path} without {run.model_file.name}"
        )
    with run.model_file.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
