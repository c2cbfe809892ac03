"""Decides claims from differences paired by seed: pure arithmetic.

A claim states in which direction a measure differs between two settings. With d_s, the difference
of the seed s, the mean d̄ of n seeds has the 95 % interval

    d̄ ± t_{0.975, n − 1} · s_d / √n

by Student's t over seeds, so it applies to networks that were not trained, too. A bootstrap over
three seeds would cover 75 %, and one over test examples applies to the trained networks only.
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
Verdict = Literal["supported", "contradicted", "equivalent", "inconclusive", "not measured"]

DIRECTIONS: tuple[Direction, ...] = ("better", "worse", "no worse")
LEVEL = 0.05  # probability of a false verdict among all claims that are decided together
POWER = 0.8
MAX_SEEDS = 1000
_SAME = 1e-12  # relative: smaller differences come from rounding
_QUANTILES = 200


@dataclasses.dataclass(frozen=True)
class Claim:
    """A statement about a measure that a study decides.

    Attributes:
        name: Its topic, in a word or two.
        statement: The claim as a sentence, without the full stop.
        measure: The measure of the setting that the claim is about.
        direction: How the setting compares with the baseline: `better`, `worse`, or `no worse` by
            more than the margin.
        margin: Differences from −margin to margin do not matter, in the measure's unit.
        against: The baseline's measure, if it is another one; `None`: the same.
        paper: The difference in the paper, setting − baseline.
        source: Where in the paper, or in which publication.
        axis: The first axis of the grids whose arms it is about; `None`: all.

    Raises:
        InputError: For another direction, a margin below 0, or a claim without name.
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
        if not self.name.strip() or not self.statement.strip():
            raise InputError(
                f"Expected a name and a statement of each claim. "
                f"Received: name={self.name!r}, statement={self.statement!r}"
            )
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
    """A claim with the differences that decide it.

    Attributes:
        claim: The claim.
        better: Which values of its measure are better.
        differences: Setting − baseline by seed; NaN where a run has no such number.
    """

    claim: Claim
    better: Better
    differences: tuple[float, ...]

    @property
    def oriented(self) -> np.ndarray:
        """The differences, positive where they support the claim."""
        sign = (1 if self.better == "more" else -1) * (-1 if self.claim.direction == "worse" else 1)
        return sign * np.asarray(self.differences, np.float64)


@dataclasses.dataclass(frozen=True)
class Decision:
    """The verdict about a claim.

    Attributes:
        verdict: `supported`, `contradicted` (the opposite is supported), `equivalent` (the
            difference is within the margin), `inconclusive` or `not measured`.
        mean: Mean of the differences.
        low: Lower end of the mean's own 95 % interval; NaN with one seed.
        high: Its upper end.
        p: The smallest level at which the claim alone would get a verdict; NaN without a test.
        reason: Why it is inconclusive or not measured; else empty.
        seeds: About how many seeds would detect a difference of this size with a probability of
            80 %; `None` if there is a verdict, it is unknown, or more than 1,000.
    """

    verdict: Verdict
    mean: float
    low: float
    high: float
    p: float
    reason: str = ""
    seeds: int | None = None


def decide(evidence: Sequence[Evidence]) -> list[Decision]:
    """Decides claims together: at most one study in twenty has any false verdict.

    Each claim is tested at the level that Holm's correction gives it among all that can be tested.
    A claim with the direction `better` or `worse` is *supported* if the interval of that level is
    beyond 0, *contradicted* if it is on the other side, and *equivalent* if it is within the
    margin, wherever 0 is. A claim with `no worse` is decided about −margin. Whatever the truth, a
    false verdict has at most the probability of that level.

    Args:
        evidence: The claims.

    Returns:
        A decision for each claim, in the same order.

    Example:
    >>> claim = Claim("loss", "The loss falls", "loss", "better", margin=0.01)
    >>> differences = (-0.11, -0.09, -0.1), (-0.11, 0.09, 0.01), (0.001, -0.002, 0.0)
    >>> for decision in decide([Evidence(claim, "less", d) for d in differences]):
    ...     print(decision.verdict, decision.seeds)
    supported None
    inconclusive None
    equivalent None
    """
    untestable = [_why_untestable(one) for one in evidence]
    tests = {i: _test(one) for i, one in enumerate(evidence) if untestable[i] is None}
    levels = _holm({i: test.p for i, test in tests.items()})
    decisions = []
    for i, one in enumerate(evidence):
        mean, low, high = interval(one.differences)
        if (why := untestable[i]) is not None:
            decisions.append(Decision(why[0], mean, low, high, math.nan, why[1]))
        elif i in levels:
            verdict = tests[i].verdict(levels[i])
            decisions.append(Decision(verdict, mean, low, high, tests[i].p))
        else:
            reason = "the interval is too wide"
            if tests[i].p <= LEVEL:
                reason = f"not enough among {len(tests)} claims (Holm's correction)"
            seeds = required_seeds(one, level=LEVEL / len(tests))
            decisions.append(Decision("inconclusive", mean, low, high, tests[i].p, reason, seeds))
    return decisions


