"""One fused pass over logits at one or many temperatures: loss, its derivatives, calibration bins.

The arithmetic is NumPy on the host, whatever the backend: a fit ends in one float, tensors on the
CPU convert without a copy, and a pass in blocks that stay in the cache, on every core, takes less
time than tracing and compiling the same pass would.
"""

import os
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace

import keras
import numpy as np
from keras import ops

from ls_base.errors import InputError
from ls_keras.calibration.binning import equal_width_edges
from ls_keras.targets import position_weights, read_targets

_BLOCK = 1 << 17  # elements: two float32 blocks are 1 MiB, inside a core's second-level cache
_CHUNK = 1 << 21  # elements: what one thread takes at a time
_MASKED = -1e30  # in place of −inf, whose product with a probability of 0 would be NaN


@dataclass(frozen=True)
class HostExamples:
    """Examples on the host, with what every pass needs of them; n count, of N in `logits`.

    With d = z − max z, the loss at β = 1/T is mass · log Σ_k exp(β d_k) − β · gap.

    Attributes:
        logits: Array `(N, K)`, not copied.
        rows: Indices `(n,)` into `logits`, or `None` for all.
        weights: float64 `(n,)`, all positive.
        top: Largest logit `(n,)`.
        gap: d at the label, or Σ_k y_k d_k for dense targets, `(n,)`.
        mass: Σ_k y_k `(n,)`, or `None` for integer labels (1).
        correct: Boolean `(n,)`.
        flat: Whether all logits of every example are equal (−inf aside).
        masked: Whether there are logits of −inf.
        labels: Integers `(n,)`, or `None`.
        dense: Dense targets `(N, K)`, or `None`.
    """

    logits: np.ndarray
    rows: np.ndarray | None
    weights: np.ndarray
    top: np.ndarray
    gap: np.ndarray
    mass: np.ndarray | None
    correct: np.ndarray
    flat: bool
    masked: bool
    labels: np.ndarray | None = None
    dense: np.ndarray | None = None

    def __len__(self) -> int:
        return len(self.weights)

    def every(self, stride: int) -> "HostExamples":
        """Returns each `stride`-th example; logits are shared."""
        rows = np.arange(len(self)) if self.rows is None else self.rows
        return replace(
            self,
            rows=rows[::stride],
            weights=self.weights[::stride],
            top=self.top[::stride],
            gap=self.gap[::stride],
            mass=None if self.mass is None else self.mass[::stride],
            correct=self.correct[::stride],
            labels=None if self.labels is None else self.labels[::stride],
        )


@dataclass(frozen=True)
class TemperedSums:
    """Weighted sums over examples at B inverse temperatures, in float64.

    Attributes:
        count: Number of examples.
        weight: Σ w.
        gap: Σ w · gap ≤ 0; zero where every label has the largest logit.
        flat: Whether no logit differs from another.
        loss: Σ w · NLL `(B,)`, nats.
        slope: dΣ/dβ `(B,)`; NaN where moments were not asked for.
        curvature: d²Σ/dβ² `(B,)`, the same.
        bins: Weight, confidence and accuracy `(B, 3, num_bins)`, summed in each bin.
    """

    count: int
    weight: float
    gap: float
    flat: bool
    loss: np.ndarray
    slope: np.ndarray
    curvature: np.ndarray
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


def read_host_examples(y_true, logits, *, sample_weight=None, mask=None, ignore_class=None):
    """Reads targets and logits of the current backend, or arrays, into `HostExamples`.

    Raises:
        InputError: If shapes, labels or weights are not what they should be, or logits that count
            hold NaN, +inf, or −inf where it makes the loss infinite at every temperature.
    """
    logits = to_host(logits)
    targets = read_targets(y_true, logits, ignore_class=ignore_class)
    weights = position_weights(
        np.broadcast_to(np.float32(1), logits.shape[:-1]),
        valid=targets.valid,
        mask=mask,
        sample_weight=sample_weight,
    )
    logits = logits.reshape(-1, logits.shape[-1])
    rows = None
    if weights is None:
        weights = np.ones(len(logits))
    else:
        weights = to_host(weights).reshape(-1).astype(np.float64)
        if not np.all((weights >= 0) & np.isfinite(weights)):
            raise InputError(
                "Expected sample weights that are finite and not negative. Received: "
                f"{weights[~((weights >= 0) & np.isfinite(weights))][0]}"
            )
        if not np.all(weights):
            rows = np.flatnonzero(weights)
            weights = weights[rows]
    if targets.labels is not None:
        labels, dense = to_host(targets.labels).reshape(-1), None
        labels = labels if rows is None else labels[rows]
    else:
        labels, dense = None, to_host(targets.dense).reshape(-1, logits.shape[-1])
    return _prepare(logits, rows, weights, labels, dense)


