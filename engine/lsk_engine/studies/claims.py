"""Deciding claims from differences paired by seed: pure arithmetic.

A claim says in which direction a measure differs between two settings. With d_s, the difference of
the seed s, the mean d̄ of n seeds has the 95 % interval

    d̄ ± t_{0.975, n − 1} · s_d / √n

by Student's t over seeds: it speaks of networks that were not trained, too. A bootstrap over three
seeds would cover 75 %, and one over test examples speaks of the trained networks alone.
"""

import dataclasses
import math
from collections.abc import Sequence
from typing import Literal

import numpy as np
from scipy.special import chdtri, ndtr, stdtr, stdtrit

from ls_base.errors import InputError

Better = Literal["less", "more"]
Direction = Literal["better", "worse", "no worse"]
Verdict = Literal["holds", "does not hold", "no difference that matters", "can't tell"]

DIRECTIONS: tuple[Direction, ...] = ("better", "worse", "no worse")
LEVEL = 0.05  # of false statements among all claims that are decided together
POWER = 0.8
MOST_SEEDS = 1000
_SAME = 1e-12  # relative: differences that rounding alone tells apart
_QUANTILES = 200


@dataclasses.dataclass(frozen=True)
class Claim:
    """A row of a table of claims.

    Attributes:
        name: What it is about, in a word or two.
        statement: The claim, as a sentence without its full stop.
        measure: The measure of the setting that the claim is about.
        direction: What the measure is there, compared with the baseline: `better`, `worse`, or
            `no worse` by more than the margin.
        margin: Differences from −margin to margin do not matter, in the measure's unit.
        against: The baseline's measure, if it is another one; `None`: the same.
        paper: The difference in the paper, setting − baseline.
        source: Where in the paper, or in which.
        axis: The first axis of the grids whose arms it is about; `None`: all.
    """

    name: str
    statement: str
    measure: str
    direction: Direction
    margin: float
    against: str | None = None
    paper: float | None = None
    source: str = ""
    axis: str | None = None

    def __post_init__(self):
        if self.direction not in DIRECTIONS:
            raise InputError(
                f"Expected the direction of claim '{self.name}' to be one of "
                f"{', '.join(DIRECTIONS)}. Received: {self.direction!r}"
            )
        if not 0 <= self.margin < math.inf:
            raise InputError(
                f"Expected a finite margin of claim '{self.name}', at least 0. "
                f"Received: {self.margin}"
            )


@dataclasses.dataclass(frozen=True)
class Evidence:
    """What a claim is decided from.

    Attributes:
        claim: The claim.
        better: Which values of its measure are better.
        differences: Setting − baseline, one a seed; NaN where a run has no such number.
    """

    claim: Claim
    better: Better
    differences: tuple[float, ...]

    @property
    def oriented(self) -> np.ndarray:
        """The differences, above 0 where the setting is better (of `worse`: where it is worse)."""
        sign = (1 if self.better == "more" else -1) * (-1 if self.claim.direction == "worse" else 1)
        return sign * np.asarray(self.differences, np.float64)


@dataclasses.dataclass(frozen=True)
class Decision:
    """What is said of a claim.

    Attributes:
        verdict: `holds`, `does not hold` (the opposite does), `no difference that matters` or
            `can't tell`.
        mean: Of the differences.
        low: The lower end of the mean's 95 % interval, by itself; NaN of one seed.
        high: Its upper end.
        p: The least level of its own at which anything is said; NaN where there is no test.
        reason: Why it can't be told; else empty.
        seeds: About how many seeds would tell with a probability of 80 %, were mean and spread as
            found; `None`: it is told, nobody knows, or more than 1,000.
    """

    verdict: Verdict
    mean: float
    low: float
    high: float
    p: float
    reason: str = ""
    seeds: int | None = None


def decide(evidence: Sequence[Evidence]) -> list[Decision]:
    """Decides claims together: no more than one study in twenty says anything false.

    Each is tested at a level that Holm's correction gives it among all that can be tested. A claim
    with the direction `better` or `worse` *holds* if the interval of that level lies beyond 0, it
    *does not hold* if the interval lies on the other side, and there is *no difference that
    matters* if it lies within the margin, wherever 0 is. Whatever the
    truth, what is false is said with a probability of that level at most. `no worse` is decided
    about −margin.

    Args:
        evidence: The claims.

    Returns:
        A decision each, in the same order.

    Example:
    >>> claim = Claim("loss", "The loss falls", "loss", "better", margin=0.01)
    >>> differences = (-0.11, -0.09, -0.1), (-0.11, 0.09, 0.01), (0.001, -0.002, 0.0)
    >>> for decision in decide([Evidence(claim, "less", d) for d in differences]):
    ...     print(decision.verdict, decision.seeds)
    holds None
    can't tell None
    no difference that matters None
    """
    refused = [_not_testable(one) for one in evidence]
    tests = {i: _test(one) for i, one in enumerate(evidence) if not refused[i]}
    levels = _holm({i: test.p for i, test in tests.items()})
    decisions = []
    for i, one in enumerate(evidence):
        mean, low, high = interval(one.differences)
        if reason := refused[i]:
            decisions.append(Decision("can't tell", mean, low, high, math.nan, reason))
            continue
        verdict: Verdict = "can't tell"
        reason, seeds = "", None
        if i in levels:
            verdict = tests[i].verdict(levels[i])
        else:
            told_alone = tests[i].p <= LEVEL
            reason = "the interval is too wide"
            if told_alone:
                reason = f"too little among {len(tests)} claims (Holm's correction)"
            seeds = seeds_to_tell(one, level=LEVEL / len(tests))
        decisions.append(Decision(verdict, mean, low, high, tests[i].p, reason, seeds))
    return decisions


