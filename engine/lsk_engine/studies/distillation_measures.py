"""Measurements of distillation: the score of a run's student, and that of a student's teacher."""

from collections.abc import Sequence

from ls_base.errors import InputError
from lsk_engine.progress import Reporter
from lsk_engine.runs.run_directory import RunDirectory
from lsk_engine.runs.stored_run import StoredRun
from lsk_engine.studies.jobs import read_split_fingerprints
from lsk_engine.studies.study_folder import STUDENTS

STUDENT_SCORE = "student_score"
TEACHER_SCORE = "teacher_score"
TRANSFER = "transfer"
_BySplit = dict[str, dict[str, float]]


def measure_student(run: StoredRun, reporter: Reporter) -> _BySplit:
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


def measure_teacher(run: StoredRun, reporter: Reporter) -> _BySplit:
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
    own, teacher_scores = _first_scores(run.directory), _first_scores(teacher)
    examples, teacher_examples = (
        read_split_fingerprints(run.directory),
        read_split_fingerprints(teacher),
    )
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
