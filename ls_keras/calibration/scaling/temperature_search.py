"""Search for the best temperature by sums of loss, its derivatives and calibration bins.

Each sum is one pass over the logits at one or many β = 1/T. It is computed with NumPy on every
backend: a fit ends in one float, CPU tensors convert without a copy, and one pass in cache-sized
blocks on all cores takes less time than tracing and compiling it. The cost of a search is the
number of passes, because a pass may run a model over a data set.
"""

import dataclasses
import math
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from ls_keras.backend.tensors import as_array
from ls_keras.calibration.scaling.recalibration import bin_sums
from ls_keras.errors import InputError, shown
from ls_keras.inputs.numpy_examples import (
    CHUNK,
    HostExamples,
    blocks,
    compute_dtype,
    in_threads,
    read_rows,
    rows_a_block,
)

_GRID = 200
_REFINED = 21
_MAX_PASSES = 100
_MASKED = -1e30  # in place of −inf, whose product with a probability of 0 would be NaN


@dataclasses.dataclass(frozen=True)
class TemperedSums:
    """Weighted sums over examples at B inverse temperatures, in float64.

    Attributes:
        count: Number of examples.
        weight: Σ w.
        gap: Σ w · gap ≤ 0; zero where every label has the largest logit.
        flat: Whether no logit differs from another.
        loss: Σ w · NLL `(B,)`, nats.
        slope: dΣ/dβ `(B,)`; NaN without moments.
        curvature: d²Σ/dβ² `(B,)`; NaN without moments.
        square: Σ (w · dNLL/dβ)² over examples `(B,)`; NaN without moments.
        bins: Weight, confidence and accuracy `(B, 3, num_bins)`, summed in each bin.
    """

    count: int
    weight: float
    gap: float
    flat: bool
    loss: np.ndarray
    slope: np.ndarray
    curvature: np.ndarray
    square: np.ndarray
    bins: np.ndarray

    def __add__(self, other: "TemperedSums") -> "TemperedSums":
        flat = self.flat and other.flat
        names = [field.name for field in dataclasses.fields(self) if field.name != "flat"]
        sums = {name: getattr(self, name) + getattr(other, name) for name in names}
        return TemperedSums(**sums, flat=flat)

    @property
    def nll(self) -> np.ndarray:
        """Mean loss `(B,)`, nats an example."""
        return self.loss / self.weight

    @property
    def ece(self) -> np.ndarray:
        """Expected calibration error `(B,)`, Σ_b |confidence_b − accuracy_b| / Σ w."""
        return np.abs(self.bins[:, 1] - self.bins[:, 2]).sum(-1) / self.weight


def tempered_sums(
    examples: HostExamples, betas, *, moments: bool = True, num_bins: int = 15
) -> TemperedSums:
    """Sums loss, derivatives and bins over all examples at each β, reading the logits once.

    Rows are cut into chunks by size alone and their sums are added in order, so the result does
    not depend on the number of cores. Temporary memory is about 1 MiB per core plus 8 MiB.

    Args:
        examples: At least one example.
        betas: Inverse temperatures 1/T, `(B,)`.
        moments: Whether to compute the derivatives.
        num_bins: Number of bins of the ECE.
    """
    betas = np.atleast_1d(np.asarray(betas, np.float64))
    size = max(1, min(CHUNK // examples.logits.shape[1], CHUNK // 4 // len(betas)))
    starts = range(0, len(examples), size)

    def run(start: int) -> TemperedSums:
        stop = min(start + size, len(examples))
        return _chunk_sums(examples, slice(start, stop), betas, moments, num_bins)

    parts = in_threads(run, starts)
    total = parts[0]
    for part in parts[1:]:
        total = total + part
    return total


def _chunk_sums(examples, chunk, betas, moments, num_bins) -> TemperedSums:
    n, num_betas = chunk.stop - chunk.start, len(betas)
    num_classes = examples.logits.shape[1]
    dtype = compute_dtype(examples.logits)
    total = np.empty((num_betas, n), dtype)
    first, second = np.empty((2, num_betas, n if moments else 0), dtype)
    size = min(n, rows_a_block(num_classes))
    d_buffer, e_buffer = np.empty((2, size, num_classes), dtype)
    for at in blocks(chunk.start, chunk.stop, num_classes):
        block = read_rows(examples.logits, examples.rows, at)
        d, e = d_buffer[: len(block)], e_buffer[: len(block)]
        np.subtract(block, examples.top[at][:, None], out=d, dtype=dtype)
        if examples.masked:
            np.maximum(d, _MASKED, out=d)
        to = slice(at.start - chunk.start, at.stop - chunk.start)
        for b, beta in enumerate(betas):
            np.multiply(d, dtype.type(beta), out=e)
            np.exp(e, out=e)
            np.sum(e, axis=-1, out=total[b, to])
            if moments:
                np.multiply(e, d, out=e)
                np.sum(e, axis=-1, out=first[b, to])
                np.einsum("ij,ij->i", e, d, out=second[b, to])

    weights, gap = examples.weights[chunk], examples.gap[chunk].astype(np.float64)
    mass = 1.0 if examples.mass is None else examples.mass[chunk]
    total64 = total.astype(np.float64)
    loss = ((mass * np.log(total64) - betas[:, None] * gap) * weights).sum(-1)
    slope = curvature = square = np.full(num_betas, np.nan)
    if moments:
        mean = first / total64
        slopes = (mass * mean - gap) * weights
        slope, square = slopes.sum(-1), np.square(slopes).sum(-1)
        # Rounding may leave a variance of 0 slightly negative.
        curvature = (np.maximum(second / total64 - mean**2, 0) * mass * weights).sum(-1)
    return TemperedSums(
        n, weights.sum(), (weights * gap).sum(), examples.flat, loss, slope, curvature, square,
        bin_sums(
            examples.confidence(1 / total, chunk), examples.correct[chunk], weights, num_bins
        ),
    )  # fmt: skip


# One pass over the data: takes inverse temperatures `(B,)` and whether to compute derivatives.
Evaluate = Callable[[ArrayLike, bool], TemperedSums]


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

    The sign of the slope shows on which side of β the optimum is, so the bracket always holds it.
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
    betas = np.geomspace(1 / bounds[1], 1 / bounds[0], _GRID)
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
    names = ("loss", "slope", "curvature", "square", "bins")
    chosen = {name: getattr(sums, name)[at : at + 1] for name in names}
    return float(betas[at]), dataclasses.replace(sums, **chosen)
