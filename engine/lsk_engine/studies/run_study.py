"""From a study to its answer: train what is missing, measure, decide."""

import contextlib
import functools
import math
import statistics
from collections.abc import Mapping, Sequence
from pathlib import Path

from ls_base.errors import InputError, LsKerasError, near
from ls_base.files import write_json
from lsk_engine.data.configuration import from_dict
from lsk_engine.data.shared_data import shared_data
from lsk_engine.devices.backend import load_backend
from lsk_engine.progress import Reporter
from lsk_engine.runs.failed_start import removed_if_nothing_began
from lsk_engine.runs.records import Metrics
from lsk_engine.runs.stored_run import StoredRun
from lsk_engine.studies.arm_runs import configs_of, jobs_of, run_name, run_of
from lsk_engine.studies.arms import Arm, arms_of, base_settings, student_of
from lsk_engine.studies.claims import Better, Claim, Evidence, decide
from lsk_engine.studies.job import Job
from lsk_engine.studies.measurements import (
    MEASUREMENTS,
    SCORE,
    BySplit,
    Number,
    check_measures,
    measure,
    numbers_of,
    own_numbers,
)
from lsk_engine.studies.run_here import run_here
from lsk_engine.studies.run_jobs import run_jobs
from lsk_engine.studies.smoothing import advice, claims_for, sentences_about
from lsk_engine.studies.study import ALPHA, Study
from lsk_engine.studies.study_folder import (
    DATA,
    RESULTS_FILE,
    RUNS,
    STUDENTS,
    refuse_left_trainings,
    study_folder,
)
from lsk_engine.studies.study_result import Decided, StudyResult
from lsk_engine.studies.who_trains import trainings_of
from lsk_engine.tasks.contract import Task
from lsk_engine.training.void_settings import void_in_any

_SENTENCES = 6
_Found = Mapping[str, BySplit]  # numbers by run and split
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
        scheduler: Whose workers train, as `lsk_engine.studies.cluster.Cluster` takes it; `None`:
            processes of this machine.
        stop_on_failure: Whether a training that fails stops the others.

    Raises:
        InputError: If the study can't be (an unknown axis, a claim about what isn't measured), or
            `directory` is another study's or in use.
        LsKerasError: If every training fails, or one with `stop_on_failure`.
        KeyboardInterrupt: After Ctrl-C or SIGTERM; every run has saved its state.
    """
    trainings = trainings_of(command, jobs, scheduler, reporter)
    check_measures(study.measures, task)
    _check_claims(study)
    arms = arms_of(study, task)
    taught = [student_of(arm, study, task) for arm in arms] if STUDENT in study.measures else []
    # Which values the axes have may change: more of them take the runs that are there.
    new = not directory.exists()
    with contextlib.ExitStack() as held:
        held.enter_context(study_folder(directory, base_settings(study, task)))
        held.enter_context(removed_if_nothing_began(directory, new=new))
        if taught:
            made_with = {"student": {key: str(value) for key, value in study.student.items()}}
            held.enter_context(study_folder(directory / STUDENTS, made_with))
        everyone = [*arms, *taught]
        to_train = jobs_of(directory, everyone, study.seeds, cached=study.cache)
        refuse_left_trainings(job.run for job in to_train)
        reporter.message(f"{len(to_train)} runs in {directory}, {trainings}")
        idle = all(job.finished for job in to_train)
        configs = [] if idle else configs_of(everyone, study.seeds)
        for text in void_in_any(task, configs):  # what trains says so to its own log
            reporter.warning(text)
        held.enter_context(shared_data(task, configs, directory / DATA, reporter))
        train_all = (
            functools.partial(run_here, task=task)
            if command is None
            else functools.partial(run_jobs, trainings=trainings)
        )
        failed = train_all(
            to_train,
            reporter=reporter,
            ended=functools.partial(_said, study),
            keep_going=not stop_on_failure,
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
        load_backend()
        opened = {
            name: StoredRun(run, task, from_dict(task, run.read_config()))
            for name, run in runs.items()
        }
        _prepare(study, list(opened.values()), reporter)
        found = {name: _measured(run, study, missing, reporter) for name, run in opened.items()}
        result = _result(study, arms, next(iter(opened.values())), found, missing)
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
    for claim in study.claims or ():
        for name in {claim.measure, claim.against or claim.measure} - taken.keys():
            owners = [of for of, one in MEASUREMENTS.items() if name in one.numbers]
            if owners:
                raise InputError(
                    f"Expected a claim about what is measured ({name} is one of "
                    f"{owners[0]}). Received: {', '.join(study.measures)}"
                )
            if "accuracy" not in study.measures:
                raise InputError(f"Expected a claim about what is measured. {near(name, taken)}")


def _said(study: Study, job: Job) -> str:
    """Returns what a run scored, and refuses one that can't answer before the next are trained."""
    metrics = job.run.read_metrics()
    if job.run.path.parent.name == RUNS:  # not a teacher, of which nothing is asked
        _check_run(study, metrics)
    split = "validation" if "validation" in metrics.splits else next(iter(metrics.splits))
    if not metrics.labels:
        return ""
    _, label, value = metrics.first_score(split)
    return f"{label} {value:.2f} ({split})"


def _check_run(study: Study, metrics: Metrics) -> None:
    """Refuses a study that asks for what its runs don't have."""
    if study.split not in metrics.splits:
        raise InputError(
            f"Expected a split of {', '.join(metrics.splits)}. Received: {study.split!r}"
        )
    known = _known_numbers(study, metrics)
    for claim in study.claims or ():
        _better(claim, known)


