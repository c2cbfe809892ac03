"""Distillation: the study of the paper's Figure 5, and measures of students and teachers."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ls_base.errors import InputError, LsKerasError
from lsk_engine.progress import Reporter
from lsk_engine.runs.run_directory import RunDirectory
from lsk_engine.runs.stored_run import StoredRun
from lsk_engine.studies.claims import Claim
from lsk_engine.studies.jobs import read_split_fingerprints
from lsk_engine.studies.study import ALPHA, TEACHER_ALPHA, TEACHER_TEMPERATURE, Study
from lsk_engine.studies.study_result import (
    FIGURE_FILE,
    RUNS,
    SCORE,
    STUDENTS,
    TEACHERS,
    StudyResult,
)

STUDENT_SCORE = "student_score"
TEACHER_SCORE = "teacher_score"
TRANSFER = "transfer"
ALPHAS = (0.0, 0.15, 0.3, 0.45, 0.6, 0.75)  # of the paper, like the temperatures
TEMPERATURES = (1.0, 2.0, 3.0, 4.0, 8.0, 12.0, 16.0)
SEEDS = 5
CLAIMS = (
    Claim("teachers", "Smoothing improves teachers", TEACHER_SCORE, "better", 0.5),
    Claim(
        "teaching",
        "Students of smoothed teachers are worse",
        SCORE,
        "worse",
        0.5,
        source="Figure 5",
    ),
    Claim("transfer", "Students lag further behind smoothed teachers", TRANSFER, "worse", 0.5),
)


def distillation_study(
    task: str,
    *,
    alphas: Sequence[float] = ALPHAS,
    temperatures: Sequence[float] = TEMPERATURES,
    hard_temperature: float = 1.0,
    seeds: int = SEEDS,
    claims: Sequence[Claim] = CLAIMS,
    **more: Any,
) -> Study:
    """Returns the study of networks without teacher, and of students of hard and smoothed teachers.

    The students' loss has only the distillation term (β = 1), and their own temperature is 1.

    Args:
        task: Name of the task.
        alphas: α of networks without teacher, and of teachers, whose students learn at T = 1;
            including 0.
        temperatures: T of further students of the teacher with α = 0.
        hard_temperature: T of the student of the teacher with α = 0 that the claims compare with:
            at T = 1, the outputs of a teacher that has memorized its examples equal the labels.
        seeds: Number of runs of each.
        claims: Claims about students of smoothed teachers, compared with those of the hard one.
        more: Further attributes of the study.

    Raises:
        InputError: As `Study`, or if 0 is not among the alphas.

    Example:
    >>> study = distillation_study("image", alphas=(0.0, 0.3), temperatures=(1.0, 4.0))
    >>> study.grids[0]
    {'teacher.training.alpha,distillation.teacher_temperature': ((0.0, 1.0), (0.3, 1.0))}
    """
    if 0 not in alphas:
        raise InputError(
            "Expected α = 0 among the alphas: its students have the other temperatures. "
            f"Received: {alphas}"
        )
    if not temperatures:
        raise InputError("Expected at least one temperature. Received: none")
    alphas = (0.0, *(alpha for alpha in alphas if alpha != 0))
    compared = f"{TEACHER_ALPHA},{TEACHER_TEMPERATURE}"
    pairs = ((0.0, hard_temperature), *((alpha, 1.0) for alpha in alphas[1:]))
    grids = (
        {compared: pairs},
        {TEACHER_TEMPERATURE: tuple(temperatures), TEACHER_ALPHA: (0.0,)},
    )
    about = [Claim(**{**vars(claim), "axis": compared}) for claim in claims]
    return Study(
        question="Are students of smoothed teachers worse?",
        task=task,
        axes={ALPHA: alphas},
        grids=grids if len(alphas) > 1 else grids[1:],
        seeds=seeds,
        measures=("accuracy", "teacher"),
        claims=tuple(about) if len(alphas) > 1 else (),
        **more,
    )


def figure_rows(result: StudyResult) -> tuple[str, list[dict[str, Any]]]:
    """Returns the points of the curves that `ls_keras.plots.distillation_curves` draws.

    Runs that failed, and students of a teacher whose γ could not be measured, are left out.

    Args:
        result: The result of such a study.

    Returns:
        The name of the task's first score, and a row for each point and seed: `curve`, `alpha`,
        `temperature`, `seed`, `gamma`, the score, and the `run` inside the study's folder.

    Raises:
        LsKerasError: If γ was measured of no teacher, or no run is finished.
    """
    reasons = ", ".join(result.reasons()) or "none"
    if "gamma" not in result.numbers:
        raise LsKerasError(f"Expected γ of the teachers. Received: {reasons}")
    score = next(iter(result.numbers))
    rows: dict[tuple[Any, ...], dict[str, Any]] = {}

    def add(point: tuple[str, float, float, int], run: str, gamma: Any, value: Any) -> None:
        if gamma is not None and value is not None:
            keys = ("curve", "alpha", "temperature", "seed", "gamma", score, "run")
            rows.setdefault(point, dict(zip(keys, (*point, gamma, value, run), strict=True)))

    for arm, settings in result.arms.items():
        for seed in range(result.seeds):
            value, run = result.values[score][arm][seed], f"{RUNS}/{arm}-seed{seed}"
            if TEACHER_ALPHA not in settings:
                alpha = settings[ALPHA]
                add(("student alone", alpha, 1.0, seed), run, alpha, value)
                continue
            alpha, temperature = settings[TEACHER_ALPHA], settings[TEACHER_TEMPERATURE]
            gamma = result.values["gamma"][arm][seed]
            if alpha == 0:
                add(("student of hard teacher", alpha, temperature, seed), run, gamma, value)
            if temperature == 1:
                add(("student of smoothed teacher", alpha, temperature, seed), run, gamma, value)
            teacher = f"{TEACHERS}/alpha{alpha:g}-seed{seed}"
            teacher_score = result.values[TEACHER_SCORE][arm][seed]
            add(("teacher", alpha, 1.0, seed), teacher, alpha, teacher_score)
    if not rows:
        raise LsKerasError(f"Expected a finished run. Received: {reasons}")
    return score, [*rows.values()]


def draw_figure(
    result: StudyResult, directory: Path, title: str
) -> tuple[str, list[dict[str, Any]]]:
    """Draws the four curves into the study's folder, and returns `figure_rows`.

    Args:
        result: The result of such a study.
        directory: The study's folder.
        title: The figure's title.
    """
    from ls_keras.plots import distillation_curves, save_plot  # imports Keras: seconds

    score, rows = figure_rows(result)
    label = result.numbers[score].label
    save_plot(
        distillation_curves, rows, directory / FIGURE_FILE, score=score, label=label, title=title
    )
    return score, rows


def measure_student(run: StoredRun, reporter: Reporter) -> dict[str, dict[str, float]]:
    """Returns the score of the student that a study has trained with a run as the teacher.

    Args:
        run: A run of a study.
        reporter: Receives messages and progress.

    Raises:
        FileError: If there is no such student, or it is not finished.
    """
    path = run.directory.path
    student = RunDirectory.open(path.parents[1] / STUDENTS / path.name)
    scores = _first_scores(student)
    return {split: {STUDENT_SCORE: score} for split, score in scores.items()}


def measure_teacher(run: StoredRun, reporter: Reporter) -> dict[str, dict[str, float]]:
    """Returns the score of a student's teacher, the student's score minus it, and γ.

    A run without a teacher has none of them.

    Args:
        run: A finished run.
        reporter: Receives messages and progress.

    Raises:
        InputError: If the teacher was scored on other examples than the student.
        LsKerasError: If the teacher is damaged.
    """
    from lsk_engine.scoring.teacher_gamma import teacher_gammas

    options = run.config.distillation
    if options is None:
        return {}
    teacher = RunDirectory.open(options.teacher)
    ((gamma,),) = teacher_gammas(run.task, [teacher], [[options.teacher_temperature]], reporter)
    own, teacher_scores = map(_first_scores, (run.directory, teacher))
    examples, teacher_examples = map(read_split_fingerprints, (run.directory, teacher))
    for split in own.keys() & teacher_scores.keys():
        if examples and teacher_examples and examples.get(split) != teacher_examples.get(split):
            raise InputError(
                "Expected a teacher that is scored on the examples of its student "
                "(teacher.data.… with --set, or in a study's file). "
                f"Received: another split '{split}' of {teacher.path}"
            )
    found = {
        split: {TEACHER_SCORE: score, TRANSFER: own[split] - score}
        for split, score in teacher_scores.items()
        if split in own
    }
    return {**found, "train": {"gamma": gamma}}


def compute_gammas(runs: Sequence[StoredRun], reporter: Reporter) -> None:
    """Computes γ of the teachers of runs, in one pass for all temperatures of a teacher.

    Args:
        runs: Finished runs of one task.
        reporter: Receives messages and progress.

    Raises:
        LsKerasError: If a teacher has changed since.
    """
    from lsk_engine.scoring.teacher_gamma import teacher_gammas

    temperatures: dict[str, dict[float, None]] = {}
    for run in runs:
        if (options := run.config.distillation) is not None:
            temperatures.setdefault(options.teacher, {})[options.teacher_temperature] = None
    if temperatures:
        teachers = [RunDirectory.open(teacher) for teacher in temperatures]
        teacher_gammas(runs[0].task, teachers, list(map(list, temperatures.values())), reporter)


def _first_scores(run: RunDirectory) -> dict[str, float]:
    """Returns a task's first score by split; empty if it has no score of its own."""
    metrics = run.read_metrics()
    return {split: metrics.first_score(split)[2] for split in metrics.splits if metrics.labels}
