"""Opening a run that was trained before, with its task and configuration."""

import dataclasses
import hashlib
import os
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from ls_base.errors import FileError, InputError, shell_command
from lsk_engine.devices.backend import load_backend
from lsk_engine.runs.run_directory import RunDirectory
from lsk_engine.settings.config import Config
from lsk_engine.settings.distillation import DistillationConfig
from lsk_engine.settings.parsing import parse_fields
from lsk_engine.settings.resolving import replace_decoding, restore_config
from lsk_engine.settings.unsmoothing import unsmooth_alpha
from lsk_engine.tasks.contract import Task
from lsk_engine.tasks.registry import load_task


class StoredRun(NamedTuple):
    """A run directory and what it was made with."""

    directory: RunDirectory
    task: Task
    config: Config


def open_run(
    path: str | os.PathLike,
    backend: str | None = None,
    *,
    decoding: Mapping[str, Any] | None = None,
) -> StoredRun:
    """Opens a run, then loads Keras.

    Args:
        path: The run directory.
        backend: The Keras backend to use; `None`: what the environment says.
        decoding: As for `read_run`.

    Raises:
        FileError: If there is no run at `path`.
        InputError: As `read_run`, or if the backend is not installed.
    """
    stored = read_run(path, decoding=decoding)
    load_backend(backend)
    return stored


def read_run(path: str | os.PathLike, *, decoding: Mapping[str, Any] | None = None) -> StoredRun:
    """Opens a run and leaves Keras alone: a value out of range is told at once.

    Args:
        path: The run directory.
        decoding: Fields of `config.decoding` that differ from the run's, strings or values; `None`
            in one leaves it.

    Raises:
        FileError: If there is no run at `path`.
        InputError: If its task is not installed, or its decoding has no such field or value.
    """
    directory = RunDirectory.open(path)
    stored = directory.read_config()
    task = load_task(stored["task"])
    config = restore_config(task, stored)
    return StoredRun(directory, task, replace_decoding(config, decoding or {}))


def check_runs(runs: Sequence[StoredRun]) -> None:
    """Refuses runs that can't be put side by side.

    Args:
        runs: The runs.

    Raises:
        InputError: If there is none, one is given twice, or their tasks differ.
    """
    names = sorted({stored.task.name for stored in runs})
    if len(names) != 1 or len({s.directory.path.resolve() for s in runs}) < len(runs):
        raise InputError(
            "Expected one or more different runs of one task. "
            f"Received: {[str(s.directory.path) for s in runs]} ({', '.join(names) or 'none'})"
        )


def open_for_decoding(
    path: str | os.PathLike,
    task: str,
    *,
    num_return: int | None = None,
    decoding: Mapping[str, Any],
) -> StoredRun:
    """Opens a run of one task to decode with it, as the commands of plugins do.

    Keras is not loaded yet: the command reads its input first, and may have nothing to decode.

    Args:
        path: The run directory.
        task: The task that it has to be of.
        num_return: Hypotheses an example, if more than one may be wanted.
        decoding: As for `read_run`; a temperature may be `"fitted"`: that of `fitted_temperature`.

    Raises:
        FileError: As `read_run` and `fitted_temperature`.
        InputError: As `read_run`, if the run is of another task, if there are fewer beams than
            hypotheses wanted, or if smoothing is to be undone at a fitted temperature.
    """
    if num_return is not None and num_return < 1:
        raise InputError(f"Expected --n-best of at least 1. Received: {num_return}")
    check_task(path, task)
    calibrating = decoding.get("temperature") == "fitted"
    if calibrating:
        decoding = {**decoding, "temperature": read_fitted_temperature(path)}
    opened = read_run(path, decoding=decoding)
    _, _, config = opened
    if calibrating and unsmooth_alpha(config.training, config.decoding, config.distillation):
        raise InputError(
            "Expected a number for the temperature where smoothing is undone: the fitted one "
            "belongs to the smoothed probabilities p; p* has zeros, and so no NLL to fit one by. "
            f"Received: fitted, with decoding.unsmooth={config.decoding.unsmooth}"
        )
    beam_size = opened.config.decoding.beam_size
    if num_return is not None and num_return > beam_size:
        raise InputError(
            f"Expected --n-best of at most the beam's size, {beam_size}. Received: {num_return}"
        )
    return opened


def check_task(path: str | os.PathLike, task: str) -> None:
    """Refuses a run of another task.

    Args:
        path: The run directory.
        task: The task that it has to be of.

    Raises:
        FileError: If there is no run at `path`.
        InputError: If it is of another task.
    """
    found = RunDirectory.open(path).read_config()["task"]
    if found != task:
        raise InputError(f"Expected a run of task '{task}'. Received: one of '{found}'")


def read_fitted_temperature(path: str | os.PathLike) -> float:
    """Returns the temperature that `lsk calibrate` found for a run.

    Args:
        path: The run directory.

    Raises:
        FileError: If there is no run at `path`, or it has no such temperature.
    """
    found = RunDirectory.open(path).read_calibration()
    if found is None or found.temperature is None:
        what = "no calibration.json" if found is None else f"{found.method} scaling"
        command = shell_command("lsk", "calibrate", path)
        raise FileError(f"Expected a temperature fitted by `{command}`. Received: {what}")
    return found.temperature


def with_teacher(teacher: str | os.PathLike, config: Config, **options: Any) -> Config:
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
    values = {"teacher": str(run.path.absolute()), "teacher_sha256": model_sha256(run), **options}
    distillation = parse_fields("distillation", DistillationConfig, values)
    return dataclasses.replace(config, distillation=distillation)


def with_init_from(path: str | os.PathLike, config: Config) -> Config:
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
    return config.replace(
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