def interval(
    values: Sequence[float], bounds: tuple[float | None, float | None] = (None, None)
) -> tuple[float, float, float]:
    """Returns the mean and the ends of its 95 % interval, by Student's t.

    An interval of a bounded measure is cut at the bounds. Its coverage stays the same, because the
    true mean cannot be outside.

    Args:
        values: One value per seed; with one value, the ends are NaN.
        bounds: The smallest and the largest possible value; `None`: unlimited.

    Example:
    >>> [round(x, 3) for x in interval([1.0, 2.0, 3.0])]
    [2.0, -0.484, 4.484]
    >>> [round(x, 3) for x in interval([1.0, 2.0, 3.0], bounds=(0.0, None))]
    [2.0, 0.0, 4.484]
    """
    array = np.asarray(values, np.float64)
    n = len(array)
    if not n or not np.isfinite(array).all():
        return math.nan, math.nan, math.nan
    mean = float(array.mean())
    if n == 1:
        return mean, math.nan, math.nan
    half = float(stdtrit(n - 1, 1 - LEVEL / 2) * array.std(ddof=1) / math.sqrt(n))
    least, most = (-math.inf if bounds[0] is None else bounds[0]), bounds[1]
    low, high = max(mean - half, least), min(mean + half, math.inf if most is None else most)
    return mean, min(low, mean), max(high, mean)


def required_seeds(evidence: Evidence, *, level: float = LEVEL) -> int | None:
    """Returns how many seeds would give a verdict with a probability of 80 %: power analysis.

    Args:
        evidence: Differences of two seeds or more; their mean and standard deviation are taken as
            the truth.
        level: Level of the claim's test.

    Returns:
        The number of seeds; `None` if it is more than 1,000.
    """
    values, claim = evidence.oriented, evidence.claim
    mean, deviation = float(values.mean()), float(values.std(ddof=1))
    no_worse = claim.direction == "no worse"

    def suffices(n: int) -> bool:
        return verdict_probability(n, mean, deviation, claim.margin, level, no_worse) >= POWER

    low, high = 1, 2  # two seeds at least; `low` does not suffice
    while not suffices(high):
        low, high = high, 2 * high
        if low >= MAX_SEEDS:
            return None
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if suffices(middle) else (middle, high)
    return high if high <= MAX_SEEDS else None


def verdict_probability(
    n: int, mean: float, deviation: float, margin: float, level: float, no_worse: bool = False
) -> float:
    """Returns the probability of any verdict about a claim if differences are normal.

    The mean of n differences is normal. Their variance is independent of it and follows χ² with
    n − 1 degrees of freedom, over whose quantiles the probability is averaged.

    Args:
        n: Number of seeds, at least 2.
        mean: Mean of the differences.
        deviation: Their standard deviation, above 0.
        margin: The claim's margin.
        level: Level of the claim's test.
        no_worse: Whether the claim's direction is `no worse`.
    """
    above = (np.arange(_QUANTILES) + 0.5) / _QUANTILES
    spread = np.sqrt(chdtri(n - 1, above) / (n - 1))  # s/σ
    error = deviation / math.sqrt(n)
    half = stdtrit(n - 1, 1 - level / 2) * spread  # of the interval, in standard errors
    center = (mean + margin if no_worse else mean) / error
    probability = ndtr(center - half) + ndtr(-center - half)
    if not no_worse:
        inside = np.clip(margin / error - half, 0, half)  # beyond `half`: counted above already
        probability += ndtr(inside - center) - ndtr(-inside - center)
    return float(probability.mean())


@dataclasses.dataclass(frozen=True)
class _Test:
    """The p values of the two verdicts that a claim may get: one of direction, and equivalence."""

    direction: Verdict
    p_direction: float
    p_equivalent: float

    @property
    def p(self) -> float:
        return min(self.p_direction, self.p_equivalent)

    def verdict(self, level: float) -> Verdict:
        return "equivalent" if self.p_equivalent <= level else self.direction


def _why_untestable(evidence: Evidence) -> tuple[Verdict, str] | None:
    """Returns the verdict and the reason if a claim cannot be tested."""
    values = np.asarray(evidence.differences, np.float64)
    if not len(values) or not np.isfinite(values).all():
        return "not measured", "a run or its number is missing or not finite"
    if len(values) == 1:
        return "inconclusive", "one seed does not show how much seeds differ"
    if np.ptp(values) <= _SAME * np.abs(values).max() and values.any():
        return "inconclusive", "all seeds have the same difference, so their spread is unknown"
    return None


def _test(evidence: Evidence) -> _Test:
    values, claim = evidence.oriented, evidence.claim
    no_worse = claim.direction == "no worse"
    if not values.any():
        return _Test("supported", 0.0, 1.0) if no_worse else _Test("equivalent", 1.0, 0.0)
    error = float(values.std(ddof=1)) / math.sqrt(len(values))
    freedom, mean = len(values) - 1, float(values.mean())

    def tail(distance: float) -> float:
        """Returns the two-sided p of a mean at this distance on the right side of a bound."""
        return min(1.0, 2 * float(stdtr(freedom, -distance / error)))

    beyond = mean + claim.margin if no_worse else mean
    within = min(claim.margin - mean, claim.margin + mean)
    direction: Verdict = "supported" if beyond > 0 else "contradicted"
    return _Test(direction, tail(abs(beyond)), 1.0 if no_worse else tail(within))


def _holm(p: dict[int, float]) -> dict[int, float]:
    """Returns the level of each test that gets a verdict, by Holm's step-down procedure."""
    levels: dict[int, float] = {}
    for rank, i in enumerate(sorted(p, key=p.__getitem__)):
        level = LEVEL / (len(p) - rank)
        if p[i] > level:
            break
        levels[i] = level
    return levels