def tempered_sums(
    examples: HostExamples, betas, *, moments: bool = True, num_bins: int = 15
) -> TemperedSums:
    """Sums loss, derivatives and bins over all examples, at each β, reading the logits once.

    Rows are cut into chunks by size alone and their sums added in order, so the result does not
    depend on the number of cores. Temporary memory is about 1 MiB a core and 8 MiB in all.
    """
    betas = np.atleast_1d(np.asarray(betas, np.float64))
    size = max(1, min(_CHUNK // examples.logits.shape[1], _CHUNK // 4 // len(betas)))
    starts = range(0, len(examples), size)

    def run(start: int) -> TemperedSums:
        stop = min(start + size, len(examples))
        return _chunk_sums(examples, slice(start, stop), betas, moments, num_bins)

    parts = in_threads(run, starts)
    total = parts[0]
    for part in parts[1:]:
        total = total + part
    return total


def _prepare(logits, rows, weights, labels, dense) -> HostExamples:
    n = len(weights)
    dtype = compute_dtype(logits)
    top, gap = np.empty(n, dtype), np.empty(n, dtype)
    correct = np.empty(n, bool)
    mass = np.empty(n if labels is None else 0, np.float64)
    size = max(1, _CHUNK // logits.shape[1])

    def run(start: int) -> tuple[bool, bool]:
        flat, masked = True, False
        for at in blocks(start, min(start + size, n), logits.shape[1]):
            block = read_rows(logits, rows, at).astype(dtype, copy=False)
            index = np.arange(len(block))
            guess = block.argmax(-1)  # at a NaN, where there is one
            top[at] = block[index, guess]
            low = block.min(-1)
            if np.any(low == -np.inf):
                masked = True
                low = np.where(block == -np.inf, np.inf, block).min(-1)
            flat = flat and bool(np.all(low == top[at]))
            if dense is None:
                gap[at] = block[index, labels[at]] - top[at]
                correct[at] = guess == labels[at]
            else:
                y = read_rows(dense, rows, at)
                # Where y is 0, a logit of −inf costs nothing.
                d = np.where(y == 0, 0, block - top[at][:, None])
                gap[at] = np.einsum("ij,ij->i", y, d, dtype=np.float64)
                mass[at] = y.sum(-1, dtype=np.float64)
                correct[at] = guess == y.argmax(-1)
        return flat, masked

    with np.errstate(invalid="ignore"):
        found = in_threads(run, range(0, n, size))
    _check(top, gap)
    return HostExamples(
        logits, rows, weights, top, gap, mass if labels is None else None, correct,
        all(flat for flat, _ in found), any(masked for _, masked in found), labels, dense,
    )  # fmt: skip


def _check(top: np.ndarray, gap: np.ndarray) -> None:
    bad = ~np.isfinite(top)
    if bad.any():
        raise InputError(
            "Expected logits without NaN or +inf, and a finite one in every example. Received: "
            f"{int(bad.sum())} of {len(top)} examples with a largest logit of {top[bad][0]}"
        )
    bad = ~np.isfinite(gap)
    if bad.any():
        raise InputError(
            "Expected finite logits where the target has probability; the loss is infinite at "
            f"every temperature otherwise. Received: {int(bad.sum())} of {len(gap)} examples whose "
            "label has a logit of -inf (or dense targets with NaN)"
        )


def _chunk_sums(examples, chunk, betas, moments, num_bins) -> TemperedSums:
    n, num_betas = chunk.stop - chunk.start, len(betas)
    num_classes = examples.logits.shape[1]
    dtype = compute_dtype(examples.logits)
    total = np.empty((num_betas, n), dtype)
    first, second = np.empty((2, num_betas, n if moments else 0), dtype)
    rows_a_block = min(n, max(1, _BLOCK // num_classes))
    d_buffer, e_buffer = np.empty((2, rows_a_block, num_classes), dtype)
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
    slope = curvature = np.full(num_betas, np.nan)
    if moments:
        mean = first / total64
        slope = ((mass * mean - gap) * weights).sum(-1)
        # Rounding may leave a variance of 0 slightly negative.
        curvature = (np.maximum(second / total64 - mean**2, 0) * mass * weights).sum(-1)
    return TemperedSums(
        n, weights.sum(), (weights * gap).sum(), examples.flat, loss, slope, curvature,
        bin_sums(1 / total, examples.correct[chunk], weights, num_bins),
    )  # fmt: skip


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


def in_threads(function, items) -> list:
    """Maps in order; NumPy lets go of the interpreter lock while it computes."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    helpers = min(cores or 1, len(items)) - 1
    if helpers < 1:
        return [function(item) for item in items]
    results: list = [None] * len(items)
    left = iter(range(len(items)))  # shared: on a busy machine one thread may do it all

    def work() -> None:
        for i in left:
            results[i] = function(items[i])

    with ThreadPoolExecutor(helpers) as pool:
        others = [pool.submit(work) for _ in range(helpers)]
        work()
        for other in others:
            other.result()
    return results


def blocks(start: int, stop: int, num_classes: int):
    """Yields slices of rows that stay in the cache."""
    step = max(1, _BLOCK // num_classes)
    for at in range(start, stop, step):
        yield slice(at, min(at + step, stop))


def read_rows(array: np.ndarray, rows: np.ndarray | None, at: slice) -> np.ndarray:
    """Returns the rows of a block, without a copy where they lie together."""
    return array[at] if rows is None else array[rows[at]]


def compute_dtype(array: np.ndarray) -> np.dtype:
    """Returns float64 for float64, float32 for everything else."""
    return np.dtype(np.float64 if array.dtype == np.float64 else np.float32)


def to_host(value) -> np.ndarray:
    """Returns an array without a copy where the memory can be shared."""
    if isinstance(value, np.ndarray):
        return value
    return np.asarray(ops.convert_to_numpy(value) if keras.ops.is_tensor(value) else value)
