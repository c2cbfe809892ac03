"""The runs of a study: their folders, the jobs that train them, and checks of existing ones."""

import dataclasses
import functools
from collections.abc import Callable, Iterable, Iterator
from os.path import lexists
from pathlib import Path
from typing import Any

from ls_base.backends import configured_backend
from ls_base.errors import InputError
from ls_base.records import Record
from lsk_engine.runs.run_directory import SCHEMA, RunDirectory
from lsk_engine.runs.stored_run import with_teacher
from lsk_engine.settings.config import Config
from lsk_engine.settings.parsing import flat
from lsk_engine.settings.resolving import restore_config
from lsk_engine.studies.arms import Arm
from lsk_engine.studies.settings_diff import first_differences
from lsk_engine.studies.study_result import DATA, RUNS
from lsk_engine.tasks.contract import Task

_LOGITS = "logits"  # folder in a teacher's run, where its students share them
# Settings of students that differ by folder and seed.
_BY_FOLDER = ("distillation.teacher", "distillation.teacher_sha256", "distillation.cache")


@dataclasses.dataclass(frozen=True, eq=False)
class Job:
    """A run to be trained.

    Attributes:
        name: Its name in messages.
        kind: Jobs of the same kind take about the same time.
        run: Its run directory.
        create: Makes the run directory; called when `after` is finished.
        after: A run that has to be finished first; `None`: none.
    """

    name: str
    kind: str
    run: RunDirectory
    create: Callable[[], object]
    after: RunDirectory | None = None

    @property
    def finished(self) -> bool:
        """Whether the run has its final scores."""
        return self.run.metrics_file.is_file()

    @property
    def ready(self) -> bool:
        """Whether the run that it depends on is finished."""
        return self.after is None or self.after.metrics_file.is_file()


def run_of(directory: Path, arm: Arm, seed: int) -> RunDirectory:
    """Returns a run of a study; it may not exist yet.

    Args:
        directory: The study's folder.
        arm: The arm.
        seed: The run's seed.
    """
    return RunDirectory(directory / arm.folder / run_name(arm, seed))


def run_name(arm: Arm, seed: int) -> str:
    """Returns the name of a run's folder."""
    return f"{arm.name}-seed{seed}"


def jobs_of(directory: Path, arms: Iterable[Arm], seeds: int, *, cached: bool = False) -> list[Job]:
    """Returns a job for each run; teachers come first, one for all of their students.

    Args:
        directory: The study's folder.
        arms: The arms; their teachers are added.
        seeds: Number of runs of each arm.
        cached: Whether students share logits of their teacher that are computed once.
    """
    return [_job(directory, arm, seed, cached) for arm, seed in runs_of(arms, seeds)]


def configs_of(arms: Iterable[Arm], seeds: int) -> list[Config]:
    """Returns the configuration of each run that `jobs_of` has a job for."""
    return [arm.seeded(seed) for arm, seed in runs_of(arms, seeds)]


def runs_of(arms: Iterable[Arm], seeds: int) -> Iterator[tuple[Arm, int]]:
    """Yields an arm and a seed for each run: teachers first, the seeds of an arm together.

    Args:
        arms: The arms; their teachers are added.
        seeds: Number of runs of each arm.
    """
    known = set()
    for arm in arms:
        for one in (arm,) if arm.teacher is None else (arm.teacher, arm):
            if (one.folder, one.name) not in known:
                known.add((one.folder, one.name))
                yield from ((one, seed) for seed in range(seeds))


