"""Going on with a run: what may change, and what is written down about it."""

import contextlib
import datetime
import glob
import itertools
import math
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from ls_base.errors import FileError, InputError, shell_command
from ls_base.files import wrap_os_errors
from lsk_engine.runs.naming import checkpoint_file, checkpoint_steps
from lsk_engine.runs.run_directory import RunDirectory
from lsk_engine.settings.config import CONFIG_SCHEMA, PARTS, Config
from lsk_engine.settings.parsing import field_types, parse
from lsk_engine.settings.resolving import resolve_epochs_and_steps, restore_config
from lsk_engine.tasks.contract import Task

# What a checkpoint knows nothing of: how long training goes on, what of it is kept, and what helps
# one that diverged.
CHANGEABLE = (
    "training.epochs",
    "training.steps",
    "training.patience",
    "training.save_weights",
    "optimizer.learning_rate",
    "optimizer.global_clipnorm",
)
# What commands have found of the model as it was, and `lsk show` and reports would tell. Not so
# what belongs to training: learning curves, and mutual information by checkpoint.
_OF_THE_MODEL = (
    "*temperature-sweep.*",
    "projection*",
    "measured-*.json",
    "equivalent-smoothing.json",
)
_LENGTH = {"training.epochs", "training.steps"}
_TRAINED = ("checkpoints/*", "history.jsonl", "model.keras", "metrics.json")
_TO_THE_END = ("cosine", "linear")  # schedules that know the last step


def apply_changes(config: Config, overrides: Mapping[str, Any]) -> Config:
    """Returns a run's configuration with the settings that it is to go on with.

    Args:
        config: As the run has it.
        overrides: Values by dotted key, as the command line has them.

    Raises:
        InputError: If one is not in `CHANGEABLE`, or out of range.
    """
    settled = sorted(overrides.keys() - set(CHANGEABLE))
    if settled:
        raise InputError(
            "Expected --resume RUN with no other settings than "
            f"{', '.join(CHANGEABLE[:-1])} and {CHANGEABLE[-1]}: the "
            f"run has settled all others. Received: {', '.join(settled)}"
        )
    overrides = resolve_epochs_and_steps(overrides)
    for part in ("training", "optimizer"):
        before = getattr(config, part)
        hints = field_types(type(before))
        fields = {key.partition(".")[2]: key for key in overrides if key.startswith(part)}
        values = {name: parse(key, overrides[key], hints[name]) for name, key in fields.items()}
        config = config.replace(part, **values)
    return config


def check_resumption(task: Task, config: Config, run: RunDirectory) -> dict[str, list[Any]]:
    """Refuses what a run can't be gone on with, as far as its settings tell, and changes nothing.

    Args:
        task: The task.
        config: What the run is to go on with.
        run: The run.

    Returns:
        Which settings change, by dotted key: from what to what.

    Raises:
        InputError: If a setting differs that is not in `CHANGEABLE`.
        FileError: If the run is finished and its checkpoints were removed.
    """
    if run.model_file.is_file() and not checkpoint_steps(run.checkpoints):
        raise FileError(
            "Expected an unfinished run, or one with its checkpoints (`lsk evaluate` scores a "
            "finished one again; to train anew, start another run). "
            f"Received: {run.path}, finished, without checkpoints"
        )
    before, now = (_by_key(values) for values in (restore_config(task, run.read_config()), config))
    differing = {key: [before[key], now[key]] for key in before if before[key] != now[key]}
    settled = sorted(differing.keys() - set(CHANGEABLE))
    if settled:
        raise InputError(
            f"Expected the settings of {run.path}. Received: "
            + ", ".join(f"{k}={differing[k][1]!r} for {differing[k][0]!r}" for k in settled)
        )
    return differing


