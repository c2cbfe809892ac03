"""Turns the numbers of a study's runs into its result: verdicts, the best arm, conclusions."""

import math
import statistics
from collections.abc import Mapping, Sequence

import msgspec

from ls_base.errors import InputError, suggest
from ls_base.files import nan_to_none
from lsk_engine.runs.schemas import Metrics
from lsk_engine.runs.stored_run import StoredRun
from lsk_engine.studies.arms import Arm
from lsk_engine.studies.claims import Better, Claim, Evidence, decide
from lsk_engine.studies.measurements import BySplit, numbers_of, own_numbers
from lsk_engine.studies.smoothing import LOSS_CLAIMS, advice, claims_for, sentences_about
from lsk_engine.studies.study import ALPHA, LOSS, Study
from lsk_engine.studies.study_result import SCORE, ClaimResult, Number, StudyResult

_MAX_SENTENCES = 6
Measured = Mapping[str, BySplit]  # numbers by run and split
Values = Mapping[str, Mapping[str, tuple[float | None, ...]]]  # by number and arm, one per seed


def check_run(study: Study, metrics: Metrics) -> None:
    """Checks that a study's runs have what its claims are about.

    Args:
        study: The study.
        metrics: The scores of one of its runs.

    Raises:
        InputError: If there is no such split or number, or a claim's measure has no direction.
    """
    if study.split not in metrics.splits:
        raise InputError(
            f"Expected a split of {', '.join(metrics.splits)}. Received: {study.split!r}"
        )
    known = _known_numbers(study, metrics)
    for claim in study.claims or ():
        _better(claim, known)


def analyze(
    study: Study, arms: Sequence[Arm], run: StoredRun, found: Measured, missing: Mapping[str, str]
) -> StudyResult:
    """Returns the result of a study.

    Args:
        study: The study.
        arms: Its arms.
        run: One of its runs.
        found: What was measured, by run and split.
        missing: Reasons for what is missing, by run.

    Raises:
        InputError: As `check_run`.
    """
    metrics = run.directory.read_metrics()
    check_run(study, metrics)
    known = {
        name: msgspec.structs.replace(number, split=_split_of(found, study, name))
        for name, number in _known_numbers(study, metrics).items()
    }
    values = {
        name: {arm.name: _by_seed(found, study, arm, name, number.split) for arm in arms}
        for name, number in known.items()
    }
    claimed = {name for one in study.claims or () for name in (one.measure, one.against)}
    values = {
        name: by_arm
        for name, by_arm in values.items()
        if name in claimed
        or any(value is not None for by_seed in by_arm.values() for value in by_seed)
    }
    numbers = {name: known[name] for name in values}
    smoothed = _smoothed_arms(arms)
    about_loss = next(iter(study.axes)).split(",")[0] == LOSS
    if study.claims is not None:
        claims = decide_claims(study.claims, arms, numbers, values)
    elif about_loss:
        claims = decide_claims(claims_for(numbers, LOSS_CLAIMS), arms, numbers, values)
    else:
        claims = decide_claims(claims_for(numbers), smoothed, numbers, values)
    shown, best = _choose_arms(study, arms, claims, found, numbers)
    settings = {arm.name: dict(arm.values) for arm in arms}
    about = [one for one in claims if one.arm == shown][:_MAX_SENTENCES]
    sentences = sentences_about(about, numbers, settings[shown])
    if study.claims is None and not smoothed and not about_loss:
        sentences.append(
            f"No claim is decided: {next(iter(study.axes))} does not compare an α with hard "
            "targets. Add [[claims]] to the study's file."
        )
    if smoothed and not study.grids and next(iter(study.axes)) == ALPHA:
        sentences.append(advice(claims, settings, best))
    # The first score has two names, and the table needs one.
    duplicates = {SCORE} & numbers.keys()
    return StudyResult(
        question=study.question,
        task=study.task,
        preset=arms[0].config.preset,
        split=study.split,
        seeds=study.seeds,
        arms=settings,
        numbers={name: number for name, number in numbers.items() if name not in duplicates},
        values={name: by_arm for name, by_arm in values.items() if name not in duplicates},
        claims=tuple(claims),
        shown=shown,
        sentences=tuple(sentences),
        missing=dict(missing),
        notes=tuple(metrics.notes),
    )


