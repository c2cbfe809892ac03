"""Opening stored runs: to score or decode with them, as teachers, or as starting points."""

import dataclasses
import os
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from ls_base.errors import FileError, InputError, shell_command
from lsk_engine.devices.backend import load_backend
from lsk_engine.runs.checksums import sha256
from lsk_engine.runs.run_directory import RunDirectory
from lsk_engine.settings.config import Config
from lsk_engine.settings.distillation import DistillationConfig
from lsk_engine.settings.parsing import parse_fields
from lsk_engine.settings.resolving import replace_decoding, restore_config
from lsk_engine.settings.unsmoothing import unsmooth_alpha
from lsk_engine.tasks.contract import Task
from lsk_engine.tasks.registry import load_task


class StoredRun(NamedTuple):
    """A run directory with its task and configuration."""

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
        backend: The Keras backend to use; `None`: the configured one.
        decoding: As for `read_run`.

    Raises:
        FileError: If there is no run at `path`.
        InputError: As `read_run`, or if the backend is not installed.
    """
    stored = read_run(path, decoding=decoding)
    load_backend(backend)
    return stored


def read_run(path: str | os.PathLike, *, decoding: Mapping[str, Any] | None = None) -> StoredRun:
    """Opens a run without loading Keras, so that wrong values are reported at once.

    Args:
        path: The run directory.
        decoding: Fields of `config.decoding` to change, as strings or values; `None` keeps one.

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
    """Refuses runs that can't be compared.

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
    """Opens a run of a given task for a plugin's decoding command, without loading Keras.

    Args:
        path: The run directory.
        task: The name of the expected task.
        num_return: Number of hypotheses per example, if the command has the option.
        decoding: As for `read_run`; the temperature may be `"fitted"`: see
            `read_fitted_temperature`.

    Raises:
        FileError: As `read_run` and `read_fitted_temperature`.
        InputError: As `read_run`, if the run is of another task, has fewer beams than hypotheses,
            or removes smoothing at a fitted temperature.
    """
    if num_return is not None and num_return < 1:
        raise InputError(f"Expected --n-best of at least 1. Received: {num_return}")
    check_task(path, task)
    fitted = decoding.get("temperature") == "fitted"
    if fitted:
        decoding = {**decoding, "temperature": read_fitted_temperature(path)}
    stored = read_run(path, decoding=decoding)
    config = stored.config
    if fitted and unsmooth_alpha(config.training, config.decoding, config.distillation):
        raise InputError(
            "Expected a number for the temperature with decoding.unsmooth: the fitted temperature "
            "belongs to the smoothed probabilities. "
            f"Received: fitted, with decoding.unsmooth={config.decoding.unsmooth}"
        )
    beam_size = config.decoding.beam_size
    if num_return is not None and num_return > beam_size:
        raise InputError(
            f"Expected --n-best of at most the beam size, {beam_size}. Received: {num_return}"
        )
    return stored


def check_task(path: str | os.PathLike, task: str) -> None:
    """Refuses a run of another task.

    Args:
        path: The run directory.
        task: The name of the expected task.

    Raises:
        FileError: If there is no run at `path`.
        InputError: If it is of another task.
    """
    found = RunDirectory.open(path).read_config()["task"]
    if found != task:
        raise InputError(f"Expected a run of task '{task}'. Received: one of '{found}'")


def read_fitted_temperature(path: str | os.PathLike) -> float:
    """Returns the temperature that `lsk calibrate` fitted for a run.

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
        teacher: The teacher's run directory.
        config: The student's configuration without distillation.
        **options: Fields of `DistillationConfig`, other than the teacher's path and hash.

    Raises:
        FileError: If there is no run.
        InputError: If the run is unfinished or of another task, or an option is out of range.
    """
    run = _open_same_task(teacher, config, "a teacher of the student's task")
    values = {"teacher": str(run.path.absolute()), "teacher_sha256": model_sha256(run), **options}
    distillation = parse_fields("distillation", DistillationConfig, values)
    return dataclasses.replace(config, distillation=distillation)


def with_init_from(path: str | os.PathLike, config: Config) -> Config:
    """Returns the configuration of a run that starts from the weights of a finished run.

    Args:
        path: The directory of the finished run.
        config: The configuration of the new run.

    Raises:
        FileError: If there is no run.
        InputError: If the run is unfinished, or is of another task.
    """
    run = _open_same_task(path, config, "--init-from with a run of the same task")
    return config.replace(
        "training", init_from=str(run.path.absolute()), init_sha256=model_sha256(run, "run")
    )


def model_sha256(run: RunDirectory, what: str = "teacher") -> str:
    """Returns the SHA-256 of a run's saved model.

    Args:
        run: The run.
        what: The run's role, for the error.

    Raises:
        InputError: If the run is unfinished.
    """
    if not run.model_file.is_file():
        raise InputError(
            f"Expected a finished {what} (`lsk train --resume` finishes a run). "
            f"Received: {run.path} without {run.model_file.name}"
        )
    return sha256(run.model_file)


def _open_same_task(path: str | os.PathLike, config: Config, expected: str) -> RunDirectory:
    run = RunDirectory.open(path)
    task = run.read_config()["task"]
    if task != config.task:
        raise InputError(
            f"Expected {expected}, '{config.task}'. Received: {run.path}, of task '{task}'"
        )
    return run
