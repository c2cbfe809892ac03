"""From numbers to an answer: which claims hold, which arm to show, which to take."""

import dataclasses
import math
import statistics
from collections.abc import Mapping, Sequence

from ls_base.errors import InputError, suggest
from lsk_engine.runs.schemas import Metrics
from lsk_engine.runs.stored_run import StoredRun
from lsk_engine.studies.arms import Arm
from lsk_engine.studies.claims import Better, Claim, Evidence, decide
from lsk_engine.studies.measurements import SCORE, BySplit, Number, numbers_of, own_numbers
from lsk_engine.studies.smoothing import LOSS_CLAIMS, advice, claims_for, sentences_about
from lsk_engine.studies.study import ALPHA, LOSS, Study
from lsk_engine.studies.study_result import Decided, StudyResult

_SENTENCES = 6
Found = Mapping[str, BySplit]  # numbers by run and split


def check_run(study: Study, metrics: Metrics) -> None:
    """Refuses a study that asks for what its runs don't have.

    Args:
        study: The study.
        metrics: The scores of one of its runs.

    Raises:
        InputError: If there is no such split or number, or nobody knows what of it is better.
    """
    if study.split not in metrics.splits:
        raise InputError(
            f"Expected a split of {', '.join(metrics.splits)}. Received: {study.split!r}"
        )
    known = _known_numbers(study, metrics)
    for claim in study.claims or ():
        _better(claim, known)


def answer(
    study: Study, arms: Sequence[Arm], run: StoredRun, found: Found, missing: Mapping[str, str]
) -> StudyResult:
    """Returns what the numbers of a study's runs say.

    Args:
        study: The study.
        arms: Its arms.
        run: One of its runs.
        found: What was measured, by run and split.
        missing: Why there are no numbers, by what they are of.

    Raises:
        InputError: As `check_run`.
    """
    metrics = run.directory.read_metrics()
    check_run(study, metrics)
    known = {
        name: dataclasses.replace(number, split=_split_of(found, study, name))
        for name, number in _known_numbers(study, metrics).items()
    }
    names = [arm.name for arm in arms]
    values = {
        name: {arm: _by_seed(found, study, arm, name, number.split) for arm in names}
        for name, number in known.items()
    }
    claimed = {name for one in study.claims or () for name in (one.measure, one.against)}
    values = {
        number: of_arms
        for number, of_arms in values.items()
        if number in claimed
        or not all(math.isnan(value) for by_seed in of_arms.values() for value in by_seed)
    }
    numbers = {number: known[number] for number in values}
    smoothed = _smoothed(arms)
    by_loss = next(iter(study.axes)).split(",")[0] == LOSS
    if study.claims is None and by_loss:
        decided = decide_claims(claims_for(numbers, LOSS_CLAIMS), arms, numbers, values)
    elif study.claims is None:
        decided = decide_claims(claims_for(numbers), smoothed, numbers, values)
    else:
        decided = decide_claims(study.claims, arms, numbers, values)
    shown, best = _choice(study, arms, decided, found, numbers)
    settings = {arm.name: dict(arm.values) for arm in arms}
    about = [one for one in decided if one.arm == shown][:_SENTENCES]
    sentences = sentences_about(about, numbers, settings[shown])
    if study.claims is None and not smoothed and not by_loss:
        sentences.append(
            f"Nothing is decided: {next(iter(study.axes))} is no α beside hard targets. Claims "
            "about it are [[claims]] of the study's file."
        )
    if smoothed and not study.grids and next(iter(study.axes)) == ALPHA:
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


def _known_numbers(study: Study, metrics: Metrics) -> dict[str, Number]:
    """Returns what is known of a run's numbers: its own scores, and what is measured of it."""
    own = own_numbers(metrics)
    measured = numbers_of(study.measures)
    # What is called by the task's own score, and, with `accuracy`, the scores themselves.
    measured |= {name: own[name] for name in measured if name in own}
    return {**(own if "accuracy" in study.measures else {}), **measured}


def _smoothed(arms: Sequence[Arm]) -> list[Arm]:
    """Returns the arms that are compared with hard targets, which claims of the paper are about."""
    alphas = {arm.name: arm.config.training.alpha for arm in arms}
    return [
        arm
        for arm in arms
        if any(
            ALPHA in grid.split(",") and not alphas[baseline]
            for grid, baseline in arm.baselines.items()
        )
    ]


def _split_of(found: Found, study: Study, number: str) -> str | None:
    """Returns the split that a number is of in all runs; `None`: the study's.

    It is training's where no run has the number of the study's split.
    """
    if any(number in splits.get(study.split, {}) for splits in found.values()):
        return None
    return "train" if any(number in splits.get("train", {}) for splits in found.values()) else None


def _by_seed(
    found: Found, study: Study, arm: str, number: str, split: str | None
) -> tuple[float, ...]:
    """Returns an arm's number by seed, of a split; `None`: the study's."""
    of_runs = (found.get(f"{arm}-seed{seed}", {}) for seed in range(study.seeds))
    values = (splits.get(split or study.split, {}).get(number) for splits in of_runs)
    return tuple(math.nan if value is None else float(value) for value in values)


def _better(claim: Claim, numbers: Mapping[str, Number]) -> Better:
    """Returns which values of a claim's measure are better, and refuses it if nobody knows."""
    for name in (claim.measure, claim.against or claim.measure):
        if name not in numbers:
            raise InputError(f"Expected a claim about what is measured. {suggest(name, numbers)}")
    better = numbers[claim.measure].better
    if better is None:
        raise InputError(
            "Expected a claim about a measure of which it is known whether less or more is better. "
            f"Received: {claim.measure}"
        )
    return better


def decide_claims(
    claims: Sequence[Claim],
    arms: Sequence[Arm],
    numbers: Mapping[str, Number],
    values: Mapping[str, Mapping[str, tuple[float, ...]]],
) -> list[Decided]:
    """Decides claims about arms that are compared with others, all together.

    Args:
        claims: The claims.
        arms: The arms.
        numbers: What was measured, by name.
        values: By number and arm, one a seed.

    Raises:
        InputError: If a claim is about what was not measured, or nobody knows what of it is better.
    """
    asked: list[tuple[Claim, str, str, Evidence]] = []
    for claim in claims:
        better = _better(claim, numbers)
        for arm in arms:
            asking = [of for grid, of in arm.baselines.items() if claim.axis in (None, grid)]
            for baseline in dict.fromkeys(asking):
                pairs = zip(
                    values[claim.measure][arm.name],
                    values[claim.against or claim.measure][baseline],
                    strict=True,
                )
                evidence = Evidence(claim, better, tuple(a - b for a, b in pairs))
                asked.append((claim, arm.name, baseline, evidence))
    decisions = decide([evidence for *_, evidence in asked])
    return [
        Decided(claim, arm, baseline, evidence.differences, decision)
        for (claim, arm, baseline, evidence), decision in zip(asked, decisions, strict=True)
    ]


def _choice(
    study: Study,
    arms: Sequence[Arm],
    decided: Sequence[Decided],
    found: Found,
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
