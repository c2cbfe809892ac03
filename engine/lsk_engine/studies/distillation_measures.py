"""What a study measures of teaching: of a run its student's score, of a student its teacher."""

from collections.abc import Sequence

from ls_base.errors import InputError
from lsk_engine.progress import Reporter
from lsk_engine.runs.run_directory import RunDirectory
from lsk_engine.runs.stored_run import StoredRun
from lsk_engine.studies.existing_runs import splits_of
from lsk_engine.studies.study_folder import STUDENTS

STUDENT_SCORE = "student_score"
TEACHER_SCORE = "teacher_score"
TRANSFER = "transfer"
_BySplit = dict[str, dict[str, float]]


def student_numbers(run: StoredRun, reporter: Reporter) -> _BySplit:
    """Returns the score of the student that a study has trained under a run.

    Args:
        run: A run of a study.
        reporter: Who is told.

    Raises:
        FileError: If there is no such student, or it isn't finished.
    """
    path = run.directory.path
    student = RunDirectory.open(path.parents[1] / STUDENTS / path.name)
    scores = _first_scores(student)
    return {split: {STUDENT_SCORE: score} for split, score in scores.items()}


def teacher_numbers(run: StoredRun, reporter: Reporter) -> _BySplit:
    """Returns the score of a student's teacher, what the student has less of it, and γ.

    Of a run without a teacher there are none.

    Args:
        run: A finished run.
        reporter: Who is told.

    Raises:
        InputError: If the teacher was scored on other examples.
        LsKerasError: If the teacher is damaged.
    """
    from lsk_engine.scoring.teacher_gamma import teacher_gammas

    options = run.config.distillation
    if options is None:
        return {}
    teacher = RunDirectory.open(options.teacher)
    ((gamma,),) = teacher_gammas(run.task, [teacher], [[options.teacher_temperature]], reporter)
    own, of_teacher = _first_scores(run.directory), _first_scores(teacher)
    examples, of_teachers = splits_of(run.directory), splits_of(teacher)
    for split in own.keys() & of_teacher.keys():
        if examples and of_teachers and examples.get(split) != of_teachers.get(split):
            raise InputError(
                "Expected a teacher that is scored on the examples of its student (--teacher-set, "
                "or teacher.data.… of a study's file, says which). "
                f"Received: another split '{split}' of {teacher.path}"
            )
    found = {
        split: {TEACHER_SCORE: score, TRANSFER: own[split] - score}
        for split, score in of_teacher.items()
        if split in own
    }
    return {**found, "train": {"gamma": gamma}}


def compute_gammas(runs: Sequence[StoredRun], reporter: Reporter) -> None:
    """Computes γ of the teachers of runs, each in one pass for all of its temperatures.

    Args:
        runs: Finished runs of one task.
        reporter: Who is told.

    Raises:
        LsKerasError: If a teacher is not what it was.
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
    """Returns a task's first score by split; none where it has no score of its own."""
    metrics = run.read_metrics()
    return {split: metrics.first_score(split)[2] for split in metrics.splits if metrics.labels}
