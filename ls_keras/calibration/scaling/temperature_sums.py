"""One pass over logits at one or many temperatures: loss, its derivatives and calibration bins.

Computed with NumPy on every backend: a fit ends in one float, CPU tensors convert without a copy,
and one pass in cache-sized blocks on all cores takes less time than tracing and compiling it.
"""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from ls_keras.inputs.numpy_examples import (
    CHUNK,
    HostExamples,
    blocks,
    compute_dtype,
    in_threads,
    read_rows,
    rows_a_block,
)
from ls_keras.metrics.binning import equal_width_edges

_MASKED = -1e30  # in place of −inf, whose product with a probability of 0 would be NaN


@dataclass(frozen=True)
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
        return TemperedSums(
            self.count + other.count,
            self.weight + other.weight,
            self.gap + other.gap,
            self.flat and other.flat,
            self.loss + other.loss,
            self.slope + other.slope,
            self.curvature + other.curvature,
            self.square + other.square,
            self.bins + other.bins,
        )

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


class Slopes(NamedTuple):
    """Derivatives of the scores of each example by β = 1/T.

    Attributes:
        nll: First derivative of the NLL, float64 `(n,)`.
        brier: First derivative of the Brier score, float64 `(n,)`.
        curvature: Weighted mean of the NLL's second derivative.
    """

    nll: np.ndarray
    brier: np.ndarray
    curvature: float


def slopes(examples: HostExamples, betas) -> Slopes:
    """Returns the derivatives of NLL and Brier score by the inverse temperature.

    Args:
        examples: At least one.
        betas: Inverse temperature, a number or one for each example, `(n,)`.
    """
    n, num_classes = len(examples), examples.logits.shape[1]
    nll, brier, variance = np.empty((3, n))
    mass = np.ones(n) if examples.mass is None else examples.mass
    betas = np.broadcast_to(betas, n)

    def run(at: slice) -> None:
        d = read_rows(examples.logits, examples.rows, at).astype(np.float64)
        d -= examples.top[at][:, None]
        np.maximum(d, _MASKED, out=d)
        p = np.exp(betas[at][:, None] * d)
        p /= p.sum(-1, keepdims=True)
        mean = np.einsum("ij,ij->i", p, d)
        variance[at] = np.maximum(np.einsum("ij,ij,ij->i", p, d, d) - mean**2, 0)
        nll[at] = mass[at] * mean - examples.gap[at]
        changes = p * (d - mean[:, None])  # dp/dβ
        brier[at] = 2 * np.einsum("ij,ij->i", p, changes)
        if examples.labels is not None:
            brier[at] -= 2 * changes[np.arange(len(d)), examples.labels[at]]
        elif examples.dense is not None:
            y = read_rows(examples.dense, examples.rows, at)
            brier[at] -= 2 * np.einsum("ij,ij->i", y, changes)

    in_threads(run, list(blocks(0, n, num_classes)))
    curvature = float(examples.weights @ (mass * variance) / examples.weights.sum())
    return Slopes(nll, brier, curvature)


def bin_sums(confidence, correct, weights, num_bins) -> np.ndarray:
    """Sums weight, confidence and accuracy `(B, 3, num_bins)` of confidences `(B, n)` by bin."""
    edges = equal_width_edges(num_bins)[1:-1]
    sums = np.empty((len(confidence), 3, num_bins))
    hits = weights * correct
    for out, row in zip(sums, confidence.astype(np.float32), strict=True):
        index = np.searchsorted(edges, row, side="left")  # left-open, right-closed
        for to, values in zip(out, (weights, weights * row, hits), strict=True):
            to[:] = np.bincount(index, values, num_bins)
    return sums