def record_resumption(task: Task, config: Config, run: RunDirectory) -> list[str]:
    """Writes down that a run is gone on with and, if settings have changed, from what to what.

    Then the model that is there, and what was found of it, are removed: they are not what these
    settings lead to. So this is the last thing to be done before training goes on.

    Args:
        task: The task.
        config: What the run goes on with.
        run: The run; nobody else is at work in it.

    Returns:
        What follows from the changes, to be said.

    Raises:
        InputError: As `check_resumption`.
        FileError: Likewise.
    """
    differing = check_resumption(task, config, run)
    more: dict[str, Any] = {"changed": differing} if differing else {}
    run.record_start(resumed=True, seconds_before=_seconds_until_now(run), **more)
    if not differing:
        return []
    # What is another model's goes first; until its own is measured, the run isn't finished.
    for file in (run.metrics_file, run.model_file, *_of_the_model(run)):
        with wrap_os_errors(file):
            file.unlink(missing_ok=True)
    calibrated = run.remove_calibration()
    elsewhere = run.new_data_folder("any").parent
    scored_elsewhere = elsewhere.is_dir()
    if scored_elsewhere:
        with wrap_os_errors(elsewhere):
            shutil.rmtree(elsewhere)
    cache = {key: value for key, value in run.read_config().items() if key == "data_cache"}
    run.write_json(run.config_file, {"schema": CONFIG_SCHEMA, **config.to_dict(), **cache})
    consequences = []
    schedule = config.optimizer.schedule
    if differing.keys() & _LENGTH and schedule in _TO_THE_END:
        consequences.append(
            f"the learning rate falls to the last step (optimizer.schedule={schedule}), which is "
            "another now: from here on it follows the new one, and the run is not what it would "
            "have been with this length from the start"
        )
    if calibrated:
        consequences.append(
            "the calibration of the run as it was is removed: "
            + shell_command("lsk", "calibrate", run.path)
        )
    if scored_elsewhere:
        consequences.append(
            "the scores of the run as it was on other data are removed: "
            f"{shell_command('lsk', 'evaluate', run.path)} --data …"
        )
    return consequences


def _of_the_model(run: RunDirectory) -> Iterator[Path]:
    """Yields the files that hold what was found of a run's model."""
    for pattern in _OF_THE_MODEL:
        yield from run.evaluation.glob(pattern)
    for outputs in run.outputs.glob("*.json"):
        yield outputs
        yield from run.evaluation.glob(f"*-{glob.escape(outputs.stem)}.*")


def seconds_before(run: RunDirectory) -> float:
    """Returns how long a run was trained before its last start, as far as it goes on from there."""
    known = _last_start(run).get("seconds_before", 0.0)
    return known if isinstance(known, float) and 0 <= known < math.inf else 0.0


def _seconds_until_now(run: RunDirectory) -> float:
    """Adds the time from the last start to the last checkpoint: a process may have been killed."""
    before = seconds_before(run)
    steps = checkpoint_steps(run.checkpoints)
    try:
        started = datetime.datetime.fromisoformat(str(_last_start(run).get("started")))
        saved = checkpoint_file(run.checkpoints, steps[-1]).stat().st_mtime
    except (IndexError, OSError, ValueError):
        return before
    return round(before + max(0.0, saved - started.timestamp()), 2)


def _last_start(run: RunDirectory) -> dict[str, Any]:
    return next(reversed(run.read_starts()), {})


def _by_key(config: Config) -> dict[str, Any]:
    values = config.to_dict()
    parts = [part for part in (*PARTS, "distillation") if part in values]
    return {f"{part}.{key}": value for part in parts for key, value in values[part].items()}


@contextlib.contextmanager
def remove_on_failed_start(
    directory: Path,
    *,
    new: bool,
    on: type[BaseException] | tuple[type[BaseException], ...] = BaseException,
) -> Iterator[None]:
    """Removes a folder that was not there before, if the block fails before anything was trained.

    What was wrong can be mended then, and the same command given again.

    Args:
        directory: A run's folder, or one of many runs; it is held.
        new: Whether it was not there before.
        on: Which failures.
    """
    try:
        yield
    except on:
        trained = itertools.chain.from_iterable(map(directory.rglob, _TRAINED))
        if new and next(trained, None) is None:
            shutil.rmtree(directory, ignore_errors=True)
        raise