def interval(differences: Sequence[float]) -> tuple[float, float, float]:
    """Returns the mean and the ends of its 95 % interval, by Student's t.

    Args:
        differences: One a seed; the ends of one are NaN.

    Example:
    >>> [round(x, 3) for x in interval([1.0, 2.0, 3.0])]
    [2.0, -0.484, 4.484]
    """
    values = np.asarray(differences, np.float64)
    n = len(values)
    if not n or not np.isfinite(values).all():
        return math.nan, math.nan, math.nan
    mean = float(values.mean())
    if n == 1:
        return mean, math.nan, math.nan
    half = float(stdtrit(n - 1, 1 - LEVEL / 2) * values.std(ddof=1) / math.sqrt(n))
    return mean, mean - half, mean + half


def seeds_to_tell(evidence: Evidence, *, level: float = LEVEL) -> int | None:
    """Returns how many seeds would tell with a probability of 80 %.

    Args:
        evidence: Two seeds or more, whose mean and standard deviation are taken for the truth.
        level: Of the claim's test.

    Returns:
        The number; `None`: more than 1,000.
    """
    values, claim = evidence.oriented, evidence.claim
    mean, deviation = float(values.mean()), float(values.std(ddof=1))
    no_worse = claim.direction == "no worse"

    def enough(n: int) -> bool:
        return probability_to_tell(n, mean, deviation, claim.margin, level, no_worse) >= POWER

    low, high = 1, 2  # two seeds at least; `low` is not enough
    while not enough(high):
        low, high = high, 2 * high
        if low >= MOST_SEEDS:
            return None
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if enough(middle) else (middle, high)
    return high if high <= MOST_SEEDS else None


def probability_to_tell(
    n: int, mean: float, deviation: float, margin: float, level: float, no_worse: bool = False
) -> float:
    """Returns how probably a claim is told, whatever the verdict, if differences are normal.

    The mean of n differences is normal and, apart from it, their variance χ² with n − 1 degrees of
    freedom, over whose quantiles the probability is averaged.

    Args:
        n: Seeds, 2 or more.
        mean: Of the differences.
        deviation: Their standard deviation, above 0.
        margin: The claim's.
        level: Of the claim's test.
        no_worse: Whether the claim is one of `no worse`.
    """
    above = (np.arange(_QUANTILES) + 0.5) / _QUANTILES
    spread = np.sqrt(chdtri(n - 1, above) / (n - 1))  # s/σ
    error = deviation / math.sqrt(n)
    half = stdtrit(n - 1, 1 - level / 2) * spread  # of the interval, in standard errors
    center = (mean + margin if no_worse else mean) / error
    told = ndtr(center - half) + ndtr(-center - half)
    if not no_worse:
        inside = np.clip(margin / error - half, 0, half)  # wider: told on either side of `half`
        told += ndtr(inside - center) - ndtr(-inside - center)
    return float(told.mean())


@dataclasses.dataclass(frozen=True)
class _Test:
    """p of each thing that may be said, and what else than the lack of a difference it is."""

    direction: Verdict
    p_direction: float
    p_no_difference: float

    @property
    def p(self) -> float:
        return min(self.p_direction, self.p_no_difference)

    def verdict(self, level: float) -> Verdict:
        return "no difference that matters" if self.p_no_difference <= level else self.direction


def _not_testable(evidence: Evidence) -> str:
    """Returns why there is no test; empty: there is."""
    values = np.asarray(evidence.differences, np.float64)
    if not len(values) or not np.isfinite(values).all():
        return "a run or its number is missing or not finite"
    if len(values) == 1:
        return "one seed tells nothing of others"
    if np.ptp(values) <= _SAME * np.abs(values).max() and values.any():
        return "every seed gave the same difference, which says nothing of its spread"
    return ""


def _test(evidence: Evidence) -> _Test:
    values, claim = evidence.oriented, evidence.claim
    if not values.any():
        same: Verdict = "holds" if claim.direction == "no worse" else "no difference that matters"
        return _Test(same, 0.0 if same == "holds" else 1.0, 1.0 if same == "holds" else 0.0)
    error = float(values.std(ddof=1)) / math.sqrt(len(values))
    freedom, mean = len(values) - 1, float(values.mean())

    def tail(distance: float) -> float:
        """Returns the two-sided p of a mean that lies so far on the right side of a bound."""
        return min(1.0, 2 * float(stdtr(freedom, -distance / error)))

    if claim.direction == "no worse":
        beyond = mean + claim.margin
        return _Test("holds" if beyond > 0 else "does not hold", tail(abs(beyond)), 1.0)
    within = min(claim.margin - mean, claim.margin + mean)
    return _Test("holds" if mean > 0 else "does not hold", tail(abs(mean)), tail(within))


def _holm(p: dict[int, float]) -> dict[int, float]:
    """Returns the level of each test that is told, by Holm's step-down procedure."""
    levels: dict[int, float] = {}
    for rank, i in enumerate(sorted(p, key=p.__getitem__)):
        level = LEVEL / (len(p) - rank)
        if p[i] > level:
            break
        levels[i] = level
    return levels
