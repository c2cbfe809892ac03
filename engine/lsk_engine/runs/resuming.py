"""Starting and resuming runs: which settings may change, and what follows from a change."""

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

# Settings that don't belong to a checkpoint: the length of training, which weights are saved, and
# what helps after divergence.
CHANGEABLE = (
    "training.epochs",
    "training.steps",
    "training.patience",
    "training.save_weights",
    "optimizer.learning_rate",
    "optimizer.global_clipnorm",
)
# Results of commands about the trained model, in `evaluation`. Learning curves and the mutual
# information by checkpoint belong to training, and stay.
_RESULTS = (
    "*temperature-sweep.*",
    "projection*",
    "measured-*.json",
    "equivalent-smoothing.json",
)
_LENGTH = {"training.epochs", "training.steps"}
_FULL_LENGTH = ("cosine", "linear")  # schedules that depend on the last step
_TRAINING_FILES = ("checkpoints/*", "history.jsonl", "model.keras", "metrics.json")


def apply_changes(config: Config, overrides: Mapping[str, Any]) -> Config:
    """Returns a run's configuration with changed settings.

    Args:
        config: The run's configuration.
        overrides: Values by dotted key, from the command line.

    Raises:
        InputError: If a setting is not in `CHANGEABLE`, or its value is out of range.
    """
    if fixed := sorted(overrides.keys() - set(CHANGEABLE)):
        raise InputError(
            "Expected --resume RUN with no other settings than "
            f"{', '.join(CHANGEABLE[:-1])} and {CHANGEABLE[-1]}. Received: {', '.join(fixed)}"
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
    """Checks that a run can be resumed with a configuration; changes nothing.

    Args:
        task: The task.
        config: The configuration to resume with.
        run: The run.

    Returns:
        The settings that change: `[old, new]` by dotted key.

    Raises:
        InputError: If a setting differs that is not in `CHANGEABLE`.
        FileError: If the run is finished and its checkpoints were removed.
    """
    if run.model_file.is_file() and not checkpoint_steps(run.checkpoints):
        raise FileError(
            "Expected an unfinished run, or one with checkpoints (`lsk evaluate` scores a finished "
            "run again; to train from the start, start another run). "
            f"Received: {run.path}, finished, without checkpoints"
        )
    before, now = (_by_key(values) for values in (restore_config(task, run.read_config()), config))
    differing = {key: [before[key], now[key]] for key in before if before[key] != now[key]}
    if fixed := sorted(differing.keys() - set(CHANGEABLE)):
        raise InputError(
            f"Expected the settings of {run.path}. Received: "
            + ", ".join(f"{k}={differing[k][1]!r} for {differing[k][0]!r}" for k in fixed)
        )
    return differing


def record_resumption(task: Task, config: Config, run: RunDirectory) -> list[str]:
    """Records that a run is resumed and, if settings have changed, how.

    Changed settings lead to another model: the trained model and its results are removed. So this
    is the last thing to do before training continues.

    Args:
        task: The task.
        config: The configuration to resume with.
        run: The run, locked by this process.

    Returns:
        Consequences of the changes, as messages for the user.

    Raises:
        InputError: As `check_resumption`.
        FileError: As `check_resumption`.
    """
    differing = check_resumption(task, config, run)
    more: dict[str, Any] = {"changed": differing} if differing else {}
    run.record_start(resumed=True, seconds_before=_trained_seconds(run), **more)
    if not differing:
        return []
    # The scores first: without them, the run counts as unfinished.
    for file in (run.metrics_file, run.model_file, *_result_files(run)):
        with wrap_os_errors(file):
            file.unlink(missing_ok=True)
    calibrated = run.remove_calibration()
    new_data = run.new_data_folder("any").parent
    has_new_data = new_data.is_dir()
    if has_new_data:
        with wrap_os_errors(new_data):
            shutil.rmtree(new_data)
    cache = {key: value for key, value in run.read_config().items() if key == "data_cache"}
    run.write_json(run.config_file, {"schema": CONFIG_SCHEMA, **config.to_dict(), **cache})
    consequences = []
    schedule = config.optimizer.schedule
    if differing.keys() & _LENGTH and schedule in _FULL_LENGTH:
        consequences.append(
            f"the learning rate depends on the last step (optimizer.schedule={schedule}), which "
            "has changed: from here on it follows the new length, and the run differs from one "
            "with this length from the start"
        )
    if calibrated:
        consequences.append(
            "the calibration is removed, since the model changes; calibrate again with "
            + shell_command("lsk", "calibrate", run.path)
        )
    if has_new_data:
        consequences.append(
            "the scores on other data are removed, since the model changes; score again with "
            f"{shell_command('lsk', 'evaluate', run.path)} --data …"
        )
    return consequences


def _result_files(run: RunDirectory) -> Iterator[Path]:
    """Yields the files with results of a run's trained model."""
    for pattern in _RESULTS:
        yield from run.evaluation.glob(pattern)
    for outputs in run.outputs.glob("*.json"):
        yield outputs
        yield from run.evaluation.glob(f"*-{glob.escape(outputs.stem)}.*")


def seconds_before(run: RunDirectory) -> float:
    """Returns how many seconds a run was trained before its last start."""
    known = _last_start(run).get("seconds_before", 0.0)
    return known if isinstance(known, float) and 0 <= known < math.inf else 0.0


def _trained_seconds(run: RunDirectory) -> float:
    """Returns how many seconds a run was trained until its last checkpoint."""
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
    """Removes a new folder if the block fails before anything was trained.

    The user can fix the problem then, and give the same command again.

    Args:
        directory: The folder of a run or a study, locked by this process.
        new: Whether the folder is new.
        on: The exceptions to handle.
    """
    try:
        yield
    except on:
        trained = itertools.chain.from_iterable(map(directory.rglob, _TRAINING_FILES))
        if new and next(trained, None) is None:
            shutil.rmtree(directory, ignore_errors=True)
        raise
