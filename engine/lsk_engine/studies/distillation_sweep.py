"""Sweeping α and T of teachers and students: the four curves of the paper's Figure 5."""

import dataclasses
import functools
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ls_base.errors import InputError
from lsk_engine.devices.backend import load_backend
from lsk_engine.progress import Reporter
from lsk_engine.runs.run_directory import RunDirectory
from lsk_engine.runs.teacher import taught_by
from lsk_engine.settings.config import Config
from lsk_engine.studies.distillation_grid import Grid, Point, points_of
from lsk_engine.studies.run_jobs import Job, run_jobs
from lsk_engine.studies.study_folder import FIGURE_FILE, refuse_left_trainings, study_folder
from lsk_engine.tasks.contract import Task


def sweep_distillation(
    task: Task,
    student: Config,
    teacher: Config,
    grid: Grid,
    directory: Path,
    reporter: Reporter,
    *,
    command: Sequence[str],
    split: str = "validation",
    jobs: int = 1,
    cached: bool = False,
) -> tuple[str, list[dict[str, Any]]]:
    """Trains what is not finished yet and draws the curves.

    Every point is a run directory below `directory`, so a sweep that was stopped goes on where it
    was, and a finer grid or more seeds take what is there. A student's loss is the teacher's term
    alone (β = 1), its own temperature is 1.

    Args:
        task: The task.
        student: The student's configuration; its α and seed are the sweep's to say.
        teacher: The teacher's, of the same data.
        grid: Which points.
        directory: Where runs, `distillation-sweep.png`, `.csv` and `.json` go.
        reporter: Who is told.
        command: What resumes a run (`lsk train --resume`): the run's path goes behind it.
        split: The split that scores are of.
        jobs: How many trainings run at a time.
        cached: Whether to compute each teacher's logits once; students must not augment.

    Returns:
        The name of the task's first score, and a row a point and seed: `curve`, `alpha`,
        `temperature`, `seed`, `gamma`, the score, and the `run` below `directory`.

    Raises:
        InputError: If teacher and student are of different data, `directory` is another sweep's or
            in use, or runs have no such split.
        LsKerasError: If a training fails.
        KeyboardInterrupt: After Ctrl-C or SIGTERM; every run has saved its state.
    """
    if jobs < 1:
        raise InputError(f"Expected at least one job. Received: {jobs}")
    if student.data.source != teacher.data.source:
        raise InputError(
            "Expected a teacher and a student of the same data. "
            f"Received: {teacher.data.source!r} and {student.data.source!r}"
        )
    configs = {"student": student, "teacher": teacher}
    settings = {name: _varied(config, 0.0, 0).to_dict() for name, config in configs.items()}
    with study_folder(directory, settings, what="sweep"):
        runs = {point: RunDirectory(directory / point.folder) for point in points_of(grid)}
        refuse_left_trainings(runs.values(), what="sweep")
        jobs_of_runs = _jobs(runs, student, teacher, cached=cached)
        reporter.message(f"{len(jobs_of_runs)} runs in {directory}, {jobs} at a time")
        run_jobs(
            jobs_of_runs,
            command,
            reporter,
            workers=jobs,
            ended=lambda job: _said(job.run, split),
        )
        score, label, rows = _rows(task, runs, split, directory, reporter)
        from ls_keras.plots import distillation_curves, save_plot  # Keras: seconds

        title = f"{student.preset} taught by {teacher.preset}, {split}"
        file = directory / FIGURE_FILE
        save_plot(distillation_curves, rows, file, score=score, label=label, title=title)
    return score, rows


def _varied(config: Config, alpha: float, seed: int) -> Config:
    training = dataclasses.replace(config.training, alpha=alpha, seed=seed)
    return dataclasses.replace(config, training=training)


def _jobs(
    runs: Mapping[Point, RunDirectory], student: Config, teacher: Config, *, cached: bool
) -> list[Job]:
    """Returns a job for each run; a student's configuration names its teacher's saved model."""

    def create(point: Point) -> RunDirectory:
        if point.teacher is None:
            base = teacher if point.curve == "teacher" else student
            config = _varied(base, point.alpha, point.seed)
        else:
            taught = runs[point.teacher].path
            config = taught_by(
                taught,
                _varied(student, 0.0, point.seed),
                teacher_temperature=point.temperature,
                cache=str((taught / "logits").absolute()) if cached else None,
            )
        return RunDirectory.create(runs[point].path, config.to_dict())

    jobs: dict[str, Job] = {}
    for point, run in runs.items():
        job = Job(
            name=str(point),
            kind="teacher" if point.curve == "teacher" else "student",
            run=run,
            create=functools.partial(create, point),
            after=None if point.teacher is None else runs[point.teacher],
        )
        jobs.setdefault(point.folder, job)  # one run can be a point of two curves
    return list(jobs.values())


def _said(run: RunDirectory, split: str) -> str:
    _, label, value = run.read_metrics().first_score(split)
    return f"{label} {value:.2f} ({split})"


def _rows(
    task: Task,
    runs: Mapping[Point, RunDirectory],
    split: str,
    directory: Path,
    reporter: Reporter,
) -> tuple[str, str, list[dict[str, Any]]]:
    """Returns the first score's name and label, and a row a point and seed."""
    load_backend()
    from lsk_engine.scoring.teacher_gamma import (
        teacher_gammas,  # Keras: not before the trainings have ended
    )

    temperatures: dict[Point, list[float]] = {}
    for point in runs:
        if point.teacher is not None and point.temperature not in temperatures.setdefault(
            point.teacher, []
        ):
            temperatures[point.teacher].append(point.temperature)
    gammas = teacher_gammas(
        task, [runs[teacher] for teacher in temperatures], list(temperatures.values()), reporter
    )
    found = {
        (teacher, temperature): gamma
        for (teacher, asked), of_teacher in zip(temperatures.items(), gammas, strict=True)
        for temperature, gamma in zip(asked, of_teacher, strict=True)
    }
    rows = []
    for point, run in runs.items():
        score, label, value = run.read_metrics().first_score(split)
        gamma = point.alpha
        if point.teacher is not None:
            gamma = found[point.teacher, point.temperature]
        rows.append(
            {
                **dataclasses.asdict(point),
                "gamma": gamma,
                score: value,
                "run": str(run.path.relative_to(directory)),
            }
        )
    return score, label, rows
