"""The search for a temperature, over whatever can sum loss, derivatives and bins at given β = 1/T.

A pass over the data is the unit of cost, in memory as in a data set that a model is run on.
"""

import math
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from ls_base.errors import InputError
from ls_keras.backend.tensors import as_array
from ls_keras.calibration.scaling.temperature_sums import TemperedSums
from ls_keras.errors import shown

# Takes inverse temperatures `(B,)` and whether derivatives are wanted; one pass over the data.
Evaluate = Callable[[ArrayLike, bool], TemperedSums]

GRID = 200
_REFINED = 21
_MAX_PASSES = 100


class Found(NamedTuple):
    """The end of a search.

    Attributes:
        beta: Inverse temperature.
        sums: The sums there, B = 1.
        passes: Passes over the data.
        converged: Whether the optimum inside the bounds was found.
        at_bound: `"lower"` or `"upper"`, of T, where the optimum lies on or beyond a bound.
    """

    beta: float
    sums: TemperedSums
    passes: int
    converged: bool
    at_bound: str | None


def check_bounds(bounds: tuple[float, float]) -> tuple[float, float]:
    """Returns bounds of T as floats.

    Raises:
        InputError: Unless 0 < lower < upper < ∞.
    """
    found = as_array(bounds, "bounds")
    low, high = found.tolist() if found.shape == (2,) else (0.0, 0.0)
    if not 0 < low < high < math.inf:
        raise InputError(
            "Expected temperature bounds with 0 < lower < upper < inf. "
            f"Received: bounds={shown(bounds)}"
        )
    return float(low), float(high)


def search_nll(
    evaluate: Evaluate,
    *,
    start: float,
    bounds: tuple[float, float],
    tolerance: float = 1e-5,
) -> Found:
    """Minimizes the NLL, which is convex in β, by Newton steps inside a bracket.

    The sign of the slope says on which side of β the optimum lies, so the bracket is guaranteed.
    Where a step leaves it, or is not half as long as the one before the last, the bracket is halved
    in log β instead: at most about 2·log2(log(bounds ratio)/tolerance) passes, in practice 2 to 5.

    Args:
        evaluate: One pass over the data.
        start: First β.
        bounds: Lower and upper bound of T.
        tolerance: Relative; the search ends when the next step would be shorter.
    """
    first, last = 1 / bounds[1], 1 / bounds[0]
    low, high = first, last
    beta = min(max(start, low), high)
    steps = [math.inf, math.inf]
    overshot = 0
    for passes in range(1, _MAX_PASSES + 1):
        sums = evaluate(np.array([beta]), True)
        slope, curvature = float(sums.slope[0]), float(sums.curvature[0])
        rises = slope > 0
        if sums.flat:
            return Found(beta, sums, passes, True, None)
        if beta == last and not rises:
            return Found(beta, sums, passes, True, "lower")
        if beta == first and slope >= 0:
            return Found(beta, sums, passes, True, "upper")
        low, high = (low, beta) if rises else (beta, high)
        newton = beta - slope / curvature if curvature > 0 else math.nan
        if sums.gap == 0:  # every label has the largest logit: the NLL falls for ever
            beta = last
            continue
        if abs(newton - beta) <= tolerance * beta:
            # The last step is taken, but not paid for by a pass: it changes the sums by its square.
            return Found(min(max(newton, first), last), sums, passes, True, None)
        if high / low <= 1 + tolerance:
            return Found(beta, sums, passes, True, None)
        inside = low < newton < high
        if inside and 2 * abs(math.log(newton / beta)) <= steps[-2]:
            to, overshot = newton, 0
        else:
            overshot = 0 if inside else overshot + 1
            bound = first if rises else last
            # The second time that a step points past a bound, ask the bound itself.
            to = bound if overshot > 1 and bound in (low, high) else math.sqrt(low * high)
        steps.append(abs(math.log(to / beta)))
        beta = to
    return Found(beta, sums, _MAX_PASSES, False, None)


def search_ece(evaluate: Evaluate, *, bounds: tuple[float, float], rounds: int = 2) -> Found:
    """Minimizes the ECE over 200 log-spaced temperatures, then over ever finer ones near the best.

    ECE is neither convex nor continuous in T, so that a finer minimum elsewhere is not excluded.

    Args:
        evaluate: One pass over the data.
        bounds: Lower and upper bound of T.
        rounds: Refinements, each a pass at 21 temperatures and 10 times finer.
    """
    betas = np.geomspace(1 / bounds[1], 1 / bounds[0], GRID)
    beta, chosen = _best(betas, evaluate(betas, False))
    for _ in range(rounds):
        ratio = betas[1] / betas[0]
        betas = np.clip(
            beta * np.geomspace(1 / ratio, ratio, _REFINED), 1 / bounds[1], 1 / bounds[0]
        )
        finer, sums = _best(betas, evaluate(betas, False))
        if sums.ece[0] < chosen.ece[0]:
            beta, chosen = finer, sums
    at_bound = None
    if math.isclose(beta, 1 / bounds[0]):
        at_bound = "lower"
    elif math.isclose(beta, 1 / bounds[1]):
        at_bound = "upper"
    return Found(beta, chosen, 1 + rounds, True, at_bound)


def _best(betas: np.ndarray, sums: TemperedSums) -> tuple[float, TemperedSums]:
    at = int(np.argmin(sums.ece))
    pick = slice(at, at + 1)
    return float(betas[at]), TemperedSums(
        sums.count, sums.weight, sums.gap, sums.flat,
        sums.loss[pick], sums.slope[pick], sums.curvature[pick], sums.bins[pick],
    )  # fmt: skip
