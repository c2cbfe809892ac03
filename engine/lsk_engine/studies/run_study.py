"""From a study to its answer: train what is missing, measure, decide."""

import contextlib
import functools
from collections.abc import Sequence
from pathlib import Path

from ls_base.errors import InputError, LsKerasError, suggest
from ls_base.files import write_json
from lsk_engine.data.data_cache import fill_cache
from lsk_engine.devices.backend import load_backend
from lsk_engine.progress import Reporter
from lsk_engine.runs.resuming import remove_on_failed_start
from lsk_engine.runs.stored_run import StoredRun
from lsk_engine.settings.resolving import restore_config
from lsk_engine.studies.analysis import answer, check_run
from lsk_engine.studies.arms import arms_of, base_settings, student_of
from lsk_engine.studies.executors.run_jobs import make_executor, run_jobs
from lsk_engine.studies.existing_runs import own_runs, refuse_other_backend, refuse_other_data
from lsk_engine.studies.jobs import Job, configs_of, jobs_of, run_name, run_of
from lsk_engine.studies.measurements import (
    MEASUREMENTS,
    BySplit,
    check_measures,
    measure,
    numbers_of,
)
from lsk_engine.studies.study import Study
from lsk_engine.studies.study_folder import (
    DATA,
    RESULTS_FILE,
    RUNS,
    STUDENTS,
    study_folder,
)
from lsk_engine.studies.study_result import StudyResult
from lsk_engine.tasks.contract import Task
from lsk_engine.training.unused_settings import unused_in_any

STUDENT = "distillation"  # the measure that trains students


def run_study(
    study: Study,
    task: Task,
    directory: Path,
    reporter: Reporter,
    *,
    command: Sequence[str] | None,
    jobs: int = 1,
    scheduler: str | None = None,
    stop_on_failure: bool = False,
) -> StudyResult:
    """Trains what is not finished yet, measures what is not measured yet, and decides.

    Every run is a run directory below `directory`, so a study that was stopped goes on where it
    was, and more values, seeds or measures take what is there. A run that failed, or that a
    measure can't be taken of, is told and has no numbers; a claim about its arm can't be told.

    Args:
        study: The study.
        task: Its task.
        directory: Where the runs and `results.json` go.
        reporter: Who is told.
        command: What resumes a run (`lsk train --resume`): the run's path goes behind it; `None`:
            all runs are trained in this process, one after another.
        jobs: How many trainings run at a time.
        scheduler: Address of a Dask scheduler whose workers train the runs; `None`: processes of
            this machine.
        stop_on_failure: Whether a training that fails stops the others.

    Raises:
        InputError: If the study can't be (an unknown axis, a claim about what isn't measured),
            `directory` is another study's or in use, or a run in it has other settings or data.
        LsKerasError: If every training fails, or one with `stop_on_failure`.
        KeyboardInterrupt: After Ctrl-C or SIGTERM; every run has saved its state.
    """
    executor = make_executor(task, command, jobs, scheduler, reporter)
    check_measures(study.measures, task)
    _check_claims(study)
    arms = arms_of(study, task)
    taught = [student_of(arm, study, task) for arm in arms] if STUDENT in study.measures else []
    # Which values the axes have may change: more of them take the runs that are there.
    new = not directory.exists()
    with contextlib.ExitStack() as held:
        held.enter_context(study_folder(directory, base_settings(study, task)))
        held.enter_context(remove_on_failed_start(directory, new=new))
        if taught:
            made_with = {"student": {key: str(value) for key, value in study.student.items()}}
            held.enter_context(study_folder(directory / STUDENTS, made_with))
        everyone = [*arms, *taught]
        there = own_runs(directory, everyone, study.seeds, task)
        to_train = jobs_of(directory, everyone, study.seeds, cached=study.cache)
        reporter.message(f"{len(to_train)} runs in {directory}, {executor}")
        refuse_other_data([one for one in there if one[0].metrics_file.is_file()])
        idle = all(job.finished for job in to_train)
        if not idle:
            refuse_other_backend(run for run, _ in there)
        configs = [] if idle else configs_of(everyone, study.seeds)
        for text in unused_in_any(task, configs):  # what trains says so to its own log
            reporter.warning(text)
        fill_cache(task, configs, directory / DATA, reporter)
        failed = run_jobs(
            to_train,
            executor,
            reporter,
            on_finish=functools.partial(_said, study),
            keep_going=not stop_on_failure,
        )
        if not idle:
            trained = own_runs(directory, everyone, study.seeds, task)
            refuse_other_data([one for one in trained if one[0].metrics_file.is_file()])
        missing = {job.name: str(error) for job, error in failed.items()}
        runs = {
            run_name(arm, seed): run_of(directory, arm, seed)
            for arm in arms
            for seed in range(study.seeds)
        }
        runs = {name: run for name, run in runs.items() if name not in missing}
        if not runs:
            raise next(iter(failed.values()))
        load_backend()
        opened = {
            name: StoredRun(run, task, restore_config(task, run.read_config()))
            for name, run in runs.items()
        }
        refuse_other_data([(run.directory, run.config) for run in opened.values()])
        _prepare(study, list(opened.values()), reporter)
        found = {name: _measured(run, study, missing, reporter) for name, run in opened.items()}
        result = answer(study, arms, next(iter(opened.values())), found, missing)
        write_json(directory / RESULTS_FILE, result.to_dict())
    return result


def _prepare(study: Study, runs: Sequence[StoredRun], reporter: Reporter) -> None:
    """Does once what runs share; what can't be done is told of the run that it can't be done of."""
    for name in study.measures:
        if (before := MEASUREMENTS[name].before) is not None:
            with contextlib.suppress(LsKerasError):
                before(runs, reporter)


def _check_claims(study: Study) -> None:
    """Refuses claims about what measures would yield that the study does not take."""
    taken = numbers_of(study.measures)
    firsts = [next(iter(axes)) for axes in study.all_axes()]
    for claim in study.claims or ():
        if claim.axis is not None and claim.axis not in firsts:
            raise InputError(
                "Expected the axis of a claim to be the first of a grid. "
                f"{suggest(claim.axis, firsts)}"
            )
        for name in {claim.measure, claim.against or claim.measure} - taken.keys():
            owners = [of for of, one in MEASUREMENTS.items() if name in one.numbers]
            if owners:
                raise InputError(
                    f"Expected a claim about what is measured ({name} is one of "
                    f"{owners[0]}). Received: {', '.join(study.measures)}"
                )
            if "accuracy" not in study.measures:
                raise InputError(f"Expected a claim about what is measured. {suggest(name, taken)}")


def _said(study: Study, job: Job) -> str:
    """Returns what a run scored, and refuses one that can't answer before the next are trained."""
    metrics = job.run.read_metrics()
    if job.run.path.parent.name == RUNS:  # not a teacher, of which nothing is asked
        check_run(study, metrics)
    split = "validation" if "validation" in metrics.splits else next(iter(metrics.splits))
    if not metrics.labels:
        return ""
    _, label, value = metrics.first_score(split)
    return f"{label} {value:.2f} ({split})"


def _measured(run: StoredRun, study: Study, missing: dict[str, str], reporter: Reporter) -> BySplit:
    """Returns all numbers of a run; what can't be measured is told and noted."""
    found: BySplit = {}
    for name in study.measures:
        try:
            numbers = measure(name, run, reporter)
        except LsKerasError as error:
            what = f"{run.directory.path.name}, {name}"
            reporter.warning(f"{what}: {error}")
            missing[what] = str(error)
            continue
        for split, values in numbers.items():
            found.setdefault(split, {}).update(values)
    return found