def decide_claims(
    claims: Sequence[Claim], arms: Sequence[Arm], numbers: Mapping[str, Number], values: Values
) -> list[ClaimResult]:
    """Decides claims about all arms that are compared with others, together.

    Args:
        claims: The claims.
        arms: The arms.
        numbers: What was measured, by name.
        values: By number and arm, one value per seed.

    Raises:
        InputError: If a claim's measure is unknown or has no direction.
    """
    pending: list[tuple[str, str, Evidence]] = []
    for claim in claims:
        better = _better(claim, numbers)
        for arm in arms:
            baselines = [name for grid, name in arm.baselines.items() if claim.axis in (None, grid)]
            for baseline in dict.fromkeys(baselines):
                pairs = zip(
                    values[claim.measure][arm.name],
                    values[claim.against or claim.measure][baseline],
                    strict=True,
                )
                differences = tuple(math.nan if a is None or b is None else a - b for a, b in pairs)
                pending.append((arm.name, baseline, Evidence(claim, better, differences)))
    decisions = decide([evidence for *_, evidence in pending])
    results = []
    for (arm_name, baseline, evidence), decision in zip(pending, decisions, strict=True):
        claim = evidence.claim
        content = {**vars(claim), **vars(decision), "differences": evidence.differences}
        # The difference of two bounded numbers is bounded.
        low, high = numbers[claim.measure].bounds
        if low is not None and high is not None:
            content["low"] = max(content["low"], low - high)
            content["high"] = min(content["high"], high - low)
        found = nan_to_none({**content, "arm": arm_name, "baseline": baseline})
        results.append(msgspec.convert(found, ClaimResult))
    return results


def _known_numbers(study: Study, metrics: Metrics) -> dict[str, Number]:
    """Returns the numbers of a run: its own scores, and what the study measures."""
    own = own_numbers(metrics)
    measured = numbers_of(study.measures)
    # Numbers named after the task's score; with `accuracy`, its scores themselves.
    measured |= {name: own[name] for name in measured if name in own}
    return {**(own if "accuracy" in study.measures else {}), **measured}


def _smoothed_arms(arms: Sequence[Arm]) -> list[Arm]:
    """Returns the arms that are compared with hard targets, as the paper's claims need."""
    alphas = {arm.name: arm.config.training.alpha for arm in arms}
    return [
        arm
        for arm in arms
        if any(
            ALPHA in grid.split(",") and not alphas[baseline]
            for grid, baseline in arm.baselines.items()
        )
    ]


def _split_of(found: Measured, study: Study, number: str) -> str | None:
    """Returns `train` if all runs have a number of that split only; `None`: the study's split."""
    if any(number in splits.get(study.split, {}) for splits in found.values()):
        return None
    return "train" if any(number in splits.get("train", {}) for splits in found.values()) else None


def _by_seed(
    found: Measured, study: Study, arm: Arm, number: str, split: str | None
) -> tuple[float | None, ...]:
    """Returns an arm's number by seed, of a split or of the study's."""
    runs = (found.get(f"{arm.name}-seed{seed}", {}) for seed in range(study.seeds))
    values = (splits.get(split or study.split, {}).get(number) for splits in runs)
    return tuple(
        None if value is None or not math.isfinite(value) else float(value) for value in values
    )


def _better(claim: Claim, numbers: Mapping[str, Number]) -> Better:
    """Returns which values of a claim's measure are better; raises an error if it is unknown."""
    for name in (claim.measure, claim.against or claim.measure):
        if name not in numbers:
            raise InputError(f"Expected a claim about what is measured. {suggest(name, numbers)}")
    better = numbers[claim.measure].better
    if better is None:
        raise InputError(
            "Expected a claim about a measure that declares whether less or more is better. "
            f"Received: {claim.measure}"
        )
    return better


def _choose_arms(
    study: Study,
    arms: Sequence[Arm],
    claims: Sequence[ClaimResult],
    found: Measured,
    numbers: Mapping[str, Number],
) -> tuple[str, str]:
    """Returns the arm to show and the arm to recommend, if any: the best on validation.

    Recommended is an arm only if its score is better; any arm with a baseline may be shown.
    """
    name = SCORE if SCORE in numbers and numbers[SCORE].better is not None else "accuracy"
    others = [arm.name for arm in arms if arm.baseline is not None]
    if name not in numbers or not others:
        return next(iter(others), arms[0].name), ""
    improved = {
        one.arm
        for one in claims
        if one.measure == name
        and one.against is None
        and one.direction == "better"
        and one.verdict == "supported"
    }
    sign = 1 if numbers[name].better == "more" else -1

    def validation_score(arm: str) -> float:
        runs = (f"{arm}-seed{seed}" for seed in range(study.seeds))
        values = [found.get(run, {}).get("validation", {}).get(name, math.nan) for run in runs]
        mean = statistics.fmean(values)
        return -math.inf if math.isnan(mean) else sign * mean

    best = max((arm for arm in others if arm in improved), key=validation_score, default="")
    return best or max(others, key=validation_score), best
