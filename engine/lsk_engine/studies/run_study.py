"""Runs a study: trains what is missing, measures, and decides the claims."""

import contextlib
import functools
from collections.abc import Sequence
from pathlib import Path

from ls_base.errors import InputError, LsKerasError, suggest
from ls_base.files import write_json
from lsk_engine.devices.backend import load_backend
from lsk_engine.progress import Reporter
from lsk_engine.runs.resuming import remove_on_failed_start
from lsk_engine.runs.stored_run import StoredRun
from lsk_engine.settings.resolving import restore_config
from lsk_engine.studies.analysis import analyze, check_run
from lsk_engine.studies.arms import arms_of, base_settings, student_of
from lsk_engine.studies.executors.run_jobs import make_executor, run_jobs
from lsk_engine.studies.jobs import (
    Job,
    check_same_backend,
    check_same_data,
    configs_of,
    find_existing_runs,
    jobs_of,
    run_name,
    run_of,
)
from lsk_engine.studies.measurements import (
    MEASUREMENTS,
    BySplit,
    check_measures,
    measure,
    numbers_of,
)
from lsk_engine.studies.study import Study
from lsk_engine.studies.study_result import (
    DATA,
    RESULTS_FILE,
    RUNS,
    STUDENTS,
    StudyResult,
    study_folder,
)
from lsk_engine.tasks.contract import Task
from lsk_engine.training.unused_settings import unused_in_any

DISTILLATION = "distillation"  # the measure that trains students


def run_study(
    study: Study,
    task: Task,
    directory: Path,
    reporter: Reporter,
    *,
    command: Sequence[str] | None,
    jobs: int = 1,
    scheduler: str | None = None,
    fail_fast: bool = False,
) -> StudyResult:
    """Trains runs that are not finished, measures those that are not measured, and decides.

    Every run is a run directory inside `directory`, so an interrupted study can be resumed, and
    more values, seeds or measures reuse finished runs. If a run fails or cannot be measured, its
    numbers are missing, and claims about its arm are not decided.

    Args:
        study: The study.
        task: Its task.
        directory: Folder of the runs and of `results.json`.
        reporter: Receives messages and progress.
        command: Command line that resumes a run (`lsk train --resume`; the run's path is appended);
            `None` trains all runs in this process, one after another.
        jobs: Number of runs that are trained at a time.
        scheduler: Address of a Dask scheduler whose workers train the runs; `None`: processes of
            this machine.
        fail_fast: Whether a failed run stops the others.

    Raises:
        InputError: If the study is impossible (an unknown axis, a claim about what is not
            measured), the folder belongs to another study or is in use, or a run in it has other
            settings or data.
        LsKerasError: If every run fails, or one with `fail_fast`.
        KeyboardInterrupt: After Ctrl-C or SIGTERM; every run has saved its state.
    """
    from lsk_engine.data.data_cache import fill_cache  # imports Keras

    executor = make_executor(task, command, jobs, scheduler, reporter)
    check_measures(study.measures, task)
    _check_claims(study)
    arms = arms_of(study, task)
    all_arms = [*arms]
    if DISTILLATION in study.measures:
        all_arms += [student_of(arm, study, task) for arm in arms]
    is_new = not directory.exists()
    with contextlib.ExitStack() as contexts:
        # The values of the axes may change: further ones reuse the runs.
        contexts.enter_context(study_folder(directory, base_settings(study, task)))
        contexts.enter_context(remove_on_failed_start(directory, new=is_new))
        if DISTILLATION in study.measures:
            shared = {"student": {key: str(value) for key, value in study.student.items()}}
            contexts.enter_context(study_folder(directory / STUDENTS, shared))
        existing = find_existing_runs(directory, all_arms, study.seeds, task)
        to_train = jobs_of(directory, all_arms, study.seeds, cached=study.cache)
        reporter.message(f"{len(to_train)} runs in {directory}, {executor}")
        check_same_data(run for run, _ in existing if run.metrics_file.is_file())
        for job in to_train:
            if job.finished:
                _check_finished(study, job)
        configs = []
        if not all(job.finished for job in to_train):
            check_same_backend(run for run, _ in existing)
            configs = configs_of(all_arms, study.seeds)
        for text in unused_in_any(task, configs):  # the trainings write it to their own logs only
            reporter.warning(text)
        fill_cache(task, configs, directory / DATA, reporter)
        failed = run_jobs(
            to_train,
            executor,
            reporter,
            on_finish=functools.partial(_check_finished, study),
            keep_going=not fail_fast,
        )
        missing = {job.name: str(error) for job, error in failed.items()}
        runs = {
            run_name(arm, seed): run_of(directory, arm, seed)
            for arm in arms
            for seed in range(study.seeds)
        }
        runs = {name: run for name, run in runs.items() if name not in missing}
        if not runs:
            raise next(iter(failed.values()))
        if configs:
            trained = find_existing_runs(directory, all_arms, study.seeds, task)
            check_same_data(run for run, _ in trained if run.metrics_file.is_file())
        load_backend()
        opened = {
            name: StoredRun(run, task, restore_config(task, run.read_config()))
            for name, run in runs.items()
        }
        _prepare(study, list(opened.values()), reporter)
        found = {name: _measure_all(run, study, missing, reporter) for name, run in opened.items()}
        result = analyze(study, arms, next(iter(opened.values())), found, missing)
        write_json(directory / RESULTS_FILE, result.to_dict())
    return result


def _check_claims(study: Study) -> None:
    """Raises an error for claims that the study's measures cannot decide, whatever the task."""
    measured = numbers_of(study.measures)
    firsts = [next(iter(axes)) for axes in study.all_axes()]
    for claim in study.claims or ():
        if claim.axis is not None and claim.axis not in firsts:
            raise InputError(
                "Expected the axis of a claim to be the first of a grid. "
                f"{suggest(claim.axis, firsts)}"
            )
        for name in {claim.measure, claim.against or claim.measure} - measured.keys():
            owners = [owner for owner, one in MEASUREMENTS.items() if name in one.numbers]
            if owners:
                raise InputError(
                    f"Expected a claim about what is measured ({name} belongs to "
                    f"{owners[0]}). Received: {', '.join(study.measures)}"
                )
            if "accuracy" not in study.measures:  # the task's own scores are unknown here
                raise InputError(
                    f"Expected a claim about what is measured. {suggest(name, measured)}"
                )


def _check_finished(study: Study, job: Job) -> str:
    """Returns the score of a finished run, and checks that the study can use it."""
    metrics = job.run.read_metrics()
    if job.run.path.parent.name == RUNS:  # claims are not about teachers
        check_run(study, metrics)
    split = "validation" if "validation" in metrics.splits else next(iter(metrics.splits))
    if not metrics.labels:
        return ""
    _, label, value = metrics.first_score(split)
    return f"{label} {value:.2f} ({split})"


def _prepare(study: Study, runs: Sequence[StoredRun], reporter: Reporter) -> None:
    """Computes what runs share; an error is reported for each run that it concerns, later."""
    for name in study.measures:
        if (prepare := MEASUREMENTS[name].prepare) is not None:
            with contextlib.suppress(LsKerasError):
                prepare(runs, reporter)


def _measure_all(
    run: StoredRun, study: Study, missing: dict[str, str], reporter: Reporter
) -> BySplit:
    """Returns all numbers of a run; what cannot be measured is reported and added to `missing`."""
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