def find_existing_runs(
    directory: Path, arms: Iterable[Arm], seeds: int, task: Task
) -> list[tuple[RunDirectory, Config]]:
    """Returns the runs that exist, finished or not, and checks that they belong to the study.

    The settings of a run may have been changed when it was resumed, and numbers that differ in the
    seventh digit give the same folder name.

    Args:
        directory: The study's folder.
        arms: The arms.
        seeds: Number of runs of each arm.
        task: The task.

    Returns:
        The runs with their configurations.

    Raises:
        InputError: If a run has other settings than the study.
    """
    found = []
    for arm, seed in runs_of(arms, seeds):
        run = run_of(directory, arm, seed)
        if not lexists(run.config_file):
            continue
        config = restore_config(task, run.read_config())
        wanted = flat(arm.seeded(seed).to_dict())
        wanted |= {f"distillation.{name}": value for name, value in arm.distillation.items()}
        settings = (wanted, flat(config.to_dict()))
        if differences := first_differences(*map(_without_folders, settings)):
            expected, received = differences
            raise InputError(
                f"Expected {run.path} to have the study's settings ({expected}): move it away to "
                f"train it again, or use another folder. Received: {received}"
            )
        found.append((run, config))
    return found


def check_same_data(runs: Iterable[RunDirectory], split: str | None = None) -> None:
    """Checks that runs with the same data settings were trained on the same data.

    Args:
        runs: The runs.
        split: The split to compare; `None`: all.

    Raises:
        InputError: If data have changed between two runs.
    """
    known: dict[str, tuple[RunDirectory, Any]] = {}
    for run in runs:
        splits = read_split_fingerprints(run)
        found = splits if split is None or splits is None else splits.get(split)
        if found is None:
            continue
        config = run.read_config()
        key = repr((config["data"], config["training"].get("max_examples")))
        first, expected = known.setdefault(key, (run, found))
        if found != expected:
            raise InputError(
                f"Expected runs with the same {f'{split} split' if split else 'data'}; "
                f"{config['data'].get('source')} has changed between them: use another folder for "
                f"the new data. Received: {first.path} and {run.path}"
            )


def check_same_backend(runs: Iterable[RunDirectory]) -> None:
    """Checks that existing runs were trained on the current backend: seeds depend on it.

    Args:
        runs: Existing runs.

    Raises:
        InputError: If one was trained on another backend.
    """
    current = configured_backend()
    for run in runs:
        backends = [start["backend"] for start in run.read_starts() if "backend" in start]
        if backends and current not in backends:
            raise InputError(
                f"Expected the backend of {run.path}, {backends[-1]} (KERAS_BACKEND, --backend), "
                f"or another folder: runs of a study are compared. Received: {current}"
            )


def read_split_fingerprints(run: RunDirectory) -> dict[str, Any] | None:
    """Returns the fingerprints of the splits of a run's data; `None` if it has stored none.

    Args:
        run: The run.
    """
    if not lexists(run.data_file):
        return None
    return run.read(run.data_file, _DataFile, schema=SCHEMA).splits


class _DataFile(Record, frozen=True):
    """What is read of `data.json` (`lsk_engine.data.fingerprint`, which needs Keras)."""

    splits: dict[str, Any]


def _without_folders(settings: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in settings.items() if key not in _BY_FOLDER}


def _job(directory: Path, arm: Arm, seed: int, cached: bool) -> Job:
    run = run_of(directory, arm, seed)
    teacher = None if arm.teacher is None else run_of(directory, arm.teacher, seed)
    folder = "" if arm.folder == RUNS else f"{arm.folder}/"
    return Job(
        name=f"{folder}{run_name(arm, seed)}",
        kind=f"{folder}{arm.name}",
        run=run,
        create=functools.partial(_create, run, arm, seed, teacher, cached, directory / DATA),
        after=teacher,
    )


def _create(
    run: RunDirectory,
    arm: Arm,
    seed: int,
    teacher: RunDirectory | None,
    cached: bool,
    data_cache: Path,
) -> RunDirectory:
    config = arm.seeded(seed)
    if teacher is not None:
        cache = str((teacher.path / _LOGITS).absolute()) if cached else None
        config = with_teacher(teacher.path, config, cache=cache, **arm.distillation)
    return RunDirectory.create(run.path, config.to_dict(), data_cache)
