"""The runs of arms: where each is, and the jobs that train them, teachers before students."""

import functools
from collections.abc import Iterable
from pathlib import Path

from lsk_engine.runs.run_directory import RunDirectory
from lsk_engine.runs.teacher import taught_by
from lsk_engine.studies.arms import Arm
from lsk_engine.studies.run_jobs import Job
from lsk_engine.studies.study_folder import RUNS

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
    jobs: dict[Path, Job] = {}
    for arm in arms:
        for one in (arm,) if arm.teacher is None else (arm.teacher, arm):
            for seed in range(seeds):
                job = _job(directory, one, seed, cached)
                jobs.setdefault(job.run.path, job)
    return list(jobs.values())


def _job(directory: Path, arm: Arm, seed: int, cached: bool) -> Job:
    run = run_of(directory, arm, seed)
    teacher = None if arm.teacher is None else run_of(directory, arm.teacher, seed)
    within = "" if arm.folder == RUNS else f"{arm.folder}/"
    return Job(
        name=f"{within}{run_name(arm, seed)}",
        kind=f"{within}{arm.name}",
        run=run,
        create=functools.partial(_create, run, arm, seed, teacher, cached),
        after=teacher,
    )


def _create(
    run: RunDirectory, arm: Arm, seed: int, teacher: RunDirectory | None, cached: bool
) -> RunDirectory:
    config = arm.seeded(seed)
    if teacher is not None:
        cache = str((teacher.path / _LOGITS).absolute()) if cached else None
        config = taught_by(teacher.path, config, cache=cache, **arm.distillation)
    return RunDirectory.create(run.path, config.to_dict())
