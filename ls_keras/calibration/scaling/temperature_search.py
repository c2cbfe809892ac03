"""Search for the best temperature, given a function that sums loss and bins at β = 1/T.

The cost is counted in passes over the data: a pass may run a model over a data set.
"""

import math
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from ls_keras.backend.tensors import as_array
from ls_keras.calibration.scaling.temperature_sums import TemperedSums
from ls_keras.errors import InputError, shown

# One pass over the data: takes inverse temperatures `(B,)` and whether to compute derivatives.
Evaluate = Callable[[ArrayLike, bool], TemperedSums]

GRID = 200
_REFINED = 21
_MAX_PASSES = 100


class SearchResult(NamedTuple):
    """Result of a search.

    Attributes:
        beta: Inverse temperature.
        sums: Sums at the best β, B = 1.
        passes: Passes over the data.
        converged: Whether the search found the optimum within the bounds.
        at_bound: `"lower"` or `"upper"` bound of T if the optimum is at or beyond it, else `None`.
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
) -> SearchResult:
    """Minimizes the NLL, which is convex in β, by Newton steps inside a bracket.

    The sign of the slope tells on which side of β the optimum is, so the bracket always holds it.
    If a step leaves the bracket, or is more than half as long as the step before the last, the
    bracket is halved in log β instead: at most about 2·log2(log(bounds ratio)/tolerance) passes,
    in practice 2 to 5.

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
            return SearchResult(beta, sums, passes, True, None)
        if beta == last and not rises:
            return SearchResult(beta, sums, passes, True, "lower")
        if beta == first and slope >= 0:
            return SearchResult(beta, sums, passes, True, "upper")
        low, high = (low, beta) if rises else (beta, high)
        newton = beta - slope / curvature if curvature > 0 else math.nan
        if sums.gap == 0:  # every label has the largest logit: the NLL falls without end
            beta = last
            continue
        if abs(newton - beta) <= tolerance * beta:
            # Takes the last step without another pass: it changes the sums only by its square.
            return SearchResult(min(max(newton, first), last), sums, passes, True, None)
        if high / low <= 1 + tolerance:
            return SearchResult(beta, sums, passes, True, None)
        inside = low < newton < high
        if inside and 2 * abs(math.log(newton / beta)) <= steps[-2]:
            to, overshot = newton, 0
        else:
            overshot = 0 if inside else overshot + 1
            bound = first if rises else last
            # If two steps in a row leave the bracket, try the bound itself.
            to = bound if overshot > 1 and bound in (low, high) else math.sqrt(low * high)
        steps.append(abs(math.log(to / beta)))
        beta = to
    return SearchResult(beta, sums, _MAX_PASSES, False, None)


def search_ece(evaluate: Evaluate, *, bounds: tuple[float, float], rounds: int = 2) -> SearchResult:
    """Minimizes the ECE over 200 log-spaced temperatures, then on finer grids around the best.

    The ECE is neither convex nor continuous in T: a narrow minimum elsewhere may be missed.

    Args:
        evaluate: One pass over the data.
        bounds: Lower and upper bound of T.
        rounds: Number of refinements, each one pass at 21 temperatures, 10 times finer.
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
    return SearchResult(beta, chosen, 1 + rounds, True, at_bound)


def _best(betas: np.ndarray, sums: TemperedSums) -> tuple[float, TemperedSums]:
    at = int(np.argmin(sums.ece))
    pick = slice(at, at + 1)
    return float(betas[at]), TemperedSums(
        sums.count, sums.weight, sums.gap, sums.flat,
        sums.loss[pick], sums.slope[pick], sums.curvature[pick], sums.square[pick], sums.bins[pick],
    )  # fmt: skip