def _known_numbers(study: Study, metrics: Metrics) -> dict[str, Number]:
    """Returns what is known of a run's numbers: its own scores, and what is measured of it."""
    own = own_numbers(metrics)
    measured = numbers_of(study.measures)
    # What is called by the task's own score, and, with `accuracy`, the scores themselves.
    measured |= {name: own[name] for name in measured if name in own}
    return {**(own if "accuracy" in study.measures else {}), **measured}


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


def _result(
    study: Study, arms: Sequence[Arm], run: StoredRun, found: _Found, missing: Mapping[str, str]
) -> StudyResult:
    metrics = run.directory.read_metrics()
    _check_run(study, metrics)
    known = _known_numbers(study, metrics)
    names = [arm.name for arm in arms]
    values = {
        number: {arm: _by_seed(found, study, arm, number) for arm in names} for number in known
    }
    values = {
        number: of_arms
        for number, of_arms in values.items()
        if not all(math.isnan(value) for by_seed in of_arms.values() for value in by_seed)
    }
    numbers = {number: known[number] for number in values}
    claims = claims_for(numbers) if study.claims is None else study.claims
    decided = _decided(claims, arms, numbers, values)
    shown, best = _choice(study, arms, decided, found, numbers)
    settings = {arm.name: dict(arm.values) for arm in arms}
    about = [one for one in decided if one.arm == shown][:_SENTENCES]
    sentences = sentences_about(about, numbers, settings[shown])
    if not study.grids and next(iter(study.axes)) == ALPHA:
        sentences.append(advice(decided, settings, best))
    # The first score has two names; the table needs one.
    first = {SCORE} & numbers.keys()
    return StudyResult(
        question=study.question,
        task=study.task,
        preset=arms[0].config.preset,
        split=study.split,
        seeds=study.seeds,
        arms=settings,
        numbers={name: number for name, number in numbers.items() if name not in first},
        values={name: of_arms for name, of_arms in values.items() if name not in first},
        decided=tuple(decided),
        shown=shown,
        sentences=tuple(sentences),
        missing=missing,
        notes=tuple(metrics.notes),
    )


def _by_seed(found: _Found, study: Study, arm: str, number: str) -> tuple[float, ...]:
    """Returns an arm's number by seed, of the study's split or, failing that, of training."""
    values = []
    for seed in range(study.seeds):
        splits = found.get(f"{arm}-seed{seed}", {})
        of_split = splits.get(study.split, {})
        value = of_split.get(number, splits.get("train", {}).get(number))
        values.append(math.nan if value is None else float(value))
    return tuple(values)


def _better(claim: Claim, numbers: Mapping[str, Number]) -> Better:
    """Returns which values of a claim's measure are better, and refuses it if nobody knows."""
    for name in (claim.measure, claim.against or claim.measure):
        if name not in numbers:
            raise InputError(f"Expected a claim about what is measured. {near(name, numbers)}")
    better = numbers[claim.measure].better
    if better is None:
        raise InputError(
            "Expected a claim about a measure of which it is known whether less or more is better. "
            f"Received: {claim.measure}"
        )
    return better


def _decided(
    claims: Sequence[Claim],
    arms: Sequence[Arm],
    numbers: Mapping[str, Number],
    values: Mapping[str, Mapping[str, tuple[float, ...]]],
) -> list[Decided]:
    asked: list[tuple[Claim, str, str, Evidence]] = []
    for claim in claims:
        better = _better(claim, numbers)
        for arm in arms:
            if arm.baseline is None or claim.axis not in (None, arm.grid):
                continue
            pairs = zip(
                values[claim.measure][arm.name],
                values[claim.against or claim.measure][arm.baseline],
                strict=True,
            )
            evidence = Evidence(claim, better, tuple(a - b for a, b in pairs))
            asked.append((claim, arm.name, arm.baseline, evidence))
    decisions = decide([evidence for *_, evidence in asked])
    return [
        Decided(claim, arm, baseline, evidence.differences, decision)
        for (claim, arm, baseline, evidence), decision in zip(asked, decisions, strict=True)
    ]


def _choice(
    study: Study,
    arms: Sequence[Arm],
    decided: Sequence[Decided],
    found: _Found,
    numbers: Mapping[str, Number],
) -> tuple[str, str]:
    """Returns the arm to show and the one to take, if there is one: the best on validation.

    Among those to take are the arms whose score is better; among those to show, all.
    """
    name = SCORE if SCORE in numbers and numbers[SCORE].better is not None else "accuracy"
    others = [arm.name for arm in arms if arm.baseline is not None]
    helped = {
        one.arm
        for one in decided
        if one.claim.measure == name
        and one.claim.against is None
        and one.claim.direction == "better"
        and one.decision.verdict == "holds"
    }
    if name not in numbers or not others:
        return next(iter(others), arms[0].name), ""
    sign = 1 if numbers[name].better == "more" else -1

    def worth(arm: str) -> float:
        runs = (f"{arm}-seed{seed}" for seed in range(study.seeds))
        values = [found.get(run, {}).get("validation", {}).get(name, math.nan) for run in runs]
        mean = statistics.fmean(values)
        return -math.inf if math.isnan(mean) else sign * mean

    best = max((arm for arm in others if arm in helped), key=worth, default="")
    return best or max(others, key=worth), best
