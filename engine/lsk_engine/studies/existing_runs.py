"""Whether the runs in a study's folder are the study's: of its settings, on the same data."""

from collections.abc import Iterable, Sequence
from os.path import lexists
from pathlib import Path
from typing import Any

from ls_base.backends import configured_backend
from ls_base.errors import InputError
from ls_base.records import Record
from lsk_engine.runs.run_directory import SCHEMA, RunDirectory
from lsk_engine.settings.config import Config
from lsk_engine.settings.parsing import flat
from lsk_engine.settings.resolving import restore_config
from lsk_engine.studies.arms import Arm
from lsk_engine.studies.jobs import run_of, runs_of
from lsk_engine.studies.settings_diff import unlike
from lsk_engine.tasks.contract import Task

# Where a teacher is, and its logits, differs by folder and seed.
_OF_FOLDERS = ("distillation.teacher", "distillation.teacher_sha256", "distillation.cache")


class _Data(Record, frozen=True):
    """What is read of `data.json` (`lsk_engine.data.fingerprint`, which needs Keras)."""

    splits: dict[str, Any]


def own_runs(
    directory: Path, arms: Iterable[Arm], seeds: int, task: Task
) -> list[tuple[RunDirectory, Config]]:
    """Returns the runs that are there, and refuses those that the study would train otherwise.

    Settings of a run can change while it is gone on with, and numbers that differ in their seventh
    digit have one name: compared as they are, such runs would answer another question.

    Args:
        directory: The study's folder.
        arms: The arms.
        seeds: How many runs an arm has.
        task: The task.

    Returns:
        The runs, finished or not, with their configurations.

    Raises:
        InputError: If one has other settings; it names them.
    """
    there = []
    for arm, seed in runs_of(arms, seeds):
        run = run_of(directory, arm, seed)
        if not lexists(run.config_file):
            continue
        wanted = _told(arm.seeded(seed), arm.distillation)
        config = restore_config(task, run.read_config())
        found = _told(config, {})
        if differing := unlike(wanted, found):
            expected, received = differing
            raise InputError(
                f"Expected {run.path} to have the study's settings ({expected}): move it away, and "
                f"it is trained anew, or take another folder. Received: {received}"
            )
        there.append((run, config))
    return there


def refuse_other_data(runs: Sequence[tuple[RunDirectory, Config]]) -> None:
    """Refuses runs that name the same data and were trained on others.

    Args:
        runs: Runs of a study, with their configurations.

    Raises:
        InputError: If files of data have changed in between; it names two runs.
    """
    known: dict[str, tuple[RunDirectory, Any]] = {}
    for run, config in runs:
        if (splits := splits_of(run)) is None:
            continue
        named = repr((config.data, config.training.max_examples))
        first, of_first = known.setdefault(named, (run, splits))
        if splits != of_first:
            raise InputError(
                f"Expected runs on the same data; {config.data.source} has changed between them: "
                f"take another folder for what it is now. Received: {first.path} and {run.path}"
            )


def refuse_other_backend(runs: Iterable[RunDirectory]) -> None:
    """Refuses to train beside runs of another backend: of one seed, it has other weights.

    Args:
        runs: Those that are there.

    Raises:
        InputError: If one was trained on another backend than Keras takes now.
    """
    now = configured_backend()
    for run in runs:
        before = [start["backend"] for start in run.read_starts() if "backend" in start]
        if before and now not in before:
            raise InputError(
                f"Expected the backend of {run.path}, {before[-1]} (KERAS_BACKEND, --backend), or "
                f"another folder: runs of a study are compared. Received: {now}"
            )


def splits_of(run: RunDirectory) -> dict[str, Any] | None:
    """Returns what the splits of a run's data are known by; `None`: it has kept nothing of them.

    Args:
        run: The run.
    """
    if not lexists(run.data_file):
        return None
    return run.read(run.data_file, _Data, schema=SCHEMA).splits


def _told(config: Config, distillation: Any) -> dict[str, Any]:
    found = flat(config.to_dict())
    found |= {f"distillation.{name}": value for name, value in distillation.items()}
    return {key: value for key, value in found.items() if key not in _OF_FOLDERS}
