"""The runs of arms: where each is, and the jobs that train them, teachers before students."""

import dataclasses
import functools
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from lsk_engine.runs.run_directory import RunDirectory
from lsk_engine.runs.stored_run import with_teacher
from lsk_engine.settings.config import Config
from lsk_engine.studies.arms import Arm
from lsk_engine.studies.study_folder import DATA, RUNS


@dataclasses.dataclass(frozen=True, eq=False)
class Job:
    """A run to be trained.

    Attributes:
        name: What people call it.
        kind: Jobs of a kind take about as long as one another.
        run: Where it goes.
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
        """Whether it can start."""
        return self.after is None or self.after.metrics_file.is_file()


_LOGITS = "logits"  # in a teacher's run, where students share them


def run_of(directory: Path, arm: Arm, seed: int) -> RunDirectory:
    """Returns a run of a study; it need not exist.

    Args:
        directory: The study's folder.
        arm: The arm.
        seed: The run's seed.
    """
    return RunDirectory(directory / arm.folder / run_name(arm, seed))


def run_name(arm: Arm, seed: int) -> str:
    """Returns what a run is called in its folder."""
    return f"{arm.name}-seed{seed}"


def jobs_of(directory: Path, arms: Iterable[Arm], seeds: int, *, cached: bool = False) -> list[Job]:
    """Returns a job for each run: arms' teachers first, one for all of their students.

    Args:
        directory: The study's folder.
        arms: The arms; teachers that are arms themselves need not be given.
        seeds: How many runs an arm has.
        cached: Whether students share logits of their teacher that are computed once.
    """
    return [_job(directory, arm, seed, cached) for arm, seed in runs_of(arms, seeds)]


def configs_of(arms: Iterable[Arm], seeds: int) -> list[Config]:
    """Returns the configuration of each run that `jobs_of` has a job for."""
    return [arm.seeded(seed) for arm, seed in runs_of(arms, seeds)]


def runs_of(arms: Iterable[Arm], seeds: int) -> Iterator[tuple[Arm, int]]:
    """Yields an arm and a seed for each run: teachers first, the seeds of an arm together.

    Args:
        arms: The arms; teachers that are arms themselves need not be given.
        seeds: How many runs an arm has.
    """
    known = set()
    for arm in arms:
        for one in (arm,) if arm.teacher is None else (arm.teacher, arm):
            if (one.folder, one.name) not in known:
                known.add((one.folder, one.name))
                yield from ((one, seed) for seed in range(seeds))


def _job(directory: Path, arm: Arm, seed: int, cached: bool) -> Job:
    run = run_of(directory, arm, seed)
    teacher = None if arm.teacher is None else run_of(directory, arm.teacher, seed)
    within = "" if arm.folder == RUNS else f"{arm.folder}/"
    return Job(
        name=f"{within}{run_name(arm, seed)}",
        kind=f"{within}{arm.name}",
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
